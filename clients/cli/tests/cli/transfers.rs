//! Uploads and downloads by presigned addresses, and TLS.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::{Asked, Home, Server, empty, json_answer, problem, token};
use axum::{body::Body, response::Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const RECEIPT: &str = "rcp_00000000000000000000000000000001";
const EXPENSE: &str = "exp_00000000000000000000000000000001";
const PHOTO: &[u8] = b"\xff\xd8\xff\xe0 not much of a photograph";

/// The API and the store in one: `put` answers the uploads.
async fn store(put: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Server {
    let address: Arc<Mutex<String>> = Arc::default();
    let (own, uploads, tickets) = (Arc::clone(&address), AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |asked: &Asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/receipts") => {
            let ticket = tickets.fetch_add(1, Ordering::SeqCst);
            let digest = asked.json()["sha256"].clone();
            json_answer(
                201,
                &json!({
                    "receipt": {"id": RECEIPT, "status": "awaiting_upload"},
                    "upload": {"method": "PUT", "url": format!("{}/bucket/{ticket}?signature=x", own.lock().unwrap()),
                        "headers": {"content-length": "38", "content-type": "image/jpeg", "if-none-match": "*",
                            "x-amz-checksum-sha256": digest}},
                }),
            )
        }
        ("PUT", _) => empty(put(uploads.fetch_add(1, Ordering::SeqCst))),
        ("GET", path) if path.ends_with(RECEIPT) => {
            json_answer(200, &json!({"id": RECEIPT, "status": "read", "expense_id": EXPENSE}))
        }
        ("GET", path) if path.ends_with(EXPENSE) => json_answer(
            200,
            &json!({"id": EXPENSE, "status": "draft",
            "details": {"merchant": "Café", "amount": {"minor_units": 100, "currency": "EUR"}},
            "review": [{"field": "date", "doubt": "missing", "message": "Enter it."}], "missing": ["date"]}),
        ),
        _ => problem(404, "not-found"),
    })
    .await;
    *address.lock().unwrap() = server.url();
    server
}

fn puts(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.method == "PUT").collect()
}

#[tokio::test]
async fn a_file_becomes_a_draft() {
    let server = store(|_| 200).await;
    let home = Home::signed_in(&server);
    let file = home.file("lunch.jpg", PHOTO);
    let run = home.slip(&["snap", &file]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains(EXPENSE) && run.stdout.contains("check date: Enter it."), "{}", run.stdout);
    let announced = server.asked()[0].clone();
    let sha256 = hex::encode(Sha256::digest(PHOTO));
    assert_eq!(announced.json(), json!({"sha256": sha256, "size_bytes": PHOTO.len(), "media_type": "image/jpeg"}));
    let put = &puts(&server)[0];
    assert_eq!(put.body, PHOTO);
    assert_eq!(put.header("content-length"), Some(PHOTO.len().to_string().as_str()));
    assert_eq!(put.header("if-none-match"), Some("*"));
    assert_eq!(put.header("x-amz-checksum-sha256"), Some(sha256.as_str()));
    assert_eq!(put.header("authorization"), None, "the store gets no token");
    assert_eq!(put.query, "signature=x");
}

#[tokio::test]
async fn an_upload_whose_answer_got_lost_is_uploaded() {
    let server = store(|upload| if upload == 0 { 503 } else { 412 }).await;
    let home = Home::signed_in(&server);
    let file = home.file("lunch.jpg", PHOTO);
    let run = home.slip(&["--json", "snap", &file]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.lines()[0]["expense"]["id"], EXPENSE);
    assert_eq!(puts(&server).len(), 2);
}

#[tokio::test]
async fn a_ticket_that_has_ended_is_replaced() {
    let server = store(|upload| if upload == 0 { 403 } else { 200 }).await;
    let home = Home::signed_in(&server);
    let file = home.file("lunch.jpg", PHOTO);
    let run = home.slip(&["snap", &file]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let paths: Vec<String> = puts(&server).iter().map(|put| put.path.clone()).collect();
    assert_eq!(paths, ["/bucket/0", "/bucket/1"]);
    // The second announcement is a call of its own: its key must not bring the ended ticket back.
    let asked = server.asked();
    let keys: Vec<&str> = asked.iter().filter_map(|asked| asked.header("idempotency-key")).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn many_files_and_each_tells_its_own_failure() {
    let server = store(|_| 200).await;
    let home = Home::signed_in(&server);
    let good = home.file("good.jpg", PHOTO);
    let nothing = home.file("empty.jpg", "");
    let large = home.file("large.jpg", vec![0; 20 * 1024 * 1024 + 1]);
    let run = home.slip(&["--json", "snap", &good, &nothing, "absent.jpg", &large, &good]).await;
    assert!(matches!(run.code, 1 | 5), "{}", run.code);
    let lines = run.lines();
    let good = lines.iter().filter(|line| line["expense"]["id"] == EXPENSE).count();
    assert_eq!((lines.len(), good), (5, 2), "{}", run.stdout);
    for says in ["is empty", "absent.jpg: cannot be read", "larger than 20 MB"] {
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    assert_eq!(puts(&server).len(), 2);
}

#[tokio::test]
async fn what_is_not_read_in_time_is_sent_all_the_same() {
    let unread = json!({"id": RECEIPT, "status": "uploaded"});
    let answer = json!({"receipt": unread, "upload": null});
    let server = Server::start(move |asked: &Asked| match asked.method.as_str() {
        "POST" => json_answer(200, &answer),
        _ => json_answer(200, &unread),
    })
    .await;
    let home = Home::signed_in(&server);
    let (one, other) = (home.file("one.jpg", PHOTO), home.file("other.jpg", PHOTO));
    let run = home.slip(&["snap", "--timeout", "0", &one, &other]).await;
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stdout.contains("uploaded and not read yet"), "{}", run.stdout);
    assert!(
        run.stdout.contains("2 files: 2 sent, 0 of them cannot be read, 2 not read in time; 0 not sent"),
        "{}",
        run.stdout
    );
    assert_eq!(home.slip(&["snap", "--no-wait", &one]).await.code, 0, "nobody waited for it");
}

/// An export whose file is `content`, told with its hash unless that is empty; each `GET` of the file is answered by `file` with its number.
async fn exports(
    content: &'static [u8],
    sha256: String,
    file: impl Fn(usize, &Asked) -> Response + Send + Sync + 'static,
) -> Server {
    let address: Arc<Mutex<String>> = Arc::default();
    let (own, gets, polls) = (Arc::clone(&address), AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |asked: &Asked| {
        let export = |status: &str, files: Value| {
            json!({"id": "expt_1", "status": status, "progress": 50, "kind": "expenses", "scope": "own", "rows": 2, "files": files})
        };
        match asked.path.as_str() {
            "/exports" => json_answer(202, &export("queued", json!([]))),
            "/exports/expt_1" => {
                let poll = polls.fetch_add(1, Ordering::SeqCst);
                let url = format!("{}/bucket/file?signature={poll}", own.lock().unwrap());
                let mut file = json!({"name": "expenses.csv", "size_bytes": content.len(), "url": url});
                if !sha256.is_empty() {
                    file["sha256"] = sha256.as_str().into();
                }
                json_answer(200, &export("done", json!([file])))
            }
            _ => file(gets.fetch_add(1, Ordering::SeqCst), asked),
        }
    })
    .await;
    *address.lock().unwrap() = server.url();
    server
}

const CONTENT: &[u8] = b"date,merchant\r\n2026-03-12,Cafe\r\n2026-03-13,Taxi\r\n";

fn export_arguments() -> [&'static str; 5] {
    ["export", "--from", "2026-03-01", "--until", "2026-03-31"]
}

fn part(from: usize) -> Response {
    Response::builder().status(206).body(Body::from(&CONTENT[from..])).unwrap()
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let server = exports(CONTENT, hex::encode(Sha256::digest(CONTENT)), |get, asked| match get {
        // Promises all and breaks off.
        0 => {
            let begun = stream::iter([Ok(axum::body::Bytes::from_static(&CONTENT[..20]))]);
            let lost = stream::once(async {
                // What was begun is sent before the connection is lost.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("the connection is lost"))
            });
            let half = begun.chain(lost);
            Response::builder().header("content-length", CONTENT.len()).body(Body::from_stream(half)).unwrap()
        }
        _ => {
            let from = asked.header("range").unwrap().strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
            part(from.parse().unwrap())
        }
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&export_arguments()).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(std::fs::read(home.path().join("expenses.csv")).unwrap(), CONTENT);
    assert!(!home.path().join("expenses.csv.expt_1.part").exists());
    let asked = server.asked();
    assert_eq!(
        asked[0].json(),
        json!({"kind": "expenses", "scope": "own", "from": "2026-03-01", "until": "2026-03-31"})
    );
    let ranges: Vec<_> =
        asked.iter().filter(|asked| asked.path == "/bucket/file").map(|asked| asked.header("range")).collect();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1], Some("bytes=20-"));
    assert!(
        asked.iter().filter(|asked| asked.path == "/bucket/file").all(|asked| asked.header("authorization").is_none())
    );

    // There already: nothing is fetched again. Another file of the name stays.
    let before = server.asked().len();
    assert_eq!(home.slip(&["export", "--id", "expt_1"]).await.code, 0);
    assert_eq!(server.asked().len(), before + 2);
    home.file("expenses.csv", "mine");
    let run = home.slip(&["export", "--id", "expt_1"]).await;
    assert_eq!((run.code, run.stderr.contains("--force")), (1, true), "{}", run.stderr);
    assert_eq!(std::fs::read(home.path().join("expenses.csv")).unwrap(), b"mine");
}

#[tokio::test]
async fn an_interrupted_run_and_an_ended_address_are_gone_on_from() {
    let server =
        exports(CONTENT, hex::encode(Sha256::digest(CONTENT)), |get, _| if get == 0 { empty(403) } else { part(7) })
            .await;
    let home = Home::signed_in(&server);
    home.file("expenses.csv.expt_1.part", &CONTENT[..7]);
    let run = home.slip(&["--json", "export", "--id", "expt_1"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.lines()[0]["id"], "expt_1");
    assert_eq!(std::fs::read(home.path().join("expenses.csv")).unwrap(), CONTENT);
    let queries: Vec<String> =
        server.asked().iter().filter(|asked| asked.path == "/bucket/file").map(|asked| asked.query.clone()).collect();
    assert_eq!(queries, ["signature=1", "signature=2"]);
}

#[tokio::test]
async fn wrong_bytes_never_get_the_files_name() {
    let server = exports(CONTENT, hex::encode(Sha256::digest(b"other")), |_, _| {
        Response::builder().body(Body::from(CONTENT)).unwrap()
    })
    .await;
    let home = Home::signed_in(&server);
    let run = home.slip(&export_arguments()).await;
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("does not arrive as it was exported"), "{}", run.stderr);
    assert!(!home.path().join("expenses.csv").exists() && !home.path().join("expenses.csv.expt_1.part").exists());
}

#[tokio::test]
async fn tls_is_checked_by_the_machines_certificates() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, rustls};

    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let body = r#"{"email": "emma@example.com"}"#;
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let server = Server::start(|_| empty(500)).await;
    let home = Home::empty(&server);
    let url = format!("https://localhost:{}", address.port());
    home.keep_tokens(&url, &token(3000, "first-signature"));
    let certificate = home.file("server.pem", cert.pem());
    let run = home.slip_with(&["me"], &[("SLIP_API_URL", &url), ("SSL_CERT_FILE", certificate.as_str())], "").await;
    assert_eq!((run.code, run.stdout.contains("emma@example.com")), (0, true), "{}", run.stderr);
    let run = home.slip_with(&["me"], &[("SLIP_API_URL", &url)], "").await;
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains("certificate"), "{}", run.stderr);
}

#[tokio::test]
async fn another_export_of_the_same_name_and_length_is_not_taken_for_this_one() {
    let server = exports(CONTENT, String::new(), |_, asked| {
        let body = if asked.header("range") == Some("bytes=0-0") { &CONTENT[..1] } else { CONTENT };
        let builder = Response::builder().header("last-modified", "Thu, 12 Mar 2026 10:00:00 GMT");
        builder.body(Body::from(body)).unwrap()
    })
    .await;
    let home = Home::signed_in(&server);
    let mut other = CONTENT.to_vec();
    other[0] = b'X';
    let path = home.file("expenses.csv", &other);
    let run = home.slip(&["export", "--id", "expt_1"]).await;
    assert!(run.code == 1 && run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), other);
    assert_eq!(home.slip(&["export", "--id", "expt_1", "--force"]).await.code, 0);
    assert_eq!(std::fs::read(&path).unwrap(), CONTENT);
    // Its time tells that it is this one: nothing but that is asked.
    let before = server.asked().len();
    let run = home.slip(&["export", "--id", "expt_1"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let ranges: Vec<_> =
        server.asked()[before..].iter().filter_map(|asked| asked.header("range").map(ToOwned::to_owned)).collect();
    assert_eq!((ranges, server.asked().len() - before), (vec!["bytes=0-0".to_owned()], 3));
}
