//! What the template's policy for operators allows.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

/// The policy's statements: their names, and their lines.
fn statements() -> Vec<(String, Vec<String>)> {
    let template = include_str!("../../../infrastructure/template.yaml");
    let (_, policy) = template.split_once("\n  OperatorPolicy:\n").unwrap();
    let policy = policy.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let mut statements: Vec<(String, Vec<String>)> = Vec::new();
    for line in policy.map(str::trim).filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("- Sid: "), statements.last_mut()) {
            (Some(name), _) => statements.push((name.to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(statements.len() > 10, "{statements:?}");
    statements
}

#[test]
fn no_action_is_a_wildcard_and_one_explained_resource_is() {
    for (name, lines) in statements() {
        let actions = lines.iter().find(|line| line.starts_with("Action:")).unwrap();
        assert!(!actions.contains('*'), "{name}: {actions}");
        let everything = lines.iter().any(|line| line == "Resource: \"*\"");
        assert_eq!(everything, name == "ListReplays", "{name}");
    }
}

#[test]
fn tables_are_read_only_and_peoples_partitions_not_at_all() {
    let statements = statements();
    let of_tables = statements.iter().filter(|(_, lines)| lines.iter().any(|line| line.contains("dynamodb:")));
    for (name, lines) in of_tables.clone() {
        let actions = lines.iter().find(|line| line.starts_with("Action:")).unwrap();
        for write in ["Put", "Update", "Delete", "Scan"] {
            assert!(!actions.contains(write), "{name}: {actions}");
        }
    }
    let (_, main) = of_tables.clone().find(|(name, _)| name == "ReadWhatHappened").unwrap();
    let from = main.iter().position(|line| line.contains("dynamodb:LeadingKeys")).unwrap();
    let keys: Vec<&str> = main[from + 1..].iter().filter_map(|line| line.strip_prefix("- ")).collect();
    assert!(keys.contains(&"\"EXPENSE#*\"") && keys.contains(&"\"DAY#*\""), "{keys:?}");
    // Profiles, addresses and the directory; what people exported; secrets.
    for private in ["PERSON", "PEOPLE", "EMAIL", "DIRECTORY", "EXPORT", "SECRET", "IDEMPOTENCY", "MAIL#"] {
        assert!(!keys.iter().any(|key| key.contains(private)), "{private}: {keys:?}");
    }
}
