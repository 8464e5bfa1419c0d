//! Signing up, and a new password where the old one is forgotten.

use crate::support::{Home, Server, empty, json_answer};
use serde_json::{Value, json};

#[tokio::test]
async fn where_to_sign_up_is_said_once() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::empty(&server);
    // What the environment says is not kept.
    let nowhere = [("SLIP_API_URL", ""), ("SLIP_USER_POOL_ID", ""), ("SLIP_CLIENT_ID", "")];
    assert_eq!(home.slip(&["sign-up", "emma@example.com", "--resend"]).await.code, 0);
    assert_eq!(home.slip_with(&["sign-up", "emma@example.com", "--resend"], &nowhere, "").await.code, 2);
    let flags = ["--api-url", &server.url(), "--user-pool-id", "eu-central-1_Abc123XYZ", "--client-id", "mine"];
    let run = home.slip_with(&[&["sign-up", "emma@example.com", "--resend"], &flags[..]].concat(), &nowhere, "").await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = home.slip_with(&["sign-up", "emma@example.com", "--code", "123456"], &nowhere, "").await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(server.asked().last().unwrap().json()["ClientId"], "mine");
}

fn refusal(kind: &str, message: &str) -> axum::response::Response {
    json_answer(400, &json!({ "__type": kind, "message": message }))
}

#[tokio::test]
async fn a_sign_up_in_two_steps() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::empty(&server);
    let run = home
        .slip_with(&["sign-up", "emma@example.com", "--name", "Emma", "--password-stdin"], &[], "Password-12345\n")
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("slip sign-up emma@example.com --code CODE"), "{}", run.stderr);
    let run = home.slip(&["sign-up", "emma@example.com", "--code", "123456"]).await;
    assert!(run.code == 0 && run.stdout.contains("slip login emma@example.com"), "{}", run.stderr);
    assert_eq!(home.slip(&["sign-up", "emma@example.com", "--resend"]).await.code, 0);

    let asked: Vec<(String, Value)> = server
        .asked()
        .iter()
        .map(|asked| (asked.header("x-amz-target").unwrap().rsplit('.').next().unwrap().to_owned(), asked.json()))
        .collect();
    assert_eq!(
        asked,
        [
            (
                "SignUp".to_owned(),
                json!({"ClientId": "client", "Username": "emma@example.com", "Password": "Password-12345",
                    "UserAttributes": [{"Name": "email", "Value": "emma@example.com"}, {"Name": "name", "Value": "Emma"}]})
            ),
            (
                "ConfirmSignUp".to_owned(),
                json!({"ClientId": "client", "Username": "emma@example.com", "ConfirmationCode": "123456"})
            ),
            ("ResendConfirmationCode".to_owned(), json!({"ClientId": "client", "Username": "emma@example.com"})),
        ]
    );
}

#[tokio::test]
async fn a_forgotten_password_in_two_steps() {
    let server = Server::start(|_| json_answer(200, &json!({}))).await;
    let home = Home::empty(&server);
    let run = home.slip(&["reset-password", "emma@example.com"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("slip reset-password emma@example.com --code CODE"), "{}", run.stderr);
    let arguments = ["reset-password", "emma@example.com", "--code", "123456", "--password-stdin"];
    let run = home.slip_with(&arguments, &[], "Password-12345\n").await;
    assert!(run.code == 0 && run.stdout.contains("slip login emma@example.com"), "{}", run.stderr);
    let asked = server.asked();
    assert_eq!(asked[0].header("x-amz-target"), Some("AWSCognitoIdentityProviderService.ForgotPassword"));
    assert_eq!(asked[1].header("x-amz-target"), Some("AWSCognitoIdentityProviderService.ConfirmForgotPassword"));
    assert_eq!(
        asked[1].json(),
        json!({"ClientId": "client", "Username": "emma@example.com", "ConfirmationCode": "123456", "Password": "Password-12345"})
    );
}

#[tokio::test]
async fn what_cognito_refuses_names_the_remedy() {
    for (kind, message, code, says) in [
        ("UsernameExistsException", "An account with the given email already exists.", 5, "reset-password"),
        ("CodeMismatchException", "Invalid verification code provided.", 5, "the latest mail"),
        ("ExpiredCodeException", "Invalid code provided.", 5, "--resend"),
        ("InvalidPasswordException", "Password not long enough", 5, "new password: Password not long enough"),
        (
            "UserLambdaValidationException",
            "PreSignUp failed with error Sign up with an address at example.com..",
            5,
            "error: Sign up with an address at example.com\n",
        ),
        ("NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED", 5, "slip login"),
        ("CodeDeliveryFailureException", "Mail failed.", 6, "repeat"),
        ("UserNotConfirmedException", "User is not confirmed.", 3, "slip sign-up"),
        ("PasswordResetRequiredException", "Password reset required.", 3, "slip reset-password"),
    ] {
        let server = Server::start(move |_| refusal(kind, message)).await;
        let home = Home::empty(&server);
        let arguments = ["sign-up", "emma@example.com", "--password-stdin"];
        let run = home.slip_with(&arguments, &[], "Password-12345\n").await;
        assert_eq!(run.code, code, "{kind}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{kind}: {}", run.stderr);
        assert!(!run.stderr.contains("Password-12345"), "{kind}");
    }
    let server = Server::start(|_| empty(500)).await;
    let home = Home::empty(&server);
    assert_eq!(home.slip_with(&["sign-up", "e@example.com", "--password-stdin"], &[], "\n").await.code, 2);
    assert_eq!(home.slip(&["sign-up", "e@example.com", "--code", "1", "--resend"]).await.code, 2);
    assert_eq!(server.asked().len(), 0);
}
