//! The reading service: Amazon Textract's `AnalyzeExpense`, or whatever speaks it at `AWS_ENDPOINT_URL_TEXTRACT`.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_textract::{
    Client, config,
    error::{DisplayErrorContext, ProvideErrorMetadata as _},
    operation::analyze_expense::{AnalyzeExpenseError, AnalyzeExpenseOutput},
    primitives::Blob,
    types,
};
use slipstream_domain::analysis::{
    Analysis, BoundingBox, CurrencyDetection, Detection, ExpenseDocument, Field, Geometry, GroupProperty, LineItem,
    LineItemGroup,
};

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The service will not read this document, however often it is asked.
    #[error("the reading service refuses the document: {0}")]
    Refused(String),
    /// The service did not answer; asking again can help.
    #[error("the reading service is not available: {0}")]
    Unavailable(String),
}

/// How long one reading may take, in seconds.
const ATTEMPT_SECONDS: u64 = 30;
/// How long a reading may take with all its attempts, in seconds; the function has 120.
const READING_SECONDS: u64 = 80;

/// A client of the reading service, which takes longer than other services.
pub fn client(sdk: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(ATTEMPT_SECONDS))
        .operation_timeout(Duration::from_secs(READING_SECONDS))
        .build();
    Client::from_conf(config::Builder::from(sdk).timeout_config(timeouts).build())
}

/// Has the picture (a JPEG of at most 10 MB) read.
///
/// # Errors
/// [`ReadingError`].
pub async fn analyse(client: &Client, picture: Vec<u8>) -> Result<Analysis, ReadingError> {
    let document = types::Document::builder().bytes(Blob::new(picture)).build();
    match client.analyze_expense().document(document).send().await {
        Ok(output) => Ok(analysis(output)),
        Err(error) => Err(match error.as_service_error() {
            Some(
                AnalyzeExpenseError::BadDocumentException(_)
                | AnalyzeExpenseError::DocumentTooLargeException(_)
                | AnalyzeExpenseError::UnsupportedDocumentException(_)
                | AnalyzeExpenseError::InvalidParameterException(_),
            ) => ReadingError::Refused(error.code().unwrap_or_default().to_owned()),
            _ => ReadingError::Unavailable(DisplayErrorContext(error).to_string()),
        }),
    }
}

fn analysis(output: AnalyzeExpenseOutput) -> Analysis {
    let document = |document: types::ExpenseDocument| ExpenseDocument {
        summary_fields: document.summary_fields.unwrap_or_default().into_iter().map(field).collect(),
        line_item_groups: document.line_item_groups.unwrap_or_default().into_iter().map(group).collect(),
    };
    Analysis { expense_documents: output.expense_documents.unwrap_or_default().into_iter().map(document).collect() }
}

fn group(group: types::LineItemGroup) -> LineItemGroup {
    let item = |item: types::LineItemFields| LineItem {
        line_item_expense_fields: item.line_item_expense_fields.unwrap_or_default().into_iter().map(field).collect(),
    };
    LineItemGroup { line_items: group.line_items.unwrap_or_default().into_iter().map(item).collect() }
}

fn field(field: types::ExpenseField) -> Field {
    let detection = |detection: types::ExpenseDetection| Detection {
        text: detection.text.unwrap_or_default(),
        confidence: detection.confidence.unwrap_or_default(),
        geometry: detection.geometry.and_then(|geometry| geometry.bounding_box).map(|bounds| Geometry {
            bounding_box: BoundingBox {
                left: bounds.left,
                top: bounds.top,
                width: bounds.width,
                height: bounds.height,
            },
        }),
    };
    let field_type = field.r#type.map(|kind| Detection {
        text: kind.text.unwrap_or_default(),
        confidence: kind.confidence.unwrap_or_default(),
        geometry: None,
    });
    Field {
        field_type: field_type.unwrap_or_default(),
        label_detection: field.label_detection.map(detection),
        value_detection: field.value_detection.map(detection).unwrap_or_default(),
        currency: field.currency.map(|currency| CurrencyDetection {
            code: currency.code.unwrap_or_default(),
            confidence: currency.confidence.unwrap_or_default(),
        }),
        group_properties: field
            .group_properties
            .unwrap_or_default()
            .into_iter()
            .map(|group| GroupProperty { types: group.types.unwrap_or_default() })
            .collect(),
        page_number: field.page_number,
    }
}
