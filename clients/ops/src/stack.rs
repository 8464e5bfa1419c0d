//! A deployed stack: what its outputs and its resources are called, and the clients of its services.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use slipstream_common::{sdk, store::Store, table::Table};

use crate::failure::{Exit, Failure, Outcome, causes};

/// A resource as CloudFormation lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The name in the template.
    pub(crate) logical: String,
    /// The name in the service; of some kinds an ARN or a URL.
    pub(crate) physical: String,
    /// For example `AWS::Logs::LogGroup`.
    pub(crate) kind: String,
}

/// The stack, and how to speak to what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// Its name.
    pub(crate) name: String,
    outputs: BTreeMap<String, String>,
    resources: Vec<Resource>,
    /// Credentials, region, retries.
    pub(crate) sdk: SdkConfig,
}

impl Stack {
    /// Finds the stack with the credentials and the region of the environment.
    ///
    /// # Errors
    /// Names what is missing: region, credentials, the stack.
    pub(crate) async fn find(name: &str) -> Outcome<Self> {
        let sdk = sdk::config().await;
        let region = sdk.region().map(ToString::to_string).ok_or_else(|| {
            Failure::new(Exit::NotAllowed, "no AWS region is set: set AWS_REGION, or `region` in your AWS profile")
        })?;
        let client = aws_sdk_cloudformation::Client::new(&sdk);
        let described = client.describe_stacks().stack_name(name).send().await.map_err(|error| {
            let missing = error.message().is_some_and(|message| message.contains("does not exist"));
            if missing {
                let text = format!("there is no stack {name} in {region}: name yours with --stack, or set AWS_REGION");
                return Failure::not_found(text);
            }
            if error.code().is_none() {
                return of_no_answer(&causes(&error), &region);
            }
            let failure = Failure::of(&format!("the stack {name} cannot be read"), error);
            match failure.exit {
                // It covers its own stack alone, so that another name looks like this, too.
                Exit::NotAllowed => Failure {
                    message: format!(
                        "{}\nIs --stack {name} right, and {region} its region (AWS_REGION)?",
                        failure.message
                    ),
                    ..failure
                },
                _ => failure,
            }
        })?;
        let stack = described.stacks().first();
        let outputs = stack.map(aws_sdk_cloudformation::types::Stack::outputs).unwrap_or_default();
        let pair = |output: &aws_sdk_cloudformation::types::Output| {
            Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
        };
        let outputs = outputs.iter().filter_map(pair).collect();
        let mut resources = Vec::new();
        let mut pages = client.list_stack_resources().stack_name(name).into_paginator().items().send();
        while let Some(resource) = pages.next().await {
            let resource =
                resource.map_err(|error| Failure::of(&format!("the stack {name} cannot be listed"), error))?;
            resources.push(Resource {
                logical: resource.logical_resource_id().unwrap_or_default().to_owned(),
                physical: resource.physical_resource_id().unwrap_or_default().to_owned(),
                kind: resource.resource_type().unwrap_or_default().to_owned(),
            });
        }
        Ok(Self { name: name.to_owned(), outputs, resources, sdk })
    }

    /// An output.
    ///
    /// # Errors
    /// When the stack has none of this name.
    pub(crate) fn output(&self, name: &str) -> Outcome<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            let stack = &self.name;
            Failure::not_found(format!(
                "the stack {stack} has no output {name}: is it Slipstream's, and as new as this tool? Deploy the template"
            ))
        })
    }

    /// Every output whose name ends so, by what stands before.
    pub(crate) fn outputs_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.outputs.iter().filter_map(move |(name, value)| Some((name.strip_suffix(ending)?, value.as_str())))
    }

    /// The resources of a kind.
    pub(crate) fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// A name without the stack's in front of it.
    pub(crate) fn short<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
    }

    /// The main table.
    ///
    /// # Errors
    /// When the stack does not name it.
    pub(crate) fn store(&self) -> Outcome<Store> {
        Ok(Store::new(Table::new(&self.sdk, self.output("TableName")?)))
    }

    /// The projections table.
    ///
    /// # Errors
    /// When the stack does not name it.
    pub(crate) fn projections(&self) -> Outcome<Table> {
        Ok(Table::new(&self.sdk, self.output("ProjectionsTableName")?))
    }
}

/// CloudFormation did not answer at all.
fn of_no_answer(text: &str, region: &str) -> Failure {
    if text.contains("credential") || text.contains("Credential") {
        let remedy = "no AWS credentials are found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
                      `aws sso login` signs in again. On a laptop `cargo local status` prints those of its operator";
        return Failure::new(Exit::NotAllowed, remedy);
    }
    let remedy = format!("AWS CloudFormation in {region} does not answer; is AWS_REGION right, is the network there?");
    Failure::new(Exit::Unavailable, format!("{remedy}\n{text}"))
}

#[cfg(test)]
impl Stack {
    /// One with these outputs, for tests that call no service or one of their own.
    pub(crate) fn example(outputs: &[(&str, &str)], resources: &[(&str, &str, &str)], sdk: SdkConfig) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let resource = |(logical, physical, kind): &(&str, &str, &str)| Resource {
            logical: (*logical).to_owned(),
            physical: (*physical).to_owned(),
            kind: (*kind).to_owned(),
        };
        Self {
            name: "slipstream".to_owned(),
            outputs: outputs.iter().map(owned).collect(),
            resources: resources.iter().map(resource).collect(),
            sdk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_piece_is_named() {
        let credentials = of_no_answer("dispatch failure: the credential provider was not enabled", "eu-central-1");
        assert_eq!(credentials.exit, Exit::NotAllowed);
        assert!(credentials.message.contains("AWS_PROFILE") && credentials.message.contains("cargo local status"));
        assert_eq!(of_no_answer("dispatch failure: timeout", "eu-central-1").exit, Exit::Unavailable);
        let sdk = SdkConfig::builder().build();
        let stack = Stack::example(&[("TableName", "t"), ("XQueueUrl", "u")], &[], sdk);
        assert_eq!(stack.output("TableName"), Ok("t"));
        assert!(stack.output("Other").unwrap_err().message.contains("no output Other"));
        assert_eq!(stack.outputs_ending("QueueUrl").collect::<Vec<_>>(), [("X", "u")]);
        assert_eq!((stack.short("slipstream-approval"), stack.short("other")), ("approval", "other"));
    }
}
