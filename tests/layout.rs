//! The workspace's own rules: dependencies point one way, and the domain stays pure.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;
use slipstream_common::routes;

/// Every package of the workspace: its folder, and the names of its ordinary dependencies.
fn packages() -> BTreeMap<String, (String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let root = metadata["workspace_root"].as_str().unwrap().to_owned();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let folder = manifest.strip_prefix(&format!("{root}/")).unwrap().strip_suffix("/Cargo.toml").unwrap();
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let ordinary = dependencies.filter(|dependency| dependency["kind"].is_null());
            (
                text(&package["name"]),
                (folder.to_owned(), ordinary.map(|dependency| text(&dependency["name"])).collect()),
            )
        })
        .collect()
}

/// How high a folder stands: a package may depend only on what stands lower.
fn level(folder: &str) -> Option<u32> {
    match folder {
        "events" => Some(0),
        "domain" => Some(1),
        "functions/common" | "functions/receipt-processor/pictures" => Some(2),
        _ if folder.starts_with("functions/") || folder.starts_with("clients/") => Some(3),
        _ => None,
    }
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let mut seen = 0;
    for (name, (folder, dependencies)) in &packages {
        let Some(own) = level(folder) else { continue };
        for dependency in dependencies {
            let Some((other, _)) = packages.get(dependency) else { continue };
            let other_level =
                level(other).unwrap_or_else(|| panic!("{name} depends on {dependency}, which stands outside"));
            assert!(other_level < own, "{name} must not depend on {dependency}");
            seen += 1;
        }
    }
    assert!(seen > 15, "the workspace's own dependencies were looked at: {seen}");
}

#[test]
fn the_vocabulary_and_the_domain_are_pure() {
    let packages = packages();
    for pure in ["slipstream-events", "slipstream-domain"] {
        for dependency in &packages[pure].1 {
            let impure = ["aws", "lambda", "tokio", "futures", "async", "reqwest", "rand", "chrono", "tracing"];
            assert!(
                !impure.iter().any(|prefix| dependency.starts_with(prefix)),
                "{pure} must not depend on {dependency}: no AWS, no async, no clock, no randomness"
            );
        }
    }
}

#[test]
fn only_functions_what_they_share_and_the_operators_tool_speak_to_aws() {
    for (name, (folder, dependencies)) in packages() {
        let speaks = dependencies.iter().any(|dependency| dependency.starts_with("aws-sdk-"));
        let may = folder.starts_with("functions/") || folder == "clients/ops";
        assert!(!speaks || may, "{name} in {folder} must not use the AWS SDK");
    }
}

/// The operations of each path of the contract: method, members of the query, and whether there is a body. Whether all
/// other methods go to the function, too.
fn operations(contract: &str) -> BTreeMap<String, (Vec<Operation>, bool)> {
    let mut routes: BTreeMap<String, (Vec<Operation>, bool)> = BTreeMap::new();
    let mut path = String::new();
    for line in contract.lines() {
        let depth = line.len() - line.trim_start().len();
        let text = line.trim();
        match (depth, text.strip_suffix(':')) {
            (0, _) if !text.is_empty() => path.clear(),
            (2, Some(named)) if named.starts_with('/') => {
                named.clone_into(&mut path);
                routes.insert(path.clone(), (Vec::new(), false));
            }
            (4, Some("x-amazon-apigateway-any-method")) => {
                if let Some((_, others)) = routes.get_mut(&path) {
                    *others = true;
                }
            }
            (4, Some(method)) => {
                if let Some((operations, _)) = routes.get_mut(&path) {
                    operations.push((method.to_uppercase(), BTreeSet::new(), false));
                }
            }
            _ => {
                let Some((operations, false)) = routes.get_mut(&path) else { continue };
                let Some((_, query, body)) = operations.last_mut() else { continue };
                *body |= depth == 6 && text.starts_with("requestBody:");
                if let Some((name, _)) =
                    text.strip_prefix("- { name: ").and_then(|text| text.split_once(", in: query,"))
                {
                    query.insert(name.to_owned());
                }
            }
        }
    }
    routes
}

/// Method, members of the query, whether there is a body.
type Operation = (String, BTreeSet<String>, bool);

#[test]
fn the_table_of_operations_is_that_of_the_contract() {
    let contract = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infrastructure/openapi.yaml"));
    let mut contract = operations(&contract.unwrap());
    assert!(contract.len() > 15, "{contract:?}");
    // The page behind a mailed link is none of the API's.
    assert!(contract.remove("/approvals/{link}").is_some());
    for (path, (_, others)) in &contract {
        assert!(*others, "{path} has no x-amazon-apigateway-any-method");
    }
    let contract: BTreeMap<_, _> = contract.into_iter().map(|(path, (operations, _))| (path, operations)).collect();
    let table = |operation: &routes::Operation| {
        let query = operation.query.iter().map(|name| (*name).to_owned()).collect();
        (operation.method.to_owned(), query, operation.body)
    };
    let sorted = |mut operations: Vec<Operation>| {
        operations.sort();
        operations
    };
    for (path, operations) in routes::ROUTES {
        let wanted = contract.get(*path).cloned().unwrap_or_default();
        assert_eq!(sorted(operations.iter().map(table).collect()), sorted(wanted), "{path}");
    }
    let known: BTreeSet<_> = routes::ROUTES.iter().map(|(path, _)| *path).collect();
    let missing: Vec<_> = contract.keys().filter(|path| !known.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "functions/common/src/routes.rs lacks {missing:?}");
}
