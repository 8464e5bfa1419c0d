//! S3's notifications in the queue, and the keys they name.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use slipstream_events::{PersonId, ReceiptId};

/// An object that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The key, decoded.
    pub key: String,
    /// The object's version, if the bucket is versioned.
    pub version: Option<String>,
}

/// Why a message is not a notification.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the message is not a notification of S3")]
pub struct NotANotification;

/// The objects that a message names. S3's test message names none.
///
/// Keys are form-encoded in notifications
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
///
/// # Errors
/// [`NotANotification`].
pub fn created(body: &str) -> Result<Vec<Created>, NotANotification> {
    let body: Value = serde_json::from_str(body).map_err(|_| NotANotification)?;
    if body["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    let records = body["Records"].as_array().ok_or(NotANotification)?;
    records
        .iter()
        .map(|record| {
            let object = &record["s3"]["object"];
            let encoded = object["key"].as_str().ok_or(NotANotification)?.replace('+', " ");
            let key = percent_decode_str(&encoded).decode_utf8().map_err(|_| NotANotification)?.into_owned();
            Ok(Created { key, version: object["versionId"].as_str().map(str::to_owned) })
        })
        .collect()
}

/// The owner and the receipt that a key of ours names: `receipts/<owner>/<receipt>/original`.
pub fn parse_key(key: &str) -> Option<(PersonId, ReceiptId)> {
    let mut parts = key.split('/');
    let (prefix, owner, receipt, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let ours = prefix == "receipts" && name == "original" && parts.next().is_none();
    ours.then_some(())?;
    Some((owner.parse().ok()?, receipt.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_name_objects() {
        let body =
            r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"a+b%2Fc","versionId":"v1"}}}]}"#;
        let expected = Created { key: "a b/c".to_owned(), version: Some("v1".to_owned()) };
        assert_eq!(created(body), Ok(vec![expected]));
        assert_eq!(created(r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#), Ok(vec![]));
        assert_eq!(created("{}"), Err(NotANotification));
        assert_eq!(created("hello"), Err(NotANotification));
    }

    #[test]
    fn only_our_keys_are_ours() {
        let owner = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
        let receipt = "rcp_a41c7be29f0d5e6c8b3a1f2e4d6c8b90";
        assert!(parse_key(&format!("receipts/{owner}/{receipt}/original")).is_some());
        for key in [
            format!("receipts/{owner}/{receipt}/original/x"),
            format!("receipts/{owner}/{receipt}/preview.jpg"),
            format!("receipts/{receipt}/{owner}/original"),
            "receipts/../original".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse_key(&key), None, "{key}");
        }
    }
}
