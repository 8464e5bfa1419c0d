//! What the policy says of an expense, as it stands now and as it is submitted.

use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use slipstream_common::{
    keys::{self, Index},
    problem::Problem,
    store::Store,
    table::IndexQuery,
};
use slipstream_domain::{conversion::convert, expense::Command, policy};
use slipstream_events::{Conversion, Currency, ExpenseState, ExpenseStatus, Money, PolicyFinding, PolicyState};

/// What judges: the policy that holds now.
#[derive(Debug)]
pub struct Judge<'a> {
    store: &'a Store,
    company_currency: Currency,
    policy: PolicyState,
}

/// What the policy finds, and what the amount is in the company's currency.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What the policy finds.
    pub findings: Vec<PolicyFinding>,
    /// The amount in the company's currency, where it stands in another one and a rate is known.
    pub converted: Option<Conversion>,
}

impl<'a> Judge<'a> {
    /// By the policy that holds now: one read.
    pub async fn now(store: &'a Store, company_currency: Currency) -> Result<Self, Problem> {
        Ok(Self { store, company_currency, policy: store.current_policy().await? })
    }

    /// Judges an expense. Reads the rates of its date where currencies have to be compared, the other parts of its split
    /// where its category has a limit for one item, and the owner's other expenses of the date where it has a daily one:
    /// each one query. The last is of an index: what was drafted within the last moment may be missing.
    pub async fn judge(&self, state: &ExpenseState) -> Result<Judgement, Problem> {
        let details = &state.details;
        let now = Timestamp::now();
        let on_earth = |hours| now.to_zoned(TimeZone::fixed(tz::offset(hours))).date();
        let others_of_day = self.others_of_day(state).await?;
        let other_parts = self.other_parts(state).await?;
        let foreign = |money: &Money| money.currency != self.company_currency;
        let compared = details.amount.into_iter().chain(policy::limits(&self.policy, details.category));
        let rates = match compared.chain(others_of_day.iter().copied()).any(|money| foreign(&money)) {
            true => self.store.rates_on(details.date.unwrap_or_else(|| on_earth(0))).await?,
            false => None,
        };
        let converted = rates.as_ref().zip(details.amount.filter(foreign));
        let converted = converted.and_then(|(rates, amount)| convert(amount, self.company_currency, rates));
        let facts = policy::Facts {
            details,
            has_receipt: state.receipt.is_some(),
            split: state.split.as_ref(),
            other_parts: &other_parts,
            others_of_day: &others_of_day,
            rates: rates.as_ref(),
            today_latest: on_earth(14),
            today_earliest: on_earth(-12),
        };
        Ok(Judgement { findings: policy::check(&self.policy, &facts), converted })
    }

    /// The submission of an expense as it is judged now. What the policy forbids the domain refuses.
    pub async fn submission(&self, state: &ExpenseState) -> Result<Command, Problem> {
        let Judgement { findings, converted } = self.judge(state).await?;
        Ok(Command::Submit { policy_version: self.policy.version, findings, converted })
    }

    /// What the other parts of the same split and category are for, where the category has a limit for one item.
    async fn other_parts(&self, state: &ExpenseState) -> Result<Vec<Money>, Problem> {
        let category = state.details.category;
        if policy::limit_of(&self.policy, category).is_none_or(|limit| limit.per_item.is_none()) {
            return Ok(Vec::new());
        }
        let others = self.store.other_parts(state).await?;
        let counts = |other: &&ExpenseState| {
            !matches!(other.status, ExpenseStatus::Rejected | ExpenseStatus::Deleted)
                && other.details.category == category
        };
        Ok(others.iter().filter(counts).filter_map(|other| other.details.amount).collect())
    }

    /// What the owner's other expenses of the same category and date are for, where the category has a daily limit.
    async fn others_of_day(&self, state: &ExpenseState) -> Result<Vec<Money>, Problem> {
        let (Some(date), Some(category)) = (state.details.date, state.details.category) else { return Ok(Vec::new()) };
        if policy::limit_of(&self.policy, Some(category)).is_none_or(|limit| limit.per_day.is_none()) {
            return Ok(Vec::new());
        }
        let query = IndexQuery {
            from: Some(keys::from_date(date)),
            until: Some(keys::until_date(date)),
            ..IndexQuery::of(Index::Owner, keys::expenses_of(state.owner))
        };
        let of_date = self.store.table.query_all::<ExpenseState>(&query).await?;
        let counts = |other: &&ExpenseState| {
            other.id != state.id
                && policy::counts_of_day(other)
                && other.details.date == Some(date)
                && other.details.category == Some(category)
        };
        Ok(of_date.iter().filter(counts).filter_map(|other| other.details.amount).collect())
    }
}
