//! What an approver should look at before they decide: what the policy found, and what may be a duplicate.

use slipstream_events::ExpenseState;

use crate::{
    duplicates::{self, Kind, Suspect},
    store::Store,
    table::StoreError,
};

/// A sentence for each finding and each suspected duplicate of a submitted expense, for its approver: they may know
/// which the other expense is.
///
/// # Errors
/// [`StoreError`].
pub async fn warnings(store: &Store, state: &ExpenseState) -> Result<Vec<String>, StoreError> {
    Ok(sentences(state, &duplicates::suspects(store, state).await?))
}

fn sentences(state: &ExpenseState, suspects: &[Suspect]) -> Vec<String> {
    let sentence = |suspect: &Suspect| {
        let what = match suspect.kind {
            Kind::SameFile => "The same file is the receipt of",
            Kind::SamePurchase => "It looks like",
        };
        let whose = if suspect.owner == state.owner { "another expense of theirs" } else { "a colleague's expense" };
        let said = if suspect.dismissed { "; they say that it is no duplicate" } else { "" };
        format!("{what} {whose}, {}{said}.", suspect.expense)
    };
    state.findings.iter().map(|finding| finding.message.clone()).chain(suspects.iter().map(sentence)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use slipstream_events::{ExpenseDetails, ExpenseId, ExpenseStatus, PersonId, PolicyFinding, PolicyRule, Severity};

    use super::*;

    #[test]
    fn findings_and_suspects_are_told() {
        let [owner, colleague] = ["0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "5e1f0c22-3a4b-4c5d-8e6f-7a8b9c0d1e2f"]
            .map(|id| id.parse::<PersonId>().unwrap());
        let state = ExpenseState {
            id: ExpenseId::derived_from(&["x"]),
            version: 1,
            owner,
            status: ExpenseStatus::Submitted,
            details: ExpenseDetails::default(),
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            findings: vec![PolicyFinding {
                rule: PolicyRule::MaxAge,
                severity: Severity::Warns,
                field: "date".to_owned(),
                message: "It is old.".to_owned(),
            }],
            converted: None,
            distinct_from: Vec::new(),
            split: None,
            submission: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let other = ExpenseId::derived_from(&["y"]);
        let suspect = |kind, owner, dismissed| Suspect { kind, expense: other, owner, dismissed };
        let told =
            sentences(&state, &[suspect(Kind::SameFile, colleague, false), suspect(Kind::SamePurchase, owner, true)]);
        assert_eq!(
            told,
            [
                "It is old.".to_owned(),
                format!("The same file is the receipt of a colleague's expense, {other}."),
                format!("It looks like another expense of theirs, {other}; they say that it is no duplicate."),
            ]
        );
    }
}
