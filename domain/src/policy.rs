//! What the policy says of an expense, and what a policy may say.

use std::collections::BTreeSet;

use jiff::civil::Date;
use slipstream_events::{
    Category, CategoryLimit, Currency, DayRates, ExpenseDetails, ExpenseState, ExpenseStatus, Money, PolicyFinding,
    PolicyRule, PolicyState, Severity, Split,
};

use crate::{
    conversion::{convert, convert_alike},
    details::MAX_MINOR_UNITS,
};

/// The longest that an approver may be given, in seconds: three hundred days, within the year that an execution may take.
pub const MAX_DUE_SECONDS: u64 = 300 * 24 * 60 * 60;
/// The most members that a list of a policy has.
pub const MAX_LIST: usize = 200;
/// The most days that a receipt may be allowed to be old: a hundred years.
pub const MAX_DAYS: u32 = 36_500;

/// A member of a policy that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The member's place in the document, such as `category_limits[2].per_item`.
    pub field: String,
    /// What is wrong and how to mend it.
    pub remedy: String,
}

/// Everything that is wrong with a policy.
pub fn problems(policy: &PolicyState) -> Vec<PolicyProblem> {
    let mut found = Vec::new();
    let mut wrong = |field: String, remedy: String| found.push(PolicyProblem { field, remedy });
    for (field, seconds) in [
        ("decision_due_seconds", policy.decision_due_seconds),
        ("reminder_after_seconds", policy.reminder_after_seconds),
        ("escalation_after_seconds", policy.escalation_after_seconds),
    ] {
        if !(1..=MAX_DUE_SECONDS).contains(&seconds) {
            wrong(field.to_owned(), format!("give 1 to {MAX_DUE_SECONDS} seconds"));
        }
    }
    let mut amounts = vec![
        ("receipt_required_from.amount".to_owned(), policy.receipt_required_from.map(|rule| rule.amount)),
        ("auto_approve_below".to_owned(), policy.auto_approve_below),
        ("second_level_from".to_owned(), policy.second_level_from),
    ];
    let mut limited = BTreeSet::new();
    for (at, limit) in policy.category_limits.iter().enumerate() {
        let place = format!("category_limits[{at}]");
        if !limited.insert(limit.category) {
            wrong(format!("{place}.category"), format!("give one limit for {}, not several", words(limit.category)));
        }
        if limit.per_item.is_none() && limit.per_day.is_none() {
            wrong(place.clone(), "give per_item, per_day or both".to_owned());
        }
        amounts.push((format!("{place}.per_item"), limit.per_item));
        amounts.push((format!("{place}.per_day"), limit.per_day));
    }
    for (field, amount) in amounts {
        if amount.is_some_and(|amount| !(1..=MAX_MINOR_UNITS).contains(&amount.minor_units)) {
            wrong(field, format!("give an amount from 1 to {MAX_MINOR_UNITS} minor units, or leave it out"));
        }
    }
    if policy.max_age.is_some_and(|rule| rule.days > MAX_DAYS) {
        wrong("max_age.days".to_owned(), format!("give 0 to {MAX_DAYS} days"));
    }
    if let Some(rule) = &policy.allowed_currencies {
        let field = || "allowed_currencies.currencies".to_owned();
        if !(1..=MAX_LIST).contains(&rule.currencies.len()) {
            wrong(field(), format!("name 1 to {MAX_LIST} currencies, or leave the rule out"));
        } else if rule.currencies.iter().collect::<BTreeSet<_>>().len() < rule.currencies.len() {
            wrong(field(), "name each currency once".to_owned());
        }
    }
    if let (Some(auto), Some(second)) = (policy.auto_approve_below, policy.second_level_from)
        && auto.currency == second.currency
        && auto.minor_units > second.minor_units
    {
        wrong("auto_approve_below".to_owned(), format!("give at most what second_level_from is, {second}"));
    }
    found
}

/// What there is to know of an expense beside the policy.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What is said of it.
    pub details: &'a ExpenseDetails,
    /// Whether it has a receipt.
    pub has_receipt: bool,
    /// The split that it is a part of.
    pub split: Option<&'a Split>,
    /// The amounts of the other parts of that split that are of the same category, all in its currency.
    pub other_parts: &'a [Money],
    /// The amounts of the owner's other expenses of the same category and date.
    pub others_of_day: &'a [Money],
    /// The exchange rates that hold on its date, where there are any.
    pub rates: Option<&'a DayRates>,
    /// The date where it is the latest on earth (UTC+14): what is after it is in the future everywhere.
    pub today_latest: Date,
    /// The date where it is the earliest on earth (UTC-12): what is too old by it is too old everywhere.
    pub today_earliest: Date,
}

/// What the policy finds, in the order of its rules. A refund (a negative amount) is within every limit. What is missing
/// from the details is not found here; a submission asks for it.
///
/// Splitting an expense gets nothing below a limit: a receipt is needed by what is claimed of the whole, and the parts of
/// a category are one item.
///
/// Amounts are compared in the limit's currency, converted by the rates of the expense's date where they stand in
/// another one. Where that cannot be, [`PolicyRule::NoExchangeRate`] warns: a limit never passes in silence.
pub fn check(policy: &PolicyState, facts: &Facts<'_>) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    if let Some(amount) = facts.details.amount {
        check_amount(policy, facts, amount, &mut findings);
    }
    if let Some(date) = facts.details.date {
        check_date(policy, facts, date, &mut findings);
    }
    findings
}

/// The amounts that an expense of `category` is compared with.
pub fn limits(policy: &PolicyState, category: Option<Category>) -> impl Iterator<Item = Money> {
    let limit = limit_of(policy, category);
    let of_category = limit.into_iter().flat_map(|limit| limit.per_item.into_iter().chain(limit.per_day));
    policy.receipt_required_from.map(|rule| rule.amount).into_iter().chain(of_category)
}

/// What the policy says of a category.
pub fn limit_of(policy: &PolicyState, category: Option<Category>) -> Option<&CategoryLimit> {
    policy.category_limits.iter().find(|limit| Some(limit.category) == category)
}

fn finding(rule: PolicyRule, severity: Severity, field: &str, broken: &str, remedy: &str) -> PolicyFinding {
    let message = match severity {
        Severity::Warns => format!("{broken} {remedy}, or say in the note why it is so."),
        Severity::Blocks => format!("{broken} {remedy}."),
    };
    PolicyFinding { rule, severity, field: field.to_owned(), message }
}

fn check_amount(policy: &PolicyState, facts: &Facts<'_>, amount: Money, findings: &mut Vec<PolicyFinding>) {
    let refund = amount.minor_units < 0;
    if let Some(rule) = policy.receipt_required_from
        && !facts.has_receipt
        && !refund
    {
        let (claimed, this, remedy) = match facts.split {
            Some(split) => (claimed_of(split), "what was split is", "Undo the split and attach the receipt"),
            None => (amount, "this is", "Attach the receipt"),
        };
        match comparable(facts, claimed, rule.amount.currency) {
            Some(known) if known.minor_units >= rule.amount.minor_units => {
                let known = shown(claimed, known);
                let broken = format!("A receipt is needed from {} on; {this} {known}.", rule.amount);
                findings.push(finding(PolicyRule::ReceiptRequired, rule.severity, "receipt_id", &broken, remedy));
            }
            Some(_) => {}
            None => not_comparable(amount.currency, rule.amount, findings),
        }
    }
    if let Some(limit) = limit_of(policy, facts.details.category)
        && !refund
    {
        let category = words(limit.category);
        if let Some(most) = limit.per_item {
            let others: i64 = facts.other_parts.iter().map(|part| part.minor_units).fold(0, i64::saturating_add);
            let item = Money::new(amount.minor_units.saturating_add(others), amount.currency);
            let this = if others == 0 { "this is" } else { "with the other parts of its split this is" };
            match comparable(facts, item, most.currency) {
                Some(known) if known.minor_units > most.minor_units => {
                    let known = shown(item, known);
                    let broken = format!("One expense for {category} may be at most {most}; {this} {known}.");
                    let remedy = "Claim less";
                    findings.push(finding(PolicyRule::ItemLimit, limit.severity, "amount", &broken, remedy));
                }
                Some(_) => {}
                None => not_comparable(amount.currency, most, findings),
            }
        }
        if let Some(most) = limit.per_day {
            let (together, unknown) = of_day(facts, amount, most.currency);
            if together.minor_units > most.minor_units {
                let broken = format!(
                    "Expenses for {category} may be at most {most} a day; those of this date come to {together}."
                );
                let remedy = "Claim less, or correct the date";
                findings.push(finding(PolicyRule::DayLimit, limit.severity, "amount", &broken, remedy));
            } else if let Some(currency) = unknown {
                not_comparable(currency, most, findings);
            }
        }
    }
    if let Some(rule) = &policy.allowed_currencies
        && !rule.currencies.contains(&amount.currency)
    {
        let allowed = rule.currencies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let broken = format!("Expenses in {} are not provided for; the policy names {allowed}.", amount.currency);
        let remedy = "Claim it in one of these currencies, with what you were charged";
        findings.push(finding(PolicyRule::CurrencyNotAllowed, rule.severity, "amount", &broken, remedy));
    }
}

fn check_date(policy: &PolicyState, facts: &Facts<'_>, date: Date, findings: &mut Vec<PolicyFinding>) {
    if let Some(rule) = policy.future_dates
        && date > facts.today_latest
    {
        let broken = format!("The date {date} is yet to come.");
        findings.push(finding(PolicyRule::FutureDate, rule.severity, "date", &broken, "Correct the date"));
    }
    let days = days_between(date, facts.today_earliest);
    if let Some(rule) = policy.max_age
        && days > i64::from(rule.days)
    {
        let broken = format!("The receipt of {date} is {days} days old; the policy allows {}.", rule.days);
        findings.push(finding(PolicyRule::MaxAge, rule.severity, "date", &broken, "Correct the date if it is wrong"));
    }
}

/// From one date to the other, in days; negative when the second is the earlier one.
fn days_between(from: Date, to: Date) -> i64 {
    // A difference of civil dates has no unit above days unless one asks for it.
    (to - from).get_days().into()
}

/// An amount in the currency of a limit, where that can be told.
fn comparable(facts: &Facts<'_>, amount: Money, currency: Currency) -> Option<Money> {
    if amount.currency == currency {
        return Some(amount);
    }
    facts.rates.and_then(|rates| convert(amount, currency, rates)).map(|conversion| conversion.amount)
}

/// Whether an expense counts towards the daily limit of the others of its day: what adds to them from its draft on, a
/// refund once it was approved. Otherwise one that nobody ever submits would make room.
pub fn counts_of_day(expense: &ExpenseState) -> bool {
    match expense.status {
        ExpenseStatus::Rejected | ExpenseStatus::Deleted => false,
        ExpenseStatus::Approved | ExpenseStatus::Reimbursed => true,
        ExpenseStatus::Draft | ExpenseStatus::Submitted | ExpenseStatus::ChangesRequested => {
            expense.details.amount.is_some_and(|amount| amount.minor_units >= 0)
        }
    }
}

/// How many approvers a submitted expense needs by the policy: none below the amount from which on somebody is asked, if
/// the policy found nothing and nothing is suspected; two from the amount of the second level on. A refund counts by
/// its size, and a part of a split by what is claimed of the whole: splitting a receipt takes nobody out of it. Where an
/// amount cannot be compared with a limit, more are asked rather than fewer.
pub fn levels(policy: &PolicyState, expense: &ExpenseState, suspected: bool) -> u32 {
    let size = |money: Money| Money::new(money.minor_units.saturating_abs(), money.currency);
    let claimed = expense.split.as_ref().map(claimed_of).or(expense.details.amount);
    let compared = |limit: Money| {
        let amount = claimed.filter(|amount| amount.currency == limit.currency);
        let converted = || convert_alike(claimed?, expense.converted.as_ref()?);
        amount.or_else(|| converted().filter(|amount| amount.currency == limit.currency)).map(size)
    };
    let below = |limit: Money| compared(limit).is_some_and(|amount| amount.minor_units < limit.minor_units);
    if policy.second_level_from.is_some_and(|limit| !below(limit)) {
        2
    } else if !suspected && expense.findings.is_empty() && policy.auto_approve_below.is_some_and(below) {
        0
    } else {
        1
    }
}

/// What the parts of a split add up to, without the personal one.
fn claimed_of(split: &Split) -> Money {
    let personal = split.personal.map_or(0, |personal| personal.minor_units);
    Money::new(split.total.minor_units.saturating_sub(personal), split.total.currency)
}

/// What the amounts of its day come to together in the currency of a limit, as far as that can be told, and the first
/// currency that cannot.
fn of_day(facts: &Facts<'_>, amount: Money, currency: Currency) -> (Money, Option<Currency>) {
    let mut together = Money::new(0, currency);
    let mut unknown = None;
    for amount in std::iter::once(amount).chain(facts.others_of_day.iter().copied()) {
        match comparable(facts, amount, currency) {
            Some(known) => together.minor_units = together.minor_units.saturating_add(known.minor_units),
            None => unknown = unknown.or(Some(amount.currency)),
        }
    }
    (together, unknown)
}

/// Says once that a limit could not be checked.
fn not_comparable(currency: Currency, limit: Money, findings: &mut Vec<PolicyFinding>) {
    let message = format!(
        "There is no exchange rate from {currency} to {} for this date, or it makes nothing of the amount, so the limit of \
         {limit} was not checked. Finance can load the rates; it may be submitted without.",
        limit.currency,
    );
    let told = |finding: &PolicyFinding| finding.rule == PolicyRule::NoExchangeRate;
    if !findings.iter().any(told) {
        let (rule, severity) = (PolicyRule::NoExchangeRate, Severity::Warns);
        findings.push(PolicyFinding { rule, severity, field: "amount".to_owned(), message });
    }
}

/// The amount as the owner knows it, with what it was compared as.
fn shown(amount: Money, compared: Money) -> String {
    if amount == compared { amount.to_string() } else { format!("{amount}, that is {compared}") }
}

fn words(category: Category) -> String {
    category.to_string().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use slipstream_events::{AgeRule, CurrencyRule, FutureRule, ReceiptRule};

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn money(text: &str, code: &str) -> Money {
        Money::from_decimal(text, currency(code)).unwrap()
    }

    fn meal(amount: Money) -> ExpenseDetails {
        ExpenseDetails {
            merchant: Some("Café Lindenhof".to_owned()),
            date: Some(date(2026, 3, 12)),
            amount: Some(amount),
            category: Some(Category::Meals),
            ..ExpenseDetails::default()
        }
    }

    fn facts(details: &ExpenseDetails) -> Facts<'_> {
        Facts {
            details,
            has_receipt: true,
            split: None,
            other_parts: &[],
            others_of_day: &[],
            rates: None,
            today_latest: date(2026, 3, 13),
            today_earliest: date(2026, 3, 12),
        }
    }

    fn expense_of(amount: Money) -> ExpenseState {
        ExpenseState {
            id: slipstream_events::ExpenseId::derived_from(&["x"]),
            version: 1,
            owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
            status: ExpenseStatus::Submitted,
            details: meal(amount),
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            findings: Vec::new(),
            converted: None,
            distinct_from: Vec::new(),
            split: None,
            submission: 1,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn full() -> PolicyState {
        PolicyState {
            version: 3,
            receipt_required_from: Some(ReceiptRule { amount: money("25.00", "EUR"), severity: Severity::Blocks }),
            category_limits: vec![CategoryLimit {
                category: Category::Meals,
                per_item: Some(money("60.00", "EUR")),
                per_day: Some(money("90.00", "EUR")),
                severity: Severity::Warns,
            }],
            max_age: Some(AgeRule { days: 90, severity: Severity::Warns }),
            future_dates: Some(FutureRule { severity: Severity::Blocks }),
            allowed_currencies: Some(CurrencyRule {
                currencies: vec![currency("EUR"), currency("USD")],
                severity: Severity::Blocks,
            }),
            ..PolicyState::default()
        }
    }

    fn rules(findings: &[PolicyFinding]) -> Vec<(PolicyRule, Severity, &str)> {
        findings.iter().map(|finding| (finding.rule, finding.severity, finding.field.as_str())).collect()
    }

    fn rates(quotes: &[(&str, &str)]) -> DayRates {
        DayRates {
            date: date(2026, 3, 12),
            version: 1,
            base: currency("EUR"),
            rates: quotes.iter().map(|(code, rate)| (currency(code), rate.parse().unwrap())).collect(),
            source: "ECB".to_owned(),
        }
    }

    #[test]
    fn the_built_in_policy_finds_nothing() {
        let details = meal(money("99999.00", "EUR"));
        assert_eq!(check(&PolicyState::default(), &Facts { has_receipt: false, ..facts(&details) }), []);
    }

    #[test]
    fn each_limit_holds_up_to_its_amount_and_is_told_beyond() {
        let at = meal(money("60.00", "EUR"));
        assert_eq!(check(&full(), &facts(&at)), []);
        let over = meal(money("60.01", "EUR"));
        let findings = check(&full(), &facts(&over));
        assert_eq!(rules(&findings), [(PolicyRule::ItemLimit, Severity::Warns, "amount")]);
        assert_eq!(
            findings[0].message,
            "One expense for meals may be at most 60.00 EUR; this is 60.01 EUR. Claim less, or say in the note why it is so."
        );

        let day = |others: &[Money]| check(&full(), &Facts { others_of_day: others, ..facts(&at) });
        assert_eq!(day(&[money("10.00", "EUR"), money("20.00", "EUR")]), []);
        assert_eq!(day(&[money("40.00", "EUR"), money("-10.00", "EUR")]), [], "a refund of the day takes away");
        let findings = day(&[money("10.00", "EUR"), money("20.01", "EUR")]);
        assert_eq!(rules(&findings), [(PolicyRule::DayLimit, Severity::Warns, "amount")]);
        assert!(findings[0].message.contains("90.00 EUR a day; those of this date come to 90.01 EUR"), "{findings:?}");

        let without = |details| Facts { has_receipt: false, ..facts(details) };
        let (needed, free) = (meal(money("25.00", "EUR")), meal(money("24.99", "EUR")));
        let findings = check(&full(), &without(&needed));
        assert_eq!(rules(&findings), [(PolicyRule::ReceiptRequired, Severity::Blocks, "receipt_id")]);
        assert_eq!(
            findings[0].message,
            "A receipt is needed from 25.00 EUR on; this is 25.00 EUR. Attach the receipt."
        );
        assert_eq!(check(&full(), &without(&free)), []);
        let lodging = ExpenseDetails { category: Some(Category::Lodging), ..meal(money("500.00", "EUR")) };
        assert_eq!(check(&full(), &facts(&lodging)), [], "another category has no limit");
    }

    #[test]
    fn another_currency_is_compared_by_the_rates_of_the_day() {
        let rates = rates(&[("USD", "1.25"), ("GBP", "0.8")]);
        let found = |policy: &PolicyState, details: &ExpenseDetails, others: &[Money]| {
            check(policy, &Facts { rates: Some(&rates), others_of_day: others, ..facts(details) })
        };
        assert_eq!(found(&full(), &meal(money("75.00", "USD")), &[]), []);
        let findings = found(&full(), &meal(money("75.02", "USD")), &[]);
        assert_eq!(rules(&findings), [(PolicyRule::ItemLimit, Severity::Warns, "amount")]);
        assert!(findings[0].message.contains("this is 75.02 USD, that is 60.02 EUR"), "{findings:?}");

        // A limit may stand in a currency that is neither the expense's nor the rates' base, and its day in a third.
        let mut policy = full();
        let limit = policy.category_limits[0];
        policy.category_limits[0] =
            CategoryLimit { per_item: Some(money("48.00", "GBP")), per_day: Some(money("60.00", "GBP")), ..limit };
        let details = meal(money("75.00", "USD"));
        assert_eq!(found(&policy, &details, &[money("15.00", "EUR")]), [], "48 and 12 pounds are the limits");
        let findings = found(&policy, &details, &[money("15.02", "EUR")]);
        assert_eq!(rules(&findings), [(PolicyRule::DayLimit, Severity::Warns, "amount")]);
        assert_eq!(rules(&found(&policy, &meal(money("75.02", "USD")), &[]))[0].0, PolicyRule::ItemLimit);
    }

    #[test]
    fn what_cannot_be_compared_is_told_once_and_never_blocks() {
        let told = [(PolicyRule::NoExchangeRate, Severity::Warns, "amount")];
        let details = meal(money("65.00", "USD"));
        let findings = check(&full(), &Facts { has_receipt: false, ..facts(&details) });
        assert_eq!(rules(&findings), told);
        let pounds_only = rates(&[("GBP", "0.8")]);
        assert_eq!(rules(&check(&full(), &Facts { rates: Some(&pounds_only), ..facts(&details) })), told);
    }

    #[test]
    fn another_of_the_day_that_cannot_be_compared_does_not_pass_in_silence() {
        let details = meal(money("10.00", "EUR"));
        let day = |others: &[Money]| check(&full(), &Facts { others_of_day: others, ..facts(&details) });
        let findings = day(&[money("5.00", "EUR"), money("95.00", "USD")]);
        assert_eq!(rules(&findings), [(PolicyRule::NoExchangeRate, Severity::Warns, "amount")]);
        assert!(findings[0].message.contains("from USD to EUR"), "{findings:?}");
        // Nor does it make a warning of a limit that is broken without it.
        let findings = day(&[money("80.01", "EUR"), money("95.00", "USD")]);
        assert_eq!(rules(&findings), [(PolicyRule::DayLimit, Severity::Warns, "amount")]);
    }

    #[test]
    fn a_day_in_the_limits_own_currency_needs_no_rates() {
        let mut policy = full();
        policy.category_limits[0] =
            CategoryLimit { per_item: None, per_day: Some(money("100.00", "USD")), ..policy.category_limits[0] };
        let details = meal(money("10.00", "USD"));
        let day = |other: &str| {
            let others = [money(other, "USD")];
            rules(&check(&policy, &Facts { others_of_day: &others, ..facts(&details) })).first().map(|found| found.0)
        };
        assert_eq!((day("90.00"), day("90.01")), (None, Some(PolicyRule::DayLimit)));
    }

    #[test]
    fn what_is_compared_is_named() {
        let limits = |category| super::limits(&full(), category).map(|limit| limit.to_string()).collect::<Vec<_>>();
        assert_eq!(limits(Some(Category::Meals)), ["25.00 EUR", "60.00 EUR", "90.00 EUR"]);
        assert_eq!(limits(Some(Category::Travel)), ["25.00 EUR"]);
        assert_eq!(limits(None), ["25.00 EUR"]);
    }

    #[test]
    fn dates_count_from_where_they_are() {
        let on = |day| ExpenseDetails { date: Some(day), ..meal(money("5.00", "EUR")) };
        let found = |day| check(&full(), &facts(&on(day))).iter().map(|finding| finding.rule).collect::<Vec<_>>();
        assert_eq!(found(date(2026, 3, 13)), [], "it is the 13th at UTC+14");
        assert_eq!(found(date(2026, 3, 14)), [PolicyRule::FutureDate]);
        assert_eq!(found(date(2025, 12, 12)), [], "ninety days old at UTC-12");
        assert_eq!(found(date(2025, 12, 11)), [PolicyRule::MaxAge]);
        let same_day = PolicyState { max_age: Some(AgeRule { days: 0, severity: Severity::Warns }), ..full() };
        let yesterday = on(date(2026, 3, 11));
        assert_eq!(check(&same_day, &facts(&yesterday)).len(), 1);
    }

    #[test]
    fn splitting_gets_nothing_below_a_limit() {
        let split = |total, personal: Option<&str>| Split {
            of: slipstream_events::ExpenseId::derived_from(&["x"]),
            parts: Vec::new(),
            total: money(total, "EUR"),
            original_amount: None,
            tax: None,
            personal: personal.map(|personal| money(personal, "EUR")),
        };
        let part = meal(money("15.00", "EUR"));
        let found = |split: &Split, has_receipt, other_parts: &[Money]| {
            check(&full(), &Facts { split: Some(split), has_receipt, other_parts, ..facts(&part) })
        };
        let findings = found(&split("30.00", None), false, &[]);
        assert_eq!(rules(&findings), [(PolicyRule::ReceiptRequired, Severity::Blocks, "receipt_id")]);
        assert_eq!(
            findings[0].message,
            "A receipt is needed from 25.00 EUR on; what was split is 30.00 EUR. Undo the split and attach the receipt."
        );
        assert_eq!(found(&split("30.00", Some("5.01")), false, &[]), [], "what is not claimed needs none");

        let hundred = split("100.00", None);
        assert_eq!(found(&hundred, true, &[money("20.00", "EUR"), money("25.00", "EUR")]), []);
        let findings = found(&hundred, true, &[money("20.00", "EUR"), money("25.01", "EUR")]);
        assert_eq!(rules(&findings), [(PolicyRule::ItemLimit, Severity::Warns, "amount")]);
        assert!(findings[0].message.contains("with the other parts of its split this is 60.01 EUR"), "{findings:?}");
        assert_eq!(found(&hundred, true, &[]), [], "the rest is of other categories");
    }

    #[test]
    fn a_refund_makes_room_once_it_was_approved() {
        let counts = |minor_units, status| {
            let expense = expense_of(Money::new(minor_units, Currency::EUR));
            counts_of_day(&ExpenseState { status, ..expense })
        };
        for (status, refund, other) in [
            (ExpenseStatus::Draft, false, true),
            (ExpenseStatus::Submitted, false, true),
            (ExpenseStatus::ChangesRequested, false, true),
            (ExpenseStatus::Approved, true, true),
            (ExpenseStatus::Reimbursed, true, true),
            (ExpenseStatus::Rejected, false, false),
        ] {
            assert_eq!((counts(-500, status), counts(500, status)), (refund, other), "{status}");
        }
    }

    #[test]
    fn an_amount_has_its_levels() {
        let policy = PolicyState {
            auto_approve_below: Some(money("20.00", "EUR")),
            second_level_from: Some(money("1000.00", "EUR")),
            ..PolicyState::default()
        };
        let expense = expense_of;
        let of = |text| levels(&policy, &expense(money(text, "EUR")), false);
        assert_eq!([of("19.99"), of("20.00"), of("999.99"), of("1000.00")], [0, 1, 1, 2]);
        assert_eq!([of("-19.99"), of("-20.00"), of("-1000.00")], [0, 1, 2], "a refund counts by its size");
        let small = expense(money("5.00", "EUR"));
        assert_eq!(levels(&policy, &small, true), 1, "something is suspected");
        let finding = PolicyFinding {
            rule: PolicyRule::MaxAge,
            severity: Severity::Warns,
            field: "date".to_owned(),
            message: "It is old.".to_owned(),
        };
        assert_eq!(
            levels(&policy, &ExpenseState { findings: vec![finding], ..small }, false),
            1,
            "something was found"
        );
        let foreign = expense(money("5.00", "USD"));
        assert_eq!(levels(&policy, &foreign, false), 2, "not known how much it is: both are asked");
        let no_second = PolicyState { second_level_from: None, ..policy.clone() };
        assert_eq!(levels(&no_second, &foreign, false), 1, "not known to be little");
        let in_euros = |text| slipstream_events::Conversion {
            amount: money(text, "EUR"),
            rate: "1.0876".parse().unwrap(),
            base: currency("EUR"),
            quote: currency("USD"),
            date: date(2026, 3, 12),
            source: "ECB".to_owned(),
        };
        let converted = |dollars, euros| ExpenseState {
            details: meal(money(dollars, "USD")),
            converted: Some(in_euros(euros)),
            ..foreign.clone()
        };
        assert_eq!(levels(&policy, &converted("5.00", "4.60"), false), 0);
        assert_eq!(levels(&policy, &converted("1087.60", "1000.00"), false), 2);
        assert_eq!(
            levels(&PolicyState::default(), &expense(money("0.01", "EUR")), false),
            1,
            "the built-in policy asks"
        );

        let part = |whole: ExpenseState, total, personal: Option<&str>| {
            let currency = whole.details.amount.unwrap().currency;
            let split = Split {
                of: whole.id,
                parts: vec![whole.id],
                total: money(total, currency.code()),
                original_amount: None,
                tax: None,
                personal: personal.map(|personal| money(personal, currency.code())),
            };
            levels(&policy, &ExpenseState { split: Some(split), ..whole }, false)
        };
        let euros = || expense(money("15.00", "EUR"));
        assert_eq!(part(euros(), "30.00", None), 1, "two parts, each of them small");
        assert_eq!(part(euros(), "30.00", Some("15.00")), 0, "the rest is not claimed");
        assert_eq!(part(expense(money("600.00", "EUR")), "1200.00", None), 2, "two parts of a large one");
        assert_eq!(part(converted("543.80", "500.00"), "1087.60", None), 2, "by the same rate");
        assert_eq!(part(converted("5.00", "4.60"), "10.00", None), 0);
    }

    #[test]
    fn currencies_that_are_not_named_are_told() {
        let details = meal(money("10.00", "CHF"));
        let found = check(&full(), &Facts { rates: Some(&rates(&[("CHF", "0.9438")])), ..facts(&details) });
        assert_eq!(rules(&found), [(PolicyRule::CurrencyNotAllowed, Severity::Blocks, "amount")]);
        assert!(found[0].message.contains("EUR, USD"), "{found:?}");
    }

    #[test]
    fn a_policy_says_where_it_is_wrong() {
        assert_eq!(problems(&full()), []);
        assert_eq!(problems(&PolicyState::default()), []);
        let limit = full().category_limits[0];
        let policy = PolicyState {
            decision_due_seconds: 0,
            receipt_required_from: Some(ReceiptRule { amount: money("0.00", "EUR"), severity: Severity::Warns }),
            category_limits: vec![
                CategoryLimit { per_item: Some(money("-1.00", "EUR")), ..limit },
                CategoryLimit { per_item: None, per_day: None, ..limit },
            ],
            max_age: Some(AgeRule { days: MAX_DAYS + 1, severity: Severity::Warns }),
            allowed_currencies: Some(CurrencyRule { currencies: vec![Currency::EUR; 2], severity: Severity::Warns }),
            auto_approve_below: Some(money("100.00", "EUR")),
            second_level_from: Some(money("50.00", "EUR")),
            ..full()
        };
        let fields: Vec<_> = problems(&policy).into_iter().map(|problem| problem.field).collect();
        assert_eq!(
            fields,
            [
                "decision_due_seconds",
                "category_limits[1].category",
                "category_limits[1]",
                "receipt_required_from.amount",
                "category_limits[0].per_item",
                "max_age.days",
                "allowed_currencies.currencies",
                "auto_approve_below",
            ]
        );
        for currencies in [Vec::new(), vec![Currency::EUR; MAX_LIST + 1]] {
            let rule = Some(CurrencyRule { currencies, severity: Severity::Warns });
            assert_eq!(problems(&PolicyState { allowed_currencies: rule, ..full() }).len(), 1);
        }
    }

    proptest! {
        /// A refund never breaks a limit, whatever the limits and the others of its day are.
        #[test]
        fn a_refund_is_within_every_limit(minor_units in i64::MIN..0, others in any::<i64>(), has_receipt: bool, code in prop::sample::select(vec!["EUR", "USD"])) {
            let details = meal(Money::new(minor_units, currency(code)));
            let others = [Money::new(others, currency("EUR"))];
            let facts = Facts { has_receipt, others_of_day: &others, ..facts(&details) };
            prop_assert_eq!(check(&full(), &facts), []);
        }

        /// More money never breaks fewer rules.
        #[test]
        fn findings_only_grow_with_the_amount(less in 0i64..20_000, more in 0i64..20_000, others in 0i64..20_000, has_receipt: bool) {
            let (less, more) = (less.min(more), less.max(more));
            let found = |minor_units| {
                let details = meal(Money::new(minor_units, currency("EUR")));
                let others = [Money::new(others, currency("EUR"))];
                let facts = Facts { has_receipt, others_of_day: &others, ..facts(&details) };
                check(&full(), &facts).into_iter().map(|finding| finding.rule).collect::<BTreeSet<_>>()
            };
            prop_assert!(found(less).is_subset(&found(more)));
        }
    }
}
