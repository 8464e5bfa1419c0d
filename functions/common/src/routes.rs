//! What each operation of the API takes, for what is the same everywhere: `Allow` in answers to other methods, members
//! of the query that there are not, bodies where none belongs. `infrastructure/openapi.yaml` is the truth; a test holds
//! this table against it.

/// An operation, as far as the form of its requests goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// `GET`, `POST` and so on.
    pub method: &'static str,
    /// The members that its query may have.
    pub query: &'static [&'static str],
    /// Whether it takes a body.
    pub body: bool,
}

const fn read(query: &'static [&'static str]) -> Operation {
    Operation { method: "GET", query, body: false }
}

const fn bare(method: &'static str) -> Operation {
    Operation { method, query: &[], body: false }
}

const fn with_body(method: &'static str) -> Operation {
    Operation { method, query: &[], body: true }
}

/// What a list of several people's expenses takes.
const OF_EVERYONE: &[&str] = &[
    "status",
    "from",
    "until",
    "category",
    "currency",
    "min_minor_units",
    "max_minor_units",
    "merchant",
    "paid_by",
    "report",
    "owner",
    "limit",
    "cursor",
];

/// The operations of each path. The page behind a mailed link (`/approvals/{link}`) is none of the API's: whoever opens
/// it may have added something to its query.
pub const ROUTES: &[(&str, &[Operation])] = &[
    ("/approvals", &[read(OF_EVERYONE)]),
    ("/budgets", &[read(&[])]),
    ("/budgets/{category}", &[with_body("PUT"), bare("DELETE")]),
    ("/exchange-rates", &[read(&["date", "currency"]), with_body("PUT")]),
    (
        "/expenses",
        &[
            read(&[
                "status",
                "from",
                "until",
                "category",
                "currency",
                "min_minor_units",
                "max_minor_units",
                "merchant",
                "paid_by",
                "report",
                "limit",
                "cursor",
            ]),
            with_body("POST"),
        ],
    ),
    ("/expenses/{expense_id}", &[read(&[]), with_body("PATCH"), bare("DELETE")]),
    ("/expenses/{expense_id}/history", &[read(&["limit", "cursor"])]),
    ("/expenses/{expense_id}/not-duplicate", &[bare("POST")]),
    ("/expenses/{expense_id}/receipt", &[with_body("PUT"), bare("DELETE")]),
    ("/expenses/{expense_id}/reimburse", &[with_body("POST")]),
    ("/expenses/{expense_id}/split", &[with_body("POST"), bare("DELETE")]),
    ("/expenses/{expense_id}/submit", &[bare("POST")]),
    ("/expenses/{expense_id}/withdraw", &[bare("POST")]),
    ("/exports", &[read(&["limit", "cursor"]), with_body("POST")]),
    ("/exports/{export_id}", &[read(&[])]),
    ("/finance/expenses", &[read(OF_EVERYONE)]),
    ("/me", &[read(&[]), with_body("PUT")]),
    ("/people", &[read(&["email", "manager", "limit", "cursor"])]),
    ("/people/import", &[with_body("POST")]),
    ("/people/{person_id}", &[read(&[]), with_body("PUT")]),
    ("/people/{person_id}/erasure", &[read(&[]), bare("POST")]),
    ("/policy", &[read(&[]), with_body("PUT")]),
    ("/policy/versions/{version}", &[read(&[])]),
    ("/receipts", &[with_body("POST")]),
    ("/receipts/{receipt_id}", &[read(&[]), bare("DELETE")]),
    ("/receipts/{receipt_id}/reading", &[read(&[])]),
    ("/reports", &[read(&["limit", "cursor"]), with_body("POST")]),
    ("/reports/{report_id}", &[read(&[]), with_body("PATCH"), bare("DELETE")]),
    ("/reports/{report_id}/submit", &[bare("POST")]),
    ("/spend", &[read(&["from", "until", "person", "scope"])]),
    ("/submissions/{submission_id}/decision", &[with_body("POST")]),
];

/// The operations of a path, by its template such as `/expenses/{expense_id}`. `None` when it is not known here.
pub fn operations(resource: &str) -> Option<&'static [Operation]> {
    ROUTES.iter().find(|(path, _)| *path == resource).map(|(_, operations)| *operations)
}

/// The methods of these operations, as `Allow` lists them.
pub fn allow(operations: &[Operation]) -> String {
    operations.iter().map(|operation| operation.method).collect::<Vec<_>>().join(", ")
}
