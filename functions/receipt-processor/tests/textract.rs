//! How the real SDK client behaves towards a reading service that is busy, silent, or refuses.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_textract::config::{Credentials, SharedCredentialsProvider};
use receipt_processor::textract::{ReadingError, analyse, client};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What the service does with the nth request: answers with a status and a body, or says nothing. Status 0 breaks the
/// connection off.
type Script = fn(usize) -> Option<(u16, String)>;

/// A service on a free port, and how many requests it got.
async fn service(script: Script) -> (SdkConfig, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, script, Arc::clone(&counter)));
        }
    });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
        .build();
    (config, requests)
}

async fn answer(stream: TcpStream, script: Script, requests: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let Some((status, body)) = script(requests.fetch_add(1, Ordering::SeqCst)) else {
            return std::future::pending().await;
        };
        if status == 0 {
            return;
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
}

fn fault(code: &str) -> String {
    format!(r#"{{"__type":"{code}","message":"no"}}"#)
}

/// How long a reading may take in these tests.
const ATTEMPT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_busy_service_is_asked_again_and_its_answer_is_kept_as_it_came() {
    const ANSWER: &str = r#"{"DocumentMetadata":{"Pages":1},"ExpenseDocuments":[],"SomethingNew":{"Paid":true}}"#;
    let script = |n| Some(if n < 2 { (400, fault("ThrottlingException")) } else { (200, ANSWER.to_owned()) });
    let (config, requests) = service(script).await;
    let answer = analyse(&client(&config, Duration::from_secs(30)), b"picture".to_vec()).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), ANSWER);
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_silent_service_may_have_read_it_and_is_not_asked_again_by_the_sdk() {
    let (config, requests) = service(|_| None).await;
    let error = analyse(&client(&config, ATTEMPT), b"picture".to_vec()).await.unwrap_err();
    assert!(matches!(error, ReadingError::Unavailable(_)), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_service_that_breaks_off_may_have_read_it_too() {
    let (config, requests) = service(|_| Some((0, String::new()))).await;
    let error = analyse(&client(&config, Duration::from_secs(30)), b"picture".to_vec()).await.unwrap_err();
    assert!(matches!(error, ReadingError::Unavailable(_)), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn faults_say_whether_asking_again_can_help() {
    let (config, requests) = service(|_| Some((400, fault("BadDocumentException")))).await;
    let error = analyse(&client(&config, ATTEMPT), b"picture".to_vec()).await.unwrap_err();
    assert!(matches!(&error, ReadingError::Refused(code) if code == "BadDocumentException"), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), 1, "a refusal is final");
    let (config, _) = service(|_| Some((400, fault("ProvisionedThroughputExceededException")))).await;
    let error = analyse(&client(&config, Duration::from_secs(30)), b"picture".to_vec()).await.unwrap_err();
    assert!(matches!(error, ReadingError::Throttled(_)), "{error}");
}
