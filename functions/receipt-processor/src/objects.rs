//! The objects of the receipt bucket.

use aws_sdk_s3::{Client, error::DisplayErrorContext, operation::get_object::GetObjectError, primitives::ByteStream};

/// The bucket did not do what it was asked; trying again can help.
#[derive(Debug, thiserror::Error)]
#[error("the bucket is not available: {0}")]
pub struct Unavailable(String);

/// An object whose bytes have not been fetched yet.
#[derive(Debug)]
pub struct Object {
    /// How many bytes it has.
    pub length: u64,
    body: ByteStream,
}

impl Object {
    /// Its bytes.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn bytes(self) -> Result<Vec<u8>, Unavailable> {
        let body = self.body.collect().await.map_err(|error| Unavailable(error.to_string()))?;
        Ok(body.into_bytes().to_vec())
    }
}

/// The receipt bucket.
#[derive(Debug)]
pub struct Objects {
    client: Client,
    bucket: String,
}

impl Objects {
    /// The bucket of that name.
    pub const fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// An object, or one version of it; `None` where there is none.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn get(&self, key: &str, version: Option<String>) -> Result<Option<Object>, Unavailable> {
        let answer = self.client.get_object().bucket(&self.bucket).key(key).set_version_id(version).send().await;
        match answer {
            Ok(object) => {
                let length = object.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(u64::MAX);
                Ok(Some(Object { length, body: object.body }))
            }
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(Unavailable(DisplayErrorContext(error).to_string())),
        }
    }

    /// Writes an object.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn put(&self, key: String, media_type: &str, bytes: Vec<u8>) -> Result<(), Unavailable> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(media_type);
        let sent = put.body(ByteStream::from(bytes)).send().await;
        sent.map(|_| ()).map_err(|error| Unavailable(DisplayErrorContext(error).to_string()))
    }
}
