//! Answers as text for people. A member that is not there is left out: an older service says less.

use serde_json::Value;
use slipstream_events::Money;

use crate::output::{Align, Table, clean, cut, wrapped};

/// An amount such as `23.40 EUR`; `-` for none.
pub(crate) fn money(value: &Value) -> String {
    serde_json::from_value::<Money>(value.clone()).map_or_else(|_| "-".to_owned(), |money| money.to_string())
}

/// An amount such as `23.40`, where its currency stands beside it.
fn number(value: &Value) -> String {
    serde_json::from_value::<Money>(value.clone()).map_or_else(|_| "-".to_owned(), Money::to_decimal)
}

/// A member's text, cleaned; empty for none.
pub(crate) fn text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::String(text) => clean(text),
        Value::Null => String::new(),
        other => clean(&other.to_string()),
    }
}

/// A moment without its fractions of a second.
pub(crate) fn moment(value: &Value) -> String {
    let Some(text) = value.as_str() else { return "-".to_owned() };
    let time: Option<jiff::Timestamp> = text.parse().ok();
    time.map_or_else(|| clean(text), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> String {
    items(value).iter().filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(", ")
}

/// Expenses, one per row, its id below.
pub(crate) fn expenses(expenses: &[Value]) -> String {
    let mut table = Table::new(&[
        ("DATE", Align::Left),
        ("STATUS", Align::Left),
        ("AMOUNT", Align::Right),
        ("MERCHANT", Align::Left),
    ]);
    for expense in expenses {
        let details = &expense["details"];
        let date = Some(text(details, "date")).filter(|date| !date.is_empty()).unwrap_or_else(|| "-".to_owned());
        let mut below = text(expense, "id");
        for mark in [text(details, "category"), marks(expense)] {
            if !mark.is_empty() {
                below.push_str(&format!("  {mark}"));
            }
        }
        let cells = [date, text(expense, "status"), money(&details["amount"]), text(details, "merchant")];
        table.row_with(cells, below);
    }
    table.render("")
}

fn marks(expense: &Value) -> String {
    let mut marks = Vec::new();
    let findings = items(&expense["findings"]);
    if findings.iter().any(|finding| finding["severity"] == "blocks") {
        marks.push("blocked");
    } else if !findings.is_empty() {
        marks.push("policy warning");
    }
    if expense["readiness"] == "needs_review" {
        marks.push("needs review");
    }
    if expense["details"]["paid_by"] == "company_card" {
        marks.push("card");
    }
    marks.join(", ")
}

/// What to look at before submitting: what is missing, in doubt, against the policy, or there twice.
pub(crate) fn remarks(expense: &Value) -> Vec<String> {
    let mut remarks = Vec::new();
    let missing = words(&expense["missing"]);
    if !missing.is_empty() {
        remarks.push(format!("missing: {missing}"));
    }
    for finding in items(&expense["review"]) {
        remarks.push(format!("check {}: {}", text(finding, "field"), text(finding, "message")));
    }
    for finding in items(&expense["findings"]) {
        let severity = if finding["severity"] == "blocks" { "not allowed" } else { "warning" };
        remarks.push(format!("{severity} ({}): {}", text(finding, "rule"), text(finding, "message")));
    }
    let mut open = false;
    for (kind, what) in [("same_file", "the same file"), ("same_purchase", "the same purchase")] {
        let duplicates = items(&expense["duplicates"]).iter();
        let duplicates = duplicates.filter(|duplicate| duplicate["dismissed"] != true && duplicate["kind"] == kind);
        let others: Vec<String> = duplicates
            .map(|duplicate| match (duplicate["expense_id"].as_str(), duplicate["whose"].as_str()) {
                (Some(id), _) => clean(id),
                (None, Some("someone_else")) => "someone else's expense".to_owned(),
                (None, _) => "another expense of yours".to_owned(),
            })
            .collect();
        if !others.is_empty() {
            open = true;
            remarks.push(format!("perhaps a duplicate: {what} as {}", others.join(", ")));
        }
    }
    // Only its owner can say that it is none, and only while it can be changed.
    if open && expense["readiness"].is_string() {
        remarks.push(format!("if it is no duplicate: slip not-duplicate {}", text(expense, "id")));
    }
    remarks
}

/// A list of remarks, each indented and broken into lines.
pub(crate) fn bullets(remarks: &[String]) -> String {
    let bullet = |remark: &String| {
        let lines = wrapped(remark, "    ");
        format!("  - {}", lines.trim_start())
    };
    remarks.iter().map(bullet).collect::<Vec<_>>().join("\n")
}

fn fact(facts: &mut Vec<String>, name: &str, value: String) {
    if !value.is_empty() && value != "-" {
        let lines = wrapped(&value, "                 ");
        facts.push(format!("{name:<17}{}", lines.trim_start()));
    }
}

/// One expense, in full.
pub(crate) fn expense(expense: &Value) -> String {
    let details = &expense["details"];
    let mut facts = vec![format!("{}  {}", text(expense, "id"), text(expense, "status"))];
    for (name, member) in [("Merchant", "merchant"), ("Date", "date")] {
        fact(&mut facts, name, text(details, member));
    }
    fact(&mut facts, "Amount", money(&details["amount"]));
    fact(&mut facts, "Original amount", money(&details["original_amount"]));
    fact(&mut facts, "Tax", money(&details["tax"]));
    if expense["converted"].is_object() {
        let converted = &expense["converted"];
        let rate = format!(
            "{} (rate {} {}/{} of {}, {})",
            money(&converted["amount"]),
            text(converted, "rate"),
            text(converted, "base"),
            text(converted, "quote"),
            text(converted, "date"),
            text(converted, "source"),
        );
        fact(&mut facts, "Converted", rate);
    }
    fact(&mut facts, "Owed", money(&expense["owed"]));
    for (name, member) in [
        ("Category", "category"),
        ("Paid by", "paid_by"),
        ("Cost centre", "cost_centre"),
        ("Project", "project"),
        ("Report", "report"),
        ("Note", "note"),
    ] {
        fact(&mut facts, name, text(details, member));
    }
    fact(&mut facts, "Owner", text(expense, "owner_name"));
    fact(&mut facts, "Receipt", text(expense, "receipt_id"));
    if expense["split"].is_object() {
        let split = &expense["split"];
        let parts = items(&split["parts"]).len();
        let of = format!("one of {parts} parts of {} in all", money(&split["total"]));
        fact(&mut facts, "Split", of);
        fact(&mut facts, "Personal part", money(&split["personal"]));
    }
    if expense["submission"].as_u64().is_some_and(|number| number > 0) {
        fact(&mut facts, "Submission", format!("{}.{}", text(expense, "id"), text(expense, "submission")));
    }
    fact(&mut facts, "Changed", moment(&expense["updated_at"]));
    let remarks = remarks(expense);
    if !remarks.is_empty() {
        facts.push("To look at".to_owned());
        facts.push(bullets(&remarks));
    }
    facts.join("\n")
}

/// How sure the best candidate of each field is.
pub(crate) fn reading(reading: &Value) -> String {
    let drafted = reading["drafted"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
    let receipt = &reading["receipts"][drafted];
    let mut table = Table::new(&[
        ("READ", Align::Left),
        ("SURE", Align::Right),
        ("VALUE", Align::Left),
        ("AS PRINTED", Align::Left),
    ]);
    for field in ["merchant", "date", "amount", "tax", "receipt_number"] {
        let best = &receipt[field][0];
        if best.is_null() {
            continue;
        }
        let value = if best["value"].is_object() { money(&best["value"]) } else { text(best, "value") };
        let sure = best["confidence"].as_f64().map_or_else(String::new, |share| format!("{:.0} %", share * 100.0));
        table.row([field.to_owned(), sure, cut(&value, 30), text(best, "text")]);
    }
    table.render("")
}

/// A receipt and where to see it.
pub(crate) fn receipt(receipt: &Value) -> String {
    let mut facts = vec![format!("{}  {}", text(receipt, "id"), text(receipt, "status"))];
    fact(&mut facts, "Expense", text(receipt, "expense_id"));
    fact(&mut facts, "Failure", text(&receipt["failure"], "message"));
    facts.push(links(receipt));
    facts.join("\n")
}

/// The pictures' addresses.
fn links(receipt: &Value) -> String {
    let views = &receipt["views"];
    let mut lines = Vec::new();
    for name in ["original", "preview", "thumbnail"] {
        if let Some(address) = views[name].as_str() {
            // Whole, however long: it is to be copied.
            lines.push(format!("{name:<10} {}", clean(address)));
        }
    }
    for page in items(&receipt["pages"]).iter().skip(1) {
        lines.push(format!("page {:<5} {}", text(page, "page"), text(page, "preview")));
    }
    if !lines.is_empty() {
        lines.insert(0, "Links for five minutes; whoever has one can see the receipt:".to_owned());
    }
    lines.join("\n")
}

/// Who did it: by name where it is a person.
fn actor(event: &Value) -> String {
    let actor = &event["metadata"]["actor"];
    let names = [text(event, "actor_name"), text(actor, "id"), text(actor, "type")];
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}

/// The comment of a decision.
pub(crate) fn comment(event: &Value) -> String {
    let said = format!("{} says: {}", actor(event), text(&event["change"], "comment"));
    wrapped(&said, "")
}

/// Who did what and when.
pub(crate) fn history(events: &[Value]) -> String {
    let mut lines = Vec::new();
    for event in events {
        let metadata = &event["metadata"];
        lines.push(format!("{}  {}  {}", moment(&metadata["occurred_at"]), text(event, "type"), actor(event)));
        let mut changes = Vec::new();
        flatten(&event["change"], "", &mut changes);
        lines.extend(changes.iter().map(|change| wrapped(change, "    ")));
    }
    lines.join("\n")
}

/// `a.b: value`, one per leaf; amounts as amounts, before and after as an arrow.
fn flatten(value: &Value, name: &str, lines: &mut Vec<String>) {
    let show = |value: &Value| match value {
        Value::String(text) => clean(text),
        Value::Null => "nothing".to_owned(),
        Value::Object(_) if value["minor_units"].is_i64() => money(value),
        other => clean(&other.to_string()),
    };
    match value {
        Value::Object(members) if members.contains_key("before") || members.contains_key("after") => {
            let (before, after) = (&value["before"], &value["after"]);
            if before.is_object() && after.is_object() && !before["minor_units"].is_i64() {
                let names: std::collections::BTreeSet<_> =
                    [before, after].iter().filter_map(|side| side.as_object()).flat_map(|side| side.keys()).collect();
                for member in names.into_iter().filter(|member| before[*member] != after[*member]) {
                    let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                    lines.push(format!("{name}: {} → {}", show(&before[member]), show(&after[member])));
                }
            } else {
                lines.push(format!("{name}: {} → {}", show(before), show(after)));
            }
        }
        Value::Object(members) if !value["minor_units"].is_i64() => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(value, &name, lines);
            }
        }
        Value::Null => {}
        other => lines.push(format!("{name}: {}", show(other))),
    }
}

/// Reports, one per row.
pub(crate) fn reports(reports: &[Value]) -> String {
    let mut table = Table::new(&[("MADE", Align::Left), ("SUBMITTED", Align::Left), ("TITLE", Align::Left)]);
    for report in reports {
        let day = |member: &str| text(report, member).chars().take(10).collect::<String>();
        table.row_with([day("created_at"), day("submitted_at"), text(report, "title")], text(report, "id"));
    }
    table.render("")
}

/// One report with its expenses.
pub(crate) fn report(report: &Value) -> String {
    let mut lines = vec![format!("{}  {}  {}", text(report, "id"), text(report, "status"), text(report, "title"))];
    let members = items(&report["expenses"]);
    if members.is_empty() {
        lines.push("No expenses yet: slip report add".to_owned());
    } else {
        lines.push(expenses(members));
    }
    for total in items(&report["totals"]) {
        let owed = money(&total["owed"]);
        let owed = if owed == "-" { String::new() } else { format!(", owed {owed}") };
        lines.push(format!("Total {}{owed}", money(&total["amount"])));
    }
    lines.join("\n")
}

/// What waits for a decision, or was decided.
pub(crate) fn approvals(approvals: &[Value]) -> String {
    let mut lines = Vec::new();
    for approval in approvals {
        let expense = &approval["expense"];
        let details = &expense["details"];
        let state = match approval["outcome"].as_str() {
            Some(outcome) => format!("{} {}", clean(outcome), moment(&approval["decided_at"])),
            None => format!("due {}", moment(&approval["due_at"])),
        };
        lines.push(format!("{}  {state}", text(approval, "submission_id")));
        let mut what = vec![money(&details["amount"]), text(details, "date"), text(details, "category")];
        if details["paid_by"] == "company_card" {
            what.push("card".to_owned());
        }
        if !expense["receipt_id"].is_string() {
            what.push("no receipt".to_owned());
        }
        lines.push(format!("  {}  {}", text(details, "merchant"), what.join("  ")));
        lines.push(format!("  {}", text(expense, "owner_name")));
        for (name, member) in [("Note", "note"), ("Report", "report")] {
            let said = text(details, member);
            if !said.is_empty() {
                lines.push(wrapped(&format!("{name}: {said}"), "  "));
            }
        }
        let mut source = expense.clone();
        for member in ["findings", "duplicates"] {
            if source[member].is_null() && source.is_object() {
                source[member] = approval[member].clone();
            }
        }
        let remarks = remarks(&source);
        if !remarks.is_empty() {
            lines.push(bullets(&remarks));
        }
    }
    lines.join("\n")
}

/// Whom a person is recognised by: name and address.
pub(crate) fn person_line(person: &Value) -> String {
    format!("{}  {}", text(person, "name"), text(person, "email")).trim().to_owned()
}

/// How an erasure stands, and what is kept.
pub(crate) fn erasure(erasure: &Value) -> String {
    let mut facts = vec![format!("{}  erasure {}", text(erasure, "person"), text(erasure, "status"))];
    let mut gone = Vec::new();
    flatten(&erasure["erased"], "", &mut gone);
    fact(&mut facts, "Erased", gone.join(", "));
    for kept in items(&erasure["kept"]) {
        let until = Some(text(kept, "until")).filter(|until| !until.is_empty());
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        facts.push(bullets(&[format!("kept{until}: {}. {}", text(kept, "what").replace('_', " "), text(kept, "why"))]));
    }
    facts.join("\n")
}

/// One person.
pub(crate) fn person(person: &Value) -> String {
    let mut facts = vec![person_line(person)];
    fact(&mut facts, "Id", text(person, "id"));
    let manager = Some(text(person, "manager")).filter(|manager| !manager.is_empty());
    fact(&mut facts, "Manager", manager.unwrap_or_else(|| "nobody: finance decides".to_owned()));
    fact(&mut facts, "Roles", words(&person["roles"]));
    fact(&mut facts, "Currency", text(person, "currency"));
    fact(&mut facts, "Locale", text(person, "locale"));
    let delegation = &person["delegation"];
    if delegation.is_object() {
        let until =
            format!("{}, {} to {}", text(delegation, "delegate"), text(delegation, "from"), text(delegation, "until"));
        fact(&mut facts, "Delegate", until);
    }
    if person["active"] == false {
        fact(&mut facts, "Active", "no".to_owned());
    }
    if person["mail_undeliverable"] == true {
        let remedy = "comes back, so none is sent. Once it arrives again: slip people set PERSON --mail-arrives";
        fact(&mut facts, "Mail", remedy.to_owned());
    }
    facts.join("\n")
}

/// People, one per row, the id below.
pub(crate) fn people(people: &[Value]) -> String {
    let mut table = Table::new(&[("NAME", Align::Left), ("ROLES", Align::Left), ("EMAIL", Align::Left)]);
    for person in people {
        let mut roles = words(&person["roles"]);
        if person["active"] == false {
            roles = "not active".to_owned();
        }
        table.row_with([text(person, "name"), roles, text(person, "email")], text(person, "id"));
    }
    table.render("")
}

/// An export and its files.
pub(crate) fn export(export: &Value) -> String {
    let mut facts = vec![format!(
        "{}  {} {} %  {} {}",
        text(export, "id"),
        text(export, "status"),
        text(export, "progress"),
        text(export, "scope"),
        text(export, "kind"),
    )];
    if export["from"].is_string() {
        fact(&mut facts, "Days", format!("{} to {}", text(export, "from"), text(export, "until")));
    }
    fact(&mut facts, "Rows", text(export, "rows"));
    fact(&mut facts, "Failure", text(export, "failure"));
    for file in items(&export["files"]) {
        fact(&mut facts, "File", format!("{} ({} bytes)", text(file, "name"), text(file, "size_bytes")));
    }
    facts.join("\n")
}

/// Budgets and what is used of them.
pub(crate) fn budgets(budgets: &[Value]) -> String {
    let mut table = Table::new(&[
        ("CATEGORY", Align::Left),
        ("PERIOD", Align::Left),
        ("BUDGET", Align::Right),
        ("USED", Align::Right),
        ("%", Align::Right),
    ]);
    for budget in budgets {
        let cells = [
            text(budget, "category"),
            text(budget, "period"),
            money(&budget["amount"]),
            money(&budget["current"]["used"]),
            text(&budget["current"], "percent"),
        ];
        let beside: Vec<String> = items(&budget["current"]["not_converted"]).iter().map(money).collect();
        if beside.is_empty() {
            table.row(cells);
        } else {
            table.row_with(cells, format!("and without a rate: {}", beside.join(", ")));
        }
    }
    table.render("No budgets are set.")
}

/// Sums per month, category and currency, and what of the approved is owed to employees. Currencies are never added up.
pub(crate) fn spend(spend: &Value) -> String {
    let mut table = Table::new(&[
        ("MONTH", Align::Left),
        ("CATEGORY", Align::Left),
        ("CURRENCY", Align::Left),
        ("SUBMITTED", Align::Right),
        ("APPROVED", Align::Right),
        ("OWED", Align::Right),
        ("REIMBURSED", Align::Right),
    ]);
    for month in items(&spend["months"]) {
        for sums in items(&month["sums"]) {
            table.row([
                text(month, "month"),
                text(sums, "category"),
                text(sums, "currency"),
                number(&sums["submitted"]["amount"]),
                number(&sums["approved"]["amount"]),
                number(&sums["approved"]["owed"]),
                number(&sums["reimbursed"]["amount"]),
            ]);
        }
    }
    table.render("Nothing was spent in these months.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example() -> Value {
        json!({
            "id": "exp_00000000000000000000000000000001", "status": "draft", "submission": 0, "version": 2,
            "details": {"merchant": "Café\u{1b}[31m", "date": "2026-03-12", "category": "meals",
                "amount": {"minor_units": 2340, "currency": "EUR"}, "paid_by": "company_card"},
            "missing": ["note"], "readiness": "needs_review",
            "review": [{"field": "amount", "doubt": "unsure", "message": "Compare it with the receipt."}],
            "findings": [{"rule": "max_age", "severity": "blocks", "field": "date", "message": "It is too old."}],
            "duplicates": [
                {"kind": "same_file", "whose": "someone_else", "dismissed": false},
                {"kind": "same_purchase", "whose": "same_owner", "expense_id": "exp_2", "dismissed": true},
            ],
            "converted": {"amount": {"minor_units": 2500, "currency": "USD"}, "rate": "1.0876", "base": "EUR",
                "quote": "USD", "date": "2026-03-11", "source": "ECB"},
            "owed": {"minor_units": 0, "currency": "EUR"},
            "created_at": "2026-03-12T10:00:00Z", "updated_at": "2026-03-12T10:00:00.123Z",
        })
    }

    #[test]
    fn an_expense_is_shown_with_all_that_needs_a_look() {
        let text = expense(&example());
        for part in [
            "23.40 EUR",
            "rate 1.0876 EUR/USD of 2026-03-11, ECB",
            "Owed             0.00 EUR",
            "missing: note",
            "check amount: Compare it",
            "not allowed (max_age)",
            "the same file as someone else's expense",
            "2026-03-12 10:00 UTC",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains("exp_2") && !text.contains('\u{1b}'), "{text}");
        let row = expenses(&[example()]);
        assert!(row.contains("meals  blocked, needs review, card"), "{row}");
    }

    #[test]
    fn history_tells_before_and_after() {
        let events = [
            json!({
                "type": "ExpenseEdited", "actor_name": "Emma (emma@example.com)",
                "metadata": {"occurred_at": "2026-03-12T10:00:00Z", "actor": {"type": "person", "id": "abc"}},
                "change": {"before": {"category": "meals", "note": "x"}, "after": {"category": "travel", "note": "x"}},
            }),
            json!({
                "type": "ExpenseReimbursed",
                "metadata": {"occurred_at": "2026-03-13T10:00:00Z", "actor": {"type": "person", "id": "ghi"}},
                "change": {"reference": "SEPA-1", "amount": {"minor_units": 100, "currency": "EUR"}},
            }),
        ];
        assert_eq!(
            history(&events),
            "2026-03-12 10:00 UTC  ExpenseEdited  Emma (emma@example.com)\n    category: meals → travel\n\
             2026-03-13 10:00 UTC  ExpenseReimbursed  ghi\n    amount: 1.00 EUR\n    reference: SEPA-1"
        );
    }

    #[test]
    fn spend_keeps_currencies_apart() {
        let yen = |minor: i64| json!({"minor_units": minor, "currency": "JPY"});
        let sum = |minor: i64| json!({"count": 1, "amount": yen(minor), "owed": yen(minor - 1)});
        let text = spend(&json!({"months": [{"month": "2026-03", "sums": [
            {"category": "meals", "currency": "JPY", "submitted": sum(5), "approved": sum(6), "reimbursed": sum(7)},
        ]}]}));
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["2026-03", "meals", "JPY", "5", "6", "5", "7"]);
    }
}
