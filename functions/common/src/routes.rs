//! Which methods each path of the API has, for `Allow` in answers to others. `infrastructure/openapi.yaml` is the truth;
//! a test holds this table against it.

/// The methods of each path, as `Allow` lists them.
pub const ROUTES: &[(&str, &str)] = &[
    ("/approvals", "GET"),
    ("/approvals/{link}", "GET, HEAD, POST"),
    ("/budgets", "GET"),
    ("/budgets/{category}", "PUT, DELETE"),
    ("/exchange-rates", "GET, PUT"),
    ("/expenses", "GET, POST"),
    ("/expenses/{expense_id}", "GET, PATCH, DELETE"),
    ("/expenses/{expense_id}/history", "GET"),
    ("/expenses/{expense_id}/not-duplicate", "POST"),
    ("/expenses/{expense_id}/receipt", "PUT, DELETE"),
    ("/expenses/{expense_id}/reimburse", "POST"),
    ("/expenses/{expense_id}/split", "POST, DELETE"),
    ("/expenses/{expense_id}/submit", "POST"),
    ("/expenses/{expense_id}/withdraw", "POST"),
    ("/exports", "GET, POST"),
    ("/exports/{export_id}", "GET"),
    ("/finance/expenses", "GET"),
    ("/me", "GET, PUT"),
    ("/people", "GET"),
    ("/people/import", "POST"),
    ("/people/{person_id}", "GET, PUT"),
    ("/people/{person_id}/erasure", "GET, POST"),
    ("/policy", "GET, PUT"),
    ("/policy/versions/{version}", "GET"),
    ("/receipts", "POST"),
    ("/receipts/{receipt_id}", "GET, DELETE"),
    ("/receipts/{receipt_id}/reading", "GET"),
    ("/reports", "GET, POST"),
    ("/reports/{report_id}", "GET, PATCH, DELETE"),
    ("/reports/{report_id}/submit", "POST"),
    ("/spend", "GET"),
    ("/submissions/{submission_id}/decision", "POST"),
];

/// The methods of a path, by its template such as `/expenses/{expense_id}`. `None` when it is not known here.
pub fn allowed(resource: &str) -> Option<&'static str> {
    ROUTES.iter().find(|(path, _)| *path == resource).map(|(_, methods)| *methods)
}
