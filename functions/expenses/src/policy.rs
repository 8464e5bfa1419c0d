//! The policy document, set by finance.

use serde::Deserialize;
use slipstream_common::{
    act::act,
    http::{Request, Response, etag, given},
    problem::{FieldError, Problem},
    store::{Store, add_policy},
    table::Transaction,
};
use slipstream_domain::policy;
use slipstream_events::{
    AgeRule, CategoryLimit, Currency, CurrencyRule, FutureRule, Money, PersonId, PolicyState, ReceiptRule, SecondLevel,
};

/// The whole document; what is left out is no rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    decision_due_seconds: u64,
    #[serde(default, deserialize_with = "given")]
    reminder_after_seconds: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    escalation_after_seconds: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    receipt_required_from: Option<ReceiptRule>,
    #[serde(default)]
    category_limits: Vec<CategoryLimit>,
    #[serde(default, deserialize_with = "given")]
    max_age: Option<AgeRule>,
    #[serde(default, deserialize_with = "given")]
    future_dates: Option<FutureRule>,
    #[serde(default, deserialize_with = "given")]
    allowed_currencies: Option<CurrencyRule>,
    #[serde(default, deserialize_with = "given")]
    auto_approve_below: Option<Money>,
    #[serde(default, deserialize_with = "given")]
    second_level_from: Option<Money>,
    #[serde(default)]
    second_level: SecondLevel,
}

/// The policy that holds now.
pub async fn read(store: &Store) -> Result<Response, Problem> {
    Ok(answer(&store.current_policy().await?))
}

/// A version of the policy, however old.
pub async fn read_version(store: &Store, request: &Request) -> Result<Response, Problem> {
    let version: u32 = request.path("version", "version of the policy")?;
    let policy = store.policy(version).await?.ok_or_else(|| Problem::not_found("version of the policy"))?;
    Ok(answer(&policy))
}

fn answer(policy: &PolicyState) -> Response {
    Response::json(200, policy).header("etag", etag(policy.version))
}

/// Sets a new policy. Submissions that are under way keep the version they began with.
pub async fn write(
    store: &Store,
    company_currency: Currency,
    finance: PersonId,
    request: &Request,
) -> Result<Response, Problem> {
    let wanted: NewPolicy = request.json()?;
    let usual = PolicyState::default();
    let after = PolicyState {
        version: 0,
        decision_due_seconds: wanted.decision_due_seconds,
        reminder_after_seconds: wanted.reminder_after_seconds.unwrap_or(usual.reminder_after_seconds),
        escalation_after_seconds: wanted.escalation_after_seconds.unwrap_or(usual.escalation_after_seconds),
        receipt_required_from: wanted.receipt_required_from,
        category_limits: wanted.category_limits,
        max_age: wanted.max_age,
        future_dates: wanted.future_dates,
        allowed_currencies: wanted.allowed_currencies,
        auto_approve_below: wanted.auto_approve_below,
        second_level_from: wanted.second_level_from,
        second_level: wanted.second_level,
    };
    let problems = policy::problems(&after).into_iter();
    let mut errors: Vec<FieldError> =
        problems.map(|problem| FieldError { field: problem.field, remedy: problem.remedy }).collect();
    // What is submitted carries its amount in the company's currency beside its own, and no other.
    for (name, amount) in
        [("auto_approve_below", after.auto_approve_below), ("second_level_from", after.second_level_from)]
    {
        if amount.is_some_and(|amount| amount.currency != company_currency) {
            let remedy = format!("give the amount in the company's currency, {company_currency}");
            errors.push(FieldError { field: format!("{name}.currency"), remedy });
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid_fields(errors));
    }
    act(store, request, finance, async |transaction: &mut Transaction| {
        let before = store.current_policy().await?;
        request.if_match(before.version)?;
        Ok(answer(&add_policy(transaction, &before, after.clone(), &request.cause(finance))?))
    })
    .await
}
