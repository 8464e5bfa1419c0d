//! The reading service: Amazon Textract's `AnalyzeExpense`, or whatever speaks it at `AWS_ENDPOINT_URL_TEXTRACT`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_textract::{
    Client,
    config::{
        self, ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, InterceptorContext},
        retry::{ClassifyRetry, RetryAction},
    },
    error::{BoxError, DisplayErrorContext, ProvideErrorMetadata as _},
    operation::analyze_expense::AnalyzeExpenseError,
    primitives::Blob,
    types::Document,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The service will not read this document, however often it is asked.
    #[error("the reading service refuses the document: {0}")]
    Refused(String),
    /// The service will not read it now, because it is asked too often. It is not paid for that.
    #[error("the reading service is asked too often: {0}")]
    Throttled(String),
    /// The service will not read it now, because we may not ask it. It is not paid for that.
    #[error("the reading service does not know us: {0}")]
    Denied(String),
    /// The service did not answer. It may have read the document.
    #[error("the reading service is not available: {0}")]
    Unavailable(String),
}

/// How long one reading may take.
pub const ATTEMPT: Duration = Duration::from_secs(30);
/// How long a reading may take with all its attempts.
const OPERATION: Duration = Duration::from_secs(60);

/// A client of the reading service, which takes longer than other services: `attempt` for one reading.
pub fn client(sdk: &SdkConfig, attempt: Duration) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(attempt)
        .operation_timeout(OPERATION)
        .build();
    Client::from_conf(config::Builder::from(sdk).timeout_config(timeouts).retry_classifier(OnlyAnswered).build())
}

/// Keeps the SDK from asking again by itself where no answer came, for a time-out or a broken connection: the service may
/// have read the document, and be paid for it a second time without anyone counting.
#[derive(Debug)]
struct OnlyAnswered;

impl ClassifyRetry for OnlyAnswered {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            Some(Err(error)) if error.is_timeout_error() || error.is_response_error() || error.is_connector_error() => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "OnlyAnswered"
    }
}

/// Keeps the body of a successful answer, as it came.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        Ok(())
    }
}

/// Has the picture (a JPEG of at most 10 MB) read. The answer is the service's own, as JSON: what the SDK's types do
/// not know is paid for, too.
///
/// # Errors
/// [`ReadingError`].
pub async fn analyse(client: &Client, picture: Vec<u8>) -> Result<Vec<u8>, ReadingError> {
    let document = Document::builder().bytes(Blob::new(picture)).build();
    let body = Body::default();
    let request = client.analyze_expense().document(document).customize().interceptor(body.clone());
    match request.send().await {
        Ok(_) => Ok(std::mem::take(&mut *body.0.lock().unwrap_or_else(PoisonError::into_inner))),
        Err(error) => Err(match error.as_service_error() {
            Some(
                AnalyzeExpenseError::BadDocumentException(_)
                | AnalyzeExpenseError::DocumentTooLargeException(_)
                | AnalyzeExpenseError::UnsupportedDocumentException(_)
                | AnalyzeExpenseError::InvalidParameterException(_),
            ) => ReadingError::Refused(error.code().unwrap_or_default().to_owned()),
            Some(
                AnalyzeExpenseError::ThrottlingException(_)
                | AnalyzeExpenseError::ProvisionedThroughputExceededException(_),
            ) => ReadingError::Throttled(DisplayErrorContext(error).to_string()),
            Some(AnalyzeExpenseError::AccessDeniedException(_)) => {
                ReadingError::Denied(DisplayErrorContext(error).to_string())
            }
            _ => ReadingError::Unavailable(DisplayErrorContext(error).to_string()),
        }),
    }
}
