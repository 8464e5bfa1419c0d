//! The service as an AWS SDK sees it, over a real socket, with a fake engine.

use std::sync::{Arc, Condvar, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use slipstream_reader::page::{Page, Quad, TextLine};
use slipstream_reader::server::{LARGEST_DOCUMENT, PLACES};
use slipstream_reader::{ReadError, ReadPage, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TARGET: &str = "Textract.AnalyzeExpense";

/// Answers by what the "file" says.
struct Fake;

impl ReadPage for Fake {
    fn read_page(&self, file: &[u8]) -> Result<Page, ReadError> {
        match file {
            b"pdf" => Err(ReadError::Unsupported),
            b"broken" => Err(ReadError::Bad("unexpected end".to_owned())),
            b"fails" => Err(ReadError::Internal("no memory".to_owned())),
            _ => Ok(page()),
        }
    }
}

fn page() -> Page {
    let line = |text: &str, left: f32, top: f32, right: f32| {
        TextLine::new(text, 0.99, Quad::upright(left, top, right, top + 20.0))
    };
    Page::new(
        400.0,
        600.0,
        vec![
            line("Gasthaus Adler GmbH", 100.0, 20.0, 300.0),
            line("Hauptstraße 12", 120.0, 45.0, 280.0),
            line("70173 Stuttgart", 120.0, 70.0, 280.0),
            line("Tel. 0711 123456", 120.0, 95.0, 280.0),
            line("12.03.2025 19:30", 20.0, 130.0, 200.0),
            line("2 x Maultaschen", 20.0, 170.0, 200.0),
            line("25,80", 320.0, 170.0, 380.0),
            line("Summe EUR", 20.0, 210.0, 140.0),
            line("25,80", 320.0, 210.0, 380.0),
            line("MwSt 19%", 20.0, 240.0, 140.0),
            line("4,12", 330.0, 240.0, 380.0),
        ],
    )
}

async fn start(engine: impl ReadPage) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address").to_string();
    tokio::spawn(serve(listener, Arc::new(engine)));
    address
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

async fn send(address: &str, target: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("writes");
    stream.write_all(body).await.expect("writes");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await.expect("reads");
    let raw = String::from_utf8(raw).expect("is text");
    let (head, body) = raw.split_once("\r\n\r\n").expect("has a body");
    Answer {
        status: head[9..12].parse().expect("a status"),
        head: head.to_lowercase(),
        body: serde_json::from_str(body).expect("is JSON"),
    }
}

fn document(file: &[u8]) -> Vec<u8> {
    json!({ "Document": { "Bytes": STANDARD.encode(file) } }).to_string().into_bytes()
}

async fn refused(address: &str, target: &str, body: &[u8], status: u16, kind: &str) {
    let answer = send(address, target, body).await;
    assert_eq!(answer.status, status, "{kind}: {}", answer.body);
    assert_eq!(answer.body["__type"], kind);
    assert!(!answer.body["message"].as_str().unwrap_or_default().is_empty());
    assert_eq!(answer.body["message"], answer.body["Message"]);
    let header = format!("x-amzn-errortype: {}", kind.to_lowercase());
    assert!(answer.head.contains(&header), "{}", answer.head);
}

#[tokio::test]
async fn every_fault_has_its_name() {
    let address = start(Fake).await;
    refused(&address, TARGET, &document(b"pdf"), 400, "UnsupportedDocumentException").await;
    refused(&address, TARGET, &document(b"broken"), 400, "BadDocumentException").await;
    refused(&address, TARGET, &document(b"fails"), 500, "InternalServerError").await;
    refused(&address, TARGET, &document(b""), 400, "InvalidParameterException").await;
    refused(&address, TARGET, b"{}", 400, "InvalidParameterException").await;
    refused(&address, TARGET, br#"{"Document":{"Bytes":"%"}}"#, 400, "InvalidParameterException").await;
    refused(&address, TARGET, b"not json", 400, "SerializationException").await;
    refused(&address, "Textract.DetectDocumentText", &document(b"x"), 400, "UnknownOperationException").await;
    let large = vec![b'x'; LARGEST_DOCUMENT + 1];
    refused(&address, TARGET, &document(&large), 400, "DocumentTooLargeException").await;
}

#[tokio::test]
async fn a_receipt_is_answered_in_textracts_shape() {
    let address = start(Fake).await;
    let answer = send(&address, TARGET, &document(b"receipt")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/x-amz-json-1.1"));
    assert_eq!(answer.body["DocumentMetadata"]["Pages"], 1);
    let expense = &answer.body["ExpenseDocuments"][0];
    assert_eq!(expense["ExpenseIndex"], 1);

    let fields = expense["SummaryFields"].as_array().expect("fields");
    let field = |name: &str| {
        fields.iter().find(|f| f["Type"]["Text"] == name).unwrap_or_else(|| panic!("no {name} in {fields:#?}"))
    };
    assert_eq!(field("VENDOR_NAME")["ValueDetection"]["Text"], "Gasthaus Adler GmbH");
    assert_eq!(field("NAME")["GroupProperties"][0]["Types"], json!(["VENDOR"]));
    assert_eq!(field("VENDOR_ADDRESS")["ValueDetection"]["Text"], "Hauptstraße 12\n70173 Stuttgart");
    assert_eq!(field("INVOICE_RECEIPT_DATE")["ValueDetection"]["Text"], "12.03.2025");
    let total = field("TOTAL");
    assert_eq!(total["ValueDetection"]["Text"], "25,80");
    assert_eq!(total["LabelDetection"]["Text"], "Summe EUR");
    assert_eq!(total["Currency"]["Code"], "EUR");
    assert_eq!(total["PageNumber"], 1);
    let confidence = total["ValueDetection"]["Confidence"].as_f64().expect("a number");
    assert!((50.0..=100.0).contains(&confidence), "{confidence}");
    let place = &total["ValueDetection"]["Geometry"];
    let near = |v: &Value, expected: f64| (v.as_f64().expect("a number") - expected).abs() < 1e-3;
    assert!(near(&place["BoundingBox"]["Left"], 0.8) && near(&place["BoundingBox"]["Top"], 0.35));
    assert!(near(&place["BoundingBox"]["Width"], 0.15) && near(&place["BoundingBox"]["Height"], 1.0 / 30.0));
    assert_eq!(place["Polygon"].as_array().map(Vec::len), Some(4));
    assert!(near(&place["Polygon"][2]["X"], 0.95));

    let item = &expense["LineItemGroups"][0]["LineItems"][0]["LineItemExpenseFields"];
    let kinds: Vec<&str> = item.as_array().expect("fields").iter().filter_map(|f| f["Type"]["Text"].as_str()).collect();
    assert_eq!(kinds, ["ITEM", "PRICE", "QUANTITY", "EXPENSE_ROW"]);

    let blocks = expense["Blocks"].as_array().expect("blocks");
    let count = |kind: &str| blocks.iter().filter(|b| b["BlockType"] == kind).count();
    assert_eq!((count("PAGE"), count("LINE"), count("WORD")), (1, 11, 22));
    let children = blocks[0]["Relationships"][0]["Ids"].as_array().map(Vec::len);
    assert_eq!((&blocks[0]["Relationships"][0]["Type"], children), (&json!("CHILD"), Some(11)));
}

/// Holds every reading until it is let go.
struct Held(Arc<(Mutex<bool>, Condvar)>);

impl ReadPage for Held {
    fn read_page(&self, _: &[u8]) -> Result<Page, ReadError> {
        let (open, changed) = &*self.0;
        let mut guard = open.lock().map_err(|e| ReadError::Internal(e.to_string()))?;
        while !*guard {
            guard = changed.wait(guard).map_err(|e| ReadError::Internal(e.to_string()))?;
        }
        Ok(page())
    }
}

#[tokio::test]
async fn a_full_queue_throttles_and_recovers() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let address = start(Held(Arc::clone(&gate))).await;
    let senders: Vec<_> = (0..PLACES + 3)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move { send(&address, TARGET, &document(b"x")).await })
        })
        .collect();
    // Three must be turned away while the others wait; then the gate opens.
    while senders.iter().filter(|s| s.is_finished()).count() < 3 {
        tokio::task::yield_now().await;
    }
    *gate.0.lock().expect("not poisoned") = true;
    gate.1.notify_all();
    let mut throttled = 0;
    for sender in senders {
        let answer = sender.await.expect("answers");
        match answer.status {
            200 => {}
            400 => {
                assert_eq!(answer.body["__type"], "ThrottlingException");
                throttled += 1;
            }
            other => panic!("status {other}"),
        }
    }
    assert_eq!(throttled, 3);
    assert_eq!(send(&address, TARGET, &document(b"x")).await.status, 200);
}
