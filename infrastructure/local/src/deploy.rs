//! Deploying the template as one would on AWS: staged, packaged and deployed by AWS's own CLI.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    aws::Account,
    bridges,
    compile::{Binaries, Checkout},
    package,
    progress::Progress,
    python::Python,
    wait,
};

/// Where packaged artefacts go.
const ARTIFACTS: &str = "slipstream-artifacts";

/// What is deployed, and where to.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whose template.
    pub checkout: &'a Checkout,
    /// The functions.
    pub binaries: &'a Binaries,
    /// With which tools.
    pub python: &'a Python,
    /// To whom.
    pub account: &'a Account,
    /// Under which name.
    pub stack: &'a str,
    /// With which parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// Where to stage it.
    pub stage: PathBuf,
}

/// Stages, packages and deploys; answers the stack's outputs.
///
/// # Errors
/// What the CLI or CloudFormation says, with the resources that failed.
pub async fn deploy(plan: &Plan<'_>, progress: &Progress) -> Result<BTreeMap<String, String>> {
    progress
        .step("staging the functions", async { tokio::try_join!(stage(plan), make_bucket(plan)).map(|_| ()) })
        .await?;
    let archives = progress.step("packaging the template", package_template(plan)).await?;
    let outputs = progress.step("deploying the stack", create(plan)).await?;
    if !archives.is_empty() {
        let bus = outputs.get("EventBusArn").context("the stack has an archive but no output EventBusArn")?;
        bridges::create_archives(plan.account, &archives, bus).await?;
    }
    Ok(outputs)
}

/// The names of the functions whose code the template takes from `target/lambda/<name>/`.
fn functions(template: &str) -> BTreeSet<&str> {
    const FOLDER: &str = "target/lambda/";
    template
        .match_indices(FOLDER)
        .map(|(start, _)| &template[start + FOLDER.len()..])
        .filter_map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Lays out what the template refers to as in the checkout, but with each function's code as a zip.
async fn stage(plan: &Plan<'_>) -> Result<()> {
    for folder in ["infrastructure", "workflows"] {
        copy_files(&plan.checkout.root.join(folder), &plan.stage.join(folder))?;
    }
    let code = plan.stage.join("target/lambda");
    fs::create_dir_all(&code)?;
    let template = fs::read_to_string(plan.checkout.template())?;
    let mut packages = JoinSet::new();
    for function in functions(&template) {
        let binary = plan.binaries.path(function)?.to_owned();
        let to = code.join(format!("{function}.zip"));
        let cache = plan.checkout.local().join("packages");
        let python = plan.python.program("python");
        packages.spawn(async move { package::package(&binary, &cache, &python, &to).await });
    }
    while let Some(packaged) = packages.join_next().await {
        packaged??;
    }
    fs::write(plan.stage.join("infrastructure/template.yaml"), with_zips(&template))?;
    Ok(())
}

/// The template with `target/lambda/<name>.zip` wherever it says `target/lambda/<name>/`.
fn with_zips(template: &str) -> String {
    functions(template).into_iter().fold(template.to_owned(), |text, function| {
        text.replace(&format!("target/lambda/{function}/"), &format!("target/lambda/{function}.zip"))
    })
}

/// The files of one folder, not of those below it.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

async fn make_bucket(plan: &Plan<'_>) -> Result<()> {
    plan.account.cli(&["s3api", "create-bucket", "--bucket", ARTIFACTS]).await.map(|_| ())
}

async fn package_template(plan: &Plan<'_>) -> Result<Vec<bridges::Archive>> {
    let template = ["--template-file", "infrastructure/template.yaml", "--output-template-file", "packaged.json"];
    let mut arguments = vec!["cloudformation", "package", "--use-json", "--s3-bucket", ARTIFACTS];
    arguments.extend(template);
    plan.account.cli_text(&plan.stage, &arguments).await?;

    let packaged = plan.stage.join("packaged.json");
    let mut template: Value = serde_json::from_slice(&fs::read(&packaged)?)?;
    let archives = bridges::take_archives(&mut template, plan.stack);
    bridges::write_concurrency(&mut template, plan.parameters);
    fs::write(&packaged, serde_json::to_vec_pretty(&template)?)?;
    Ok(archives)
}

async fn create(plan: &Plan<'_>) -> Result<BTreeMap<String, String>> {
    let parameters: Vec<String> = plan.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments =
        vec!["cloudformation", "deploy", "--template-file", "packaged.json", "--stack-name", plan.stack];
    arguments.extend(["--s3-bucket", ARTIFACTS, "--s3-prefix", "templates", "--capabilities"]);
    arguments.extend(["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND", "--parameter-overrides"]);
    arguments.extend(parameters.iter().map(String::as_str));
    // The CLI looks after the stack every thirty seconds only, so whoever sees the end first wins.
    let ended = tokio::select! {
        deployed = plan.account.cli_text(&plan.stage, &arguments) => deployed.map(|_| ()),
        ended = stack_ended(plan) => ended,
    };
    if let Err(error) = ended {
        bail!("{error}\n{}", failures(plan).await);
    }
    let stacks = plan.account.cli(&["cloudformation", "describe-stacks", "--stack-name", plan.stack]).await?;
    let outputs = stacks.pointer("/Stacks/0/Outputs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pair =
        |output: &Value| Some((output["OutputKey"].as_str()?.to_owned(), output["OutputValue"].as_str()?.to_owned()));
    Ok(outputs.iter().filter_map(pair).collect())
}

/// Waits until the stack is created, or is not going to be.
async fn stack_ended(plan: &Plan<'_>) -> Result<()> {
    wait::until("the stack", Duration::from_secs(300), async || {
        let status = plan.account.stack_status(plan.stack).await?.unwrap_or_default();
        if status == "CREATE_COMPLETE" {
            return Ok(Some(()));
        }
        if status.ends_with("_FAILED") || status == "ROLLBACK_COMPLETE" {
            bail!("the stack is {status}");
        }
        Ok(None)
    })
    .await
}

/// The resources that failed, with their reasons.
async fn failures(plan: &Plan<'_>) -> String {
    let answer = plan.account.cli(&["cloudformation", "describe-stack-events", "--stack-name", plan.stack]).await;
    let answer = answer.unwrap_or_else(|_| json!({}));
    let events = answer["StackEvents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = events
        .iter()
        .filter(|event| event["ResourceStatus"].as_str().is_some_and(|status| status.ends_with("_FAILED")));
    let lines = failed.map(|event| {
        let part = |name: &str| event[name].as_str().unwrap_or_default();
        format!("  {} {}: {}", part("LogicalResourceId"), part("ResourceStatus"), part("ResourceStatusReason"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_the_template_names() {
        let template = "CodeUri: ../target/lambda/receipts/\nCodeUri: ../target/lambda/receipt-processor/\nCodeUri: ../target/lambda/receipts/";
        assert_eq!(functions(template), BTreeSet::from(["receipts", "receipt-processor"]));
        assert_eq!(
            with_zips(template),
            "CodeUri: ../target/lambda/receipts.zip\nCodeUri: ../target/lambda/receipt-processor.zip\nCodeUri: ../target/lambda/receipts.zip"
        );
    }
}
