//! The real binary against a server on this machine: requests, exit codes, JSON, retries, sign-in.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Asked, Home, Server, empty, in_turn, json_answer, problem, token};
use serde_json::{Value, json};

const EXPENSE: &str = "exp_00000000000000000000000000000001";
const OTHER: &str = "exp_00000000000000000000000000000002";

fn expense() -> Value {
    json!({
        "id": EXPENSE, "version": 7, "status": "draft", "submission": 0, "missing": [],
        "details": {"merchant": "Café Lindenhof", "date": "2026-03-12", "amount": {"minor_units": 2340, "currency": "EUR"}},
    })
}

#[tokio::test]
async fn exit_codes_say_how_it_ended() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/me" => json_answer(200, &json!({"id": "x", "email": "emma@example.com"})),
        path if path.ends_with("/submit") => problem(422, "incomplete"),
        path if path.ends_with("/withdraw") => problem(409, "wrong-state"),
        path if path.ends_with("/reimburse") => problem(403, "role"),
        "/budgets" => problem(503, "try-again"),
        "/policy" => problem(418, "odd"),
        _ => problem(404, "not-found"),
    })
    .await;
    let home = Home::signed_in(&server);
    for (arguments, code, says) in [
        (&["me"][..], 0, ""),
        (&["--help"], 0, ""),
        (&[], 2, "Usage"),
        (&["show", "nonsense"], 2, "is no expense id"),
        (&["list", "--from", "12.3.2026"], 2, "2026-03-12"),
        (&["list", "--finance"], 2, "--status"),
        (&["reject", &format!("{EXPENSE}.1")], 2, "--comment"),
        (&["show", EXPENSE], 4, "What to do."),
        (&["submit", EXPENSE], 5, "What to do."),
        (&["withdraw", EXPENSE], 5, "What to do."),
        (&["reimburse", EXPENSE], 5, "slip login"),
        (&["budgets", "list"], 6, "What to do."),
    ] {
        let run = home.slip(arguments).await;
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
        assert!(code == 0 || run.stdout.is_empty(), "{arguments:?}: {}", run.stdout);
    }
}

#[tokio::test]
async fn nobody_signed_in_and_nowhere_to_go() {
    let server = Server::start(|_| empty(200)).await;
    let home = Home::empty(&server);
    let run = home.slip(&["list"]).await;
    assert_eq!((run.code, run.stderr.contains("slip login")), (3, true), "{}", run.stderr);
    let run = home.slip_with(&["list"], &[("SLIP_API_URL", ""), ("SLIP_CLIENT_ID", "")], "").await;
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--api-url") && run.stderr.contains("SLIP_CLIENT_ID"), "{}", run.stderr);
    assert!(!run.stderr.contains("--user-pool-id"), "{}", run.stderr);
    // Nobody listens there.
    let home = Home::signed_in(&server);
    home.keep_tokens("http://127.0.0.1:9", &token(3000, "first-signature"));
    let run = home.slip_with(&["me"], &[("SLIP_API_URL", "http://127.0.0.1:9")], "").await;
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains("cannot be reached"), "{}", run.stderr);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn json_is_what_the_api_said_and_nothing_else() {
    let server = Server::start(|asked| match asked.path.as_str() {
        path if path.ends_with(EXPENSE) => json_answer(200, &expense()),
        _ => problem(404, "not-found"),
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["--json", "show", EXPENSE]).await;
    assert_eq!(run.stdout, format!("{}\n", expense()));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    // An error is a problem document on stdout, and words on stderr.
    let run = home.slip(&["show", OTHER, "--json"]).await;
    assert_eq!(run.lines()[0]["type"], "urn:slipstream:problem:not-found");
    assert_eq!((run.code, run.stderr.as_str()), (4, "error: What to do.\n"));
}

#[tokio::test]
async fn what_is_sent_again_has_the_same_key() {
    let turns = in_turn(vec![
        Box::new(|| {
            let mut answer = problem(429, "too-many-requests");
            answer.headers_mut().insert("retry-after", "0".parse().unwrap());
            answer
        }),
        Box::new(|| problem(503, "try-again")),
        Box::new(|| json_answer(200, &expense())),
    ]);
    let server = Server::start(move |_| turns()).await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["submit", EXPENSE, OTHER]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let asked = server.asked();
    let keys: Vec<&str> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
    assert_ne!(keys[2], keys[3], "another expense is another call");
    assert!(asked.iter().all(|asked| asked.json() == json!({})));
}

#[tokio::test]
async fn several_go_on_after_a_failure() {
    let server = Server::start(|asked| match asked.path.contains(EXPENSE) {
        true => problem(409, "wrong-state"),
        false => json_answer(200, &expense()),
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["withdraw", EXPENSE, OTHER]).await;
    assert_eq!(run.code, 5);
    assert_eq!(server.asked().len(), 2);
    assert!(run.stderr.contains(EXPENSE) && run.stdout.contains(OTHER), "{}{}", run.stderr, run.stdout);
}

#[tokio::test]
async fn an_edit_is_of_what_was_seen() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "GET" => {
            let mut answer = json_answer(200, &expense());
            answer.headers_mut().insert("etag", "\"7\"".parse().unwrap());
            answer
        }
        _ if asked.header("if-match") == Some("\"7\"") => json_answer(200, &expense()),
        _ => problem(412, "version-mismatch"),
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["edit", EXPENSE, "amount=25", "category=office-supplies", "project="]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let patch = &server.asked()[1];
    assert_eq!(patch.line(), format!("PATCH /expenses/{EXPENSE}"));
    assert_eq!(
        patch.json(),
        json!({"details": {"amount": {"minor_units": 2500, "currency": "EUR"}, "category": "office_supplies", "project": null}})
    );
    assert_eq!(patch.header("content-type"), Some("application/json"));
    let run = home.slip(&["edit", EXPENSE, "note=x", "--if-version", "6"]).await;
    assert_eq!(run.code, 5, "{}", run.stderr);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let server = Server::start(|asked| {
        let second = asked.query.contains("cursor=next+one%2B");
        let id = if second { OTHER } else { EXPENSE };
        let mut found = expense();
        found["id"] = id.into();
        json_answer(
            200,
            &json!({"expenses": [found], "next_cursor": if second { Value::Null } else { "next one+".into() }}),
        )
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home
        .slip(&["--json", "list", "--all", "--status", "changes-requested", "--from", "2026-03-01", "--min", "20 EUR"])
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let ids: Vec<Value> = run.lines().iter().map(|page| page["expenses"][0]["id"].clone()).collect();
    assert_eq!(ids, [EXPENSE, OTHER]);
    assert_eq!(
        server.asked()[0].query,
        "status=changes_requested&from=2026-03-01&currency=EUR&min_minor_units=2000&limit=100"
    );
    let before = server.asked().len();
    home.slip(&["approvals", "--merchant", "krone", "--max=-5 JPY", "--paid-by", "company-card"]).await;
    let asked = server.asked().swap_remove(before);
    assert_eq!(asked.path, "/approvals");
    assert_eq!(asked.query, "status=pending&currency=JPY&max_minor_units=-5&merchant=krone&paid_by=company_card");
    let run = home.slip(&["approvals", "--min", "5 JPY", "--max", "9 EUR"]).await;
    assert!(run.code == 2 && run.stderr.contains("different currencies"), "{}", run.stderr);
    // One page for programs; for people as many as fill one.
    assert_eq!(home.slip(&["--json", "list"]).await.lines().len(), 1);
    let run = home.slip(&["list", "--limit", "2"]).await;
    assert!(run.stdout.contains(EXPENSE) && run.stdout.contains(OTHER), "{}", run.stdout);
    let run = home.slip(&["list", "--limit", "1"]).await;
    assert!(run.stderr.contains("--cursor next one+"), "{}", run.stderr);
    let run = home.slip(&["list", "--finance", "--status", "approved", "--limit", "1"]).await;
    assert_eq!(run.code, 0);
    assert_eq!(server.asked().last().unwrap().path, "/finance/expenses");
}

#[tokio::test]
async fn an_ending_token_is_replaced_and_kept_privately() {
    fn answer(asked: &Asked) -> axum::response::Response {
        if asked.path != "/cognito" {
            let fresh = asked.header("authorization").unwrap().ends_with("second-signature");
            return if fresh {
                json_answer(200, &json!({"email": "e@example.com"}))
            } else {
                problem(401, "unauthenticated")
            };
        }
        assert_eq!(asked.header("x-amz-target"), Some("AWSCognitoIdentityProviderService.InitiateAuth"));
        let body = asked.json();
        assert_eq!(body["AuthFlow"], "REFRESH_TOKEN_AUTH");
        assert_eq!(body["AuthParameters"]["REFRESH_TOKEN"], "refresh-secret");
        json_answer(200, &json!({"AuthenticationResult": {"IdToken": token(3000, "second-signature")}}))
    }
    let server = Server::start(answer).await;
    // About to end: replaced before it is used.
    let home = Home::signed_in_for(&server, 20);
    assert_eq!(home.slip(&["me"]).await.code, 0);
    assert_eq!(server.lines(), ["POST /cognito", "GET /me"]);
    assert!(home.tokens()["id_token"].as_str().unwrap().ends_with("second-signature"));
    assert_eq!(home.tokens()["refresh_token"], "refresh-secret");
    let mode = std::fs::metadata(home.tokens_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Good by its own word and refused: replaced once.
    let home = Home::signed_in(&server);
    assert_eq!(home.slip(&["me"]).await.code, 0);
    assert_eq!(server.lines()[2..], ["GET /me", "POST /cognito", "GET /me"]);
}

#[tokio::test]
async fn an_ended_sign_in_is_exit_code_three() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/cognito" => {
            json_answer(400, &json!({"__type": "NotAuthorizedException", "message": "Refresh Token has expired"}))
        }
        _ => problem(401, "unauthenticated"),
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["me"]).await;
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("slip login"), "{}", run.stderr);
}

#[tokio::test]
async fn tokens_that_others_can_read_or_that_are_anothers_are_not_sent() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::signed_in(&server);
    std::fs::set_permissions(home.tokens_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = home.slip(&["me"]).await;
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("chmod 600"), "{}", run.stderr);

    let other = Home::signed_in(&server);
    other.keep_tokens("https://another.example.com", &token(3000, "first-signature"));
    let run = other.slip(&["me"]).await;
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("another.example.com"), "{}", run.stderr);
    assert_eq!(server.asked().len(), 0);

    // Signing out removes them all the same.
    assert_eq!(home.slip(&["logout"]).await.code, 0);
    assert!(!home.tokens_path().exists());
}

#[tokio::test]
async fn signing_in_says_what_cognito_wants() {
    let turns = in_turn(vec![
        Box::new(|| {
            json_answer(
                200,
                &json!({"ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": "s", "ChallengeParameters": {}}),
            )
        }),
        Box::new(|| json_answer(200, &json!({"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s"}))),
        Box::new(|| {
            json_answer(400, &json!({"__type": "UserNotConfirmedException", "message": "User is not confirmed."}))
        }),
        Box::new(|| {
            json_answer(
                400,
                &json!({"__type": "x#NotAuthorizedException", "message": "Incorrect username or password."}),
            )
        }),
        Box::new(|| {
            json_answer(
                200,
                &json!({"ChallengeName": "PASSWORD_VERIFIER", "ChallengeParameters": {
            "SRP_B": "0", "SALT": "1", "SECRET_BLOCK": "", "USER_ID_FOR_SRP": "u"}}),
            )
        }),
    ]);
    let server = Server::start(move |_| turns()).await;
    let home = Home::empty(&server);
    for (code, says) in [
        (3, "wants one of your own"),
        (3, "SOFTWARE_TOKEN_MFA"),
        (3, "sign-up is not finished"),
        (3, "the password is wrong"),
        (1, "none that Cognito sends"),
    ] {
        let run = home.slip_with(&["login", "emma@example.com", "--password-stdin"], &[], "Secret-123456\n").await;
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(!home.tokens_path().exists());
    }
    // The password is nowhere in what was sent.
    assert!(server.asked().iter().all(|asked| !String::from_utf8_lossy(&asked.body).contains("Secret-123456")));
    let first = server.asked()[0].json();
    assert_eq!((&first["AuthFlow"], &first["ClientId"]), (&json!("USER_SRP_AUTH"), &json!("client")));
    assert_eq!(home.slip_with(&["login", "emma@example.com", "--password-stdin"], &[], "\n").await.code, 2);
    assert_eq!(home.slip_with(&["login", "--password-stdin"], &[], "x\n").await.code, 2);
}

#[tokio::test]
async fn signing_out_ends_the_refresh_token() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::signed_in(&server);
    assert_eq!(home.slip(&["logout"]).await.code, 0);
    assert!(!home.tokens_path().exists());
    let asked = &server.asked()[0];
    assert_eq!(asked.header("x-amz-target"), Some("AWSCognitoIdentityProviderService.RevokeToken"));
    assert_eq!(asked.json()["Token"], "refresh-secret");
    assert_eq!(home.slip(&["logout"]).await.code, 0);
}

#[tokio::test]
async fn a_directory_goes_in_parts_and_invalid_rows_count() {
    let server = Server::start(|asked| {
        let people = asked.json()["people"].as_array().unwrap().clone();
        let results: Vec<Value> = people
            .iter()
            .map(|person| match person["email"].as_str().unwrap() {
                "p7@example.com" => {
                    json!({"email": person["email"], "outcome": "invalid", "reason": "manager_email: nobody has it"})
                }
                _ => json!({"email": person["email"], "outcome": "created"}),
            })
            .collect();
        json_answer(200, &json!({ "results": results }))
    })
    .await;
    let home = Home::signed_in(&server);
    let rows: Vec<String> = (0..230).map(|number| format!("p{number}@example.com,Person {number}\n")).collect();
    let file = home.file("directory.csv", format!("email,name\n{}", rows.concat()));
    let run = home.slip(&["people", "import", &file, "--dry-run"]).await;
    assert_eq!((run.code, server.asked().len()), (0, 0), "{}", run.stderr);
    let run = home.slip(&["people", "import", &file]).await;
    assert_eq!(run.code, 5);
    assert_eq!(run.stdout, "229 created, 1 invalid.\n");
    assert!(run.stderr.contains("9  p7@example.com  manager_email: nobody has it"), "{}", run.stderr);
    let sizes: Vec<usize> =
        server.asked().iter().map(|asked| asked.json()["people"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 30]);

    let bad = home.file("bad.csv", "email\nnobody\nx@example.com\n");
    let run = home.slip(&["people", "import", &bad]).await;
    assert_eq!((run.code, server.asked().len()), (5, 3));
    assert!(run.stderr.contains("line 2") && run.stderr.contains("nothing was sent"), "{}", run.stderr);
}

#[tokio::test]
async fn finance_sends_rates_policy_and_budgets() {
    let server = Server::start(|asked| {
        let loaded: Vec<Value> =
            vec![json!({}); String::from_utf8_lossy(&asked.body).lines().count().saturating_sub(1)];
        json_answer(200, &json!({"version": 4, "loaded": loaded, "unchanged": 1}))
    })
    .await;
    let home = Home::signed_in(&server);
    let days: String = (0..900).map(|day| format!("day{day},1.0876,N/A,\n")).collect();
    let rates = home.file("rates.csv", format!("Date,USD,JPY,\n{days}"));
    let run = home.slip(&["rates", "import", &rates]).await;
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "Days with new rates: 900. Days that had these rates already: 3.\n"),
        "{}",
        run.stderr
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.header("content-type") == Some("text/csv") && asked.body.starts_with(b"Date,USD,JPY,\n")));

    let policy = home.file("policy.json", r#"{"version": 3, "decision_due_seconds": 60}"#);
    assert_eq!(home.slip(&["policy", "set", &policy]).await.code, 0);
    let put = server.asked()[3].clone();
    assert_eq!((put.line(), put.header("if-match")), ("PUT /policy".to_owned(), Some("\"3\"")));
    assert_eq!(put.json(), json!({"decision_due_seconds": 60}));

    assert_eq!(home.slip(&["budgets", "set", "office-supplies", "200 EUR", "--period", "year"]).await.code, 0);
    let put = server.asked()[4].clone();
    assert_eq!(put.line(), "PUT /budgets/office_supplies");
    assert_eq!(put.json(), json!({"amount": {"minor_units": 20000, "currency": "EUR"}, "period": "year"}));
    assert_eq!(home.slip(&["budgets", "delete", "../me"]).await.code, 2);
}

#[tokio::test]
async fn a_decision_goes_to_the_submission() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::signed_in(&server);
    let submission = format!("{EXPENSE}.1");
    assert_eq!(home.slip(&["approve", &submission]).await.code, 0);
    assert_eq!(home.slip(&["request-changes", &submission, "--comment", "Add the receipt"]).await.code, 0);
    let asked = server.asked();
    assert_eq!(asked[0].line(), format!("POST /submissions/{submission}/decision"));
    assert_eq!(asked[0].json(), json!({"decision": "approve"}));
    assert_eq!(asked[1].json(), json!({"decision": "request_changes", "comment": "Add the receipt"}));
}

#[tokio::test]
async fn completions_are_printed_without_a_service() {
    let server = Server::start(|_| empty(500)).await;
    let home = Home::empty(&server);
    for shell in ["bash", "zsh", "fish"] {
        let run = home.slip(&["completions", shell]).await;
        assert!(run.code == 0 && run.stdout.contains("not-duplicate"), "{shell}");
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn whoever_stops_reading_does_not_stop_what_acts() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "GET" => json_answer(200, &json!({"expenses": [expense()], "next_cursor": "more"})),
        _ => json_answer(200, &expense()),
    })
    .await;
    let home = Home::signed_in(&server);
    for (arguments, calls) in [(&["submit", EXPENSE, OTHER, EXPENSE][..], 3), (&["list", "--all"], 2)] {
        let before = server.asked().len();
        let mut child = home.command(arguments).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert!(child.wait().await.unwrap().success(), "{arguments:?}");
        assert_eq!(server.asked().len() - before, calls, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_failure() {
    let server = Server::start(|_| json_answer(200, &expense())).await;
    let home = Home::signed_in(&server);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let child = home.command(&["submit", EXPENSE, OTHER]).stdout(full).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn nothing_from_elsewhere_steers_the_terminal() {
    const HOSTILE: &str = "Caf\u{e9}\u{1b}[31m\u{9b}2J\u{7}\u{202e}";
    let server = Server::start(|asked| {
        let mut found = expense();
        found["details"]["merchant"] = HOSTILE.into();
        match asked.path.as_str() {
            "/policy" => json_answer(200, &json!({"version": 1, "note": HOSTILE})),
            "/expenses" => json_answer(200, &json!({"expenses": [found]})),
            path if path.ends_with("/submit") => json_answer(
                422,
                &json!({"type": "urn:slipstream:problem:x", "title": HOSTILE, "errors": [{"field": HOSTILE, "remedy": HOSTILE}]}),
            ),
            _ => json_answer(200, &found),
        }
    })
    .await;
    let home = Home::signed_in(&server);
    for arguments in
        [&["list"][..], &["show", EXPENSE], &["withdraw", EXPENSE], &["submit", EXPENSE], &["policy", "get"]]
    {
        for json in [false, true] {
            let arguments: Vec<&str> = arguments.iter().copied().chain(json.then_some("--json")).collect();
            let run = home.slip(&arguments).await;
            let printed = format!("{}{}", run.stdout, run.stderr);
            let steering = printed.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert!(printed.contains("Caf\u{e9}") && steering.is_none(), "{arguments:?}: {printed:?}");
            assert!(!json || run.lines()[0].to_string().contains("2J"), "{arguments:?}");
        }
    }
    let listed = home.slip(&["list", "--json"]).await;
    assert_eq!(listed.lines()[0]["expenses"][0]["details"]["merchant"], HOSTILE, "programs get it as it is");
}

#[tokio::test]
async fn an_amount_without_a_currency_has_the_decimals_of_the_expense() {
    let server = Server::start(|_| {
        let mut found = expense();
        found["details"]["amount"] = json!({"minor_units": 1000, "currency": "KWD"});
        json_answer(200, &found)
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["edit", EXPENSE, "amount=1.234"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(server.asked()[1].json()["details"]["amount"], json!({"minor_units": 1234, "currency": "KWD"}));
    let run = home.slip(&["edit", EXPENSE, "amount=1,5"]).await;
    assert!(run.code == 2 && run.stderr.contains("with a dot"), "{}", run.stderr);
}

#[tokio::test]
async fn the_environment_is_not_kept_by_signing_in() {
    // No sign-in ends here; what was given on the command line is kept only by one that does.
    let server = Server::start(|asked| match (asked.path.as_str(), asked.json()["AuthFlow"].as_str()) {
        ("/cognito", Some(_)) => json_answer(
            200,
            &json!({"AuthenticationResult": {"IdToken": token(3000, "first-signature"), "RefreshToken": "refresh-secret"}}),
        ),
        _ => json_answer(200, &json!({"id": "x", "email": "emma@example.com"})),
    })
    .await;
    let home = Home::empty(&server);
    let arguments = ["login", "emma@example.com", "--password-stdin", "--client-id", "client"];
    let run = home.slip_with(&arguments, &[], "Password-12345\n").await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let settings: Value =
        serde_json::from_slice(&std::fs::read(home.path().join("config/slip/default/settings.json")).unwrap()).unwrap();
    assert_eq!(settings, json!({"client_id": "client", "email": "emma@example.com"}));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_has_no_end_is_refused() {
    let server = Server::start(|_| empty(500)).await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["snap", "/dev/zero"]).await;
    assert!(run.code == 1 && run.stderr.contains("is no file"), "{}", run.stderr);
    let large = home.file("large.json", "");
    std::fs::File::options().write(true).open(&large).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    for arguments in [["policy", "set"], ["people", "import"], ["rates", "import"]] {
        let run = home.slip(&[arguments[0], arguments[1], &large]).await;
        assert!(run.code == 5 && run.stderr.contains("larger than 64 MiB"), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn an_erasure_is_meant() {
    const PERSON: &str = "0b0e7c5e-0000-4000-8000-000000000001";
    let server = Server::start(|asked| match asked.path.as_str() {
        "/people" => json_answer(200, &json!({"people": [{"id": PERSON, "email": "emma@example.com"}]})),
        _ => json_answer(
            202,
            &json!({"person": PERSON, "status": "running", "erased": {"drafts": 2},
                "kept": [{"what": "submitted_expenses", "why": "Tax law has them kept.", "until": "2036-03-12"}]}),
        ),
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["people", "erase", "emma@example.com"]).await;
    assert!(run.code == 2 && run.stderr.contains("--yes"), "{}", run.stderr);
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
    let run = home.slip(&["people", "erase", "emma@example.com", "--yes"]).await;
    assert_eq!(server.asked().last().unwrap().line(), format!("POST /people/{PERSON}/erasure"));
    for says in [PERSON, "erasure running", "drafts: 2", "kept until 2036-03-12: submitted expenses"] {
        assert!(run.code == 0 && run.stdout.contains(says), "{says}: {}{}", run.stdout, run.stderr);
    }
}

#[tokio::test]
async fn personal_data_are_asked_for_whole() {
    const PERSON: &str = "0b0e7c5e-0000-4000-8000-000000000001";
    let server = Server::start(|asked| match asked.path.as_str() {
        "/people" => json_answer(200, &json!({"people": [{"id": PERSON}]})),
        _ => json_answer(202, &json!({"id": "expt_1", "status": "queued"})),
    })
    .await;
    let home = Home::signed_in(&server);
    let export = ["export", "--no-wait", "--kind", "personal-data"];
    assert_eq!(home.slip(&export).await.code, 0);
    assert_eq!(home.slip(&[&export[..], &["--person", "emma@example.com"]].concat()).await.code, 0);
    let asked = server.asked();
    assert_eq!(asked[0].json(), json!({"kind": "personal_data", "scope": "own"}));
    assert_eq!(asked[2].json(), json!({"kind": "personal_data", "scope": "own", "person": PERSON}));
    for (wrong, says) in [
        (&["export", "--kind", "personal-data", "--from", "2026-01-01"][..], "leave out --from"),
        (&["export", "--kind", "personal-data", "--company"], "leave out --company"),
        (&["export", "--from", "2026-01-01"], "--until"),
        (&["export", "--from", "2026-01-01", "--until", "2026-01-31", "--person", PERSON], "personal-data"),
    ] {
        let run = home.slip(wrong).await;
        assert!(run.code == 2 && run.stderr.contains(says), "{wrong:?}: {}", run.stderr);
    }
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn whoever_may_not_look_people_up_is_told_to_ask_for_an_id() {
    let server = Server::start(|_| problem(403, "role")).await;
    let home = Home::signed_in(&server);
    let arguments = ["me", "set", "--delegate", "nora@example.com", "--from", "2026-08-01", "--until", "2026-08-14"];
    let run = home.slip(&arguments).await;
    assert!(run.code == 5 && run.stderr.contains("Give nora@example.com by id"), "{}", run.stderr);
}

#[tokio::test]
async fn what_was_sent_back_is_shown_with_the_reason() {
    let server = Server::start(|asked| {
        let mut found = expense();
        found["status"] = "changes_requested".into();
        let event = |comment: &str| json!({"type": "ExpenseChangesRequested", "actor_name": "Mark",
            "metadata": {"actor": {"type": "person", "id": "x"}}, "change": {"comment": comment}});
        match (asked.path.ends_with("/history"), asked.query.contains("cursor=next")) {
            (true, false) => json_answer(200, &json!({"events": [event("Too dear")], "next_cursor": "next"})),
            (true, true) => json_answer(
                200,
                &json!({"events": [event("Which trip?"), {"type": "ExpenseEdited", "change": {}}], "next_cursor": null}),
            ),
            _ => json_answer(200, &found),
        }
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&["show", EXPENSE]).await;
    assert!(run.stdout.contains("Mark says: Which trip?") && !run.stdout.contains("Too dear"), "{}", run.stdout);
}
