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
