//! The workspace's own rules: dependencies point one way, and the domain stays pure.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

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
fn only_functions_and_what_they_share_speak_to_aws() {
    for (name, (folder, dependencies)) in packages() {
        let speaks = dependencies.iter().any(|dependency| dependency.starts_with("aws-sdk-"));
        assert!(!speaks || folder.starts_with("functions/"), "{name} in {folder} must not use the AWS SDK");
    }
}

/// The paths of the contract, each with its methods in upper case, and whether it refuses all others by itself.
fn routes(contract: &str) -> BTreeMap<String, (Vec<String>, bool)> {
    let mut routes: BTreeMap<String, (Vec<String>, bool)> = BTreeMap::new();
    let mut path = None;
    for line in contract.lines() {
        match line.trim_end_matches(':') {
            top if !top.starts_with(' ') && !top.is_empty() => path = None,
            named if named.starts_with("  /") => {
                path = Some(named.trim().to_owned());
                routes.insert(named.trim().to_owned(), (Vec::new(), false));
            }
            member if member.starts_with("    ") && !member.starts_with("     ") => {
                let Some((methods, others)) = path.as_ref().and_then(|path| routes.get_mut(path)) else { continue };
                match member.trim() {
                    "x-amazon-apigateway-any-method" => *others = true,
                    method => methods.push(method.to_uppercase()),
                }
            }
            _ => {}
        }
    }
    routes
}

#[test]
fn allow_names_the_methods_of_the_contract() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |file: &str| std::fs::read_to_string(format!("{root}/{file}")).unwrap();
    let contract = routes(&read("infrastructure/openapi.yaml"));
    assert!(contract.len() > 15, "{contract:?}");
    let order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let mut expected = String::new();
    for (path, (methods, others)) in &contract {
        let known: Vec<&str> = order.into_iter().filter(|method| methods.iter().any(|it| it == method)).collect();
        assert_eq!(known.len(), methods.len(), "{path}: {methods:?}; preflights go to x-amazon-apigateway-any-method");
        assert!(*others || path.starts_with("/approvals/"), "{path} has no x-amazon-apigateway-any-method");
        expected += &format!("    (\"{path}\", \"{}\"),\n", known.join(", "));
    }
    let table = read("functions/common/src/routes.rs");
    assert!(table.contains(&expected), "functions/common/src/routes.rs should say\n{expected}");
}
