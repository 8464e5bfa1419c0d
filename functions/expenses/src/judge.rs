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
use slipstream_events::{
    Conversion, Currency, DayRates, ExpenseState, ExpenseStatus, Money, PolicyFinding, PolicyState,
};

/// The most expenses of one owner and date that a daily limit looks at: one index page.
const MAX_OF_DAY: i32 = 100;

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

    /// Judges an expense. Reads the rates of its date where it stands in another currency than the company's, and the
    /// owner's other expenses of the date where its category has a daily limit: each one query.
    pub async fn judge(&self, state: &ExpenseState) -> Result<Judgement, Problem> {
        let details = &state.details;
        let now = Timestamp::now();
        let today = now.to_zoned(TimeZone::UTC).date();
        let date = details.date.unwrap_or(today);
        let of_day = self.others_of_day(state).await?;
        let foreign = |money: &Money| money.currency != self.company_currency;
        let rates = match details.amount.iter().chain(&of_day).any(foreign) {
            true => self.store.rates_on(date).await?,
            false => None,
        };
        let convert = |amount: Money| rates.as_ref().and_then(|rates| convert(amount, self.company_currency, rates));
        let converted = details.amount.filter(foreign).and_then(convert);
        let facts = policy::Facts {
            details,
            has_receipt: state.receipt.is_some(),
            converted: converted.as_ref(),
            company_currency: self.company_currency,
            day_total: self.total(&of_day, rates.as_ref()),
            today_latest: now.to_zoned(TimeZone::fixed(tz::offset(14))).date(),
            today,
        };
        Ok(Judgement { findings: policy::check(&self.policy, &facts), converted })
    }

    /// The submission of an expense as it is judged now. What the policy forbids the domain refuses.
    pub async fn submission(&self, state: &ExpenseState) -> Result<Command, Problem> {
        let Judgement { findings, converted } = self.judge(state).await?;
        Ok(Command::Submit { policy_version: self.policy.version, findings, converted })
    }

    /// What the owner's other expenses of the same category and date are for, where the category has a daily limit.
    async fn others_of_day(&self, state: &ExpenseState) -> Result<Vec<Money>, Problem> {
        let (Some(date), Some(category)) = (state.details.date, state.details.category) else { return Ok(Vec::new()) };
        let mut limits = self.policy.category_limits.iter();
        if !limits.any(|limit| limit.category == category && limit.per_day.is_some()) {
            return Ok(Vec::new());
        }
        let query = IndexQuery {
            from: Some(keys::from_date(date)),
            until: Some(keys::until_date(date)),
            limit: MAX_OF_DAY,
            ..IndexQuery::of(Index::Owner, keys::expenses_of(state.owner))
        };
        let page = self.store.table.query::<ExpenseState>(&query, None).await?;
        let counts = |other: &&ExpenseState| {
            other.id != state.id
                && other.status != ExpenseStatus::Rejected
                && other.details.date == Some(date)
                && other.details.category == Some(category)
        };
        Ok(page.items.iter().filter(counts).filter_map(|other| other.details.amount).collect())
    }

    /// What they come to in the company's currency. Those without a rate are left out: the expense itself, in the same
    /// currency, is then told that it could not be checked.
    fn total(&self, others: &[Money], rates: Option<&DayRates>) -> Option<Money> {
        let known = others.iter().filter_map(|amount| match amount.currency == self.company_currency {
            true => Some(amount.minor_units),
            false => convert(*amount, self.company_currency, rates?).map(|converted| converted.amount.minor_units),
        });
        known.reduce(i64::saturating_add).map(|minor_units| Money::new(minor_units, self.company_currency))
    }
}
