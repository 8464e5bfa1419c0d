//! What may happen to some people's expenses and to the budgets that these use, at random and by the rules of the domain.

use jiff::{SignedDuration, Timestamp, civil::Date};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use slipstream_domain::{
    expense::{Command, Decision, apply, decide},
    split::{self, Part, Plan},
};
use slipstream_events::{
    Actor, BudgetEvent, BudgetLimit, BudgetPeriod, BudgetState, Category, Cause, Conversion, Currency, Drafted, Event,
    EventBody, ExchangeRate, ExpenseDetails, ExpenseId, ExpenseState, ExpenseStatus, Money, PaidBy, PersonId, Subject,
};

const PEOPLE: [&str; 2] = ["0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a12"];
const APPROVER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a19";
const CATEGORIES: [Category; 2] = [Category::Meals, Category::Travel];
/// The most events of a story.
const MOST: usize = 8;
const LEAST: usize = 3;

/// Events in the order in which they happened.
#[derive(Debug)]
pub struct Story {
    pub events: Vec<Event>,
    /// Whether expenses only ever add to what is used of a budget, and each budget is set once.
    pub steady: bool,
    /// Whether everything is about one budget in one month, so that much happens to it.
    narrow: bool,
}

/// What may happen next to an expense.
#[derive(Clone)]
enum Turn {
    Command(Command),
    /// It is split; the other parts begin.
    Split(Box<Plan>),
    /// Its split is taken back; the other parts go.
    Undo,
}

/// Tells a story.
struct Teller<'a> {
    random: &'a mut StdRng,
    expenses: Vec<ExpenseState>,
    budgets: Vec<BudgetState>,
    story: Story,
}

impl Story {
    pub fn tell(random: &mut StdRng) -> Self {
        let (steady, narrow) = (random.random_bool(0.4), random.random_bool(0.5));
        let mut teller = Teller::new(random, steady, narrow);
        if narrow && !steady && teller.random.random_bool(0.2) {
            teller.take_back_a_refund();
        }
        let (enough, length) = (if narrow { 2 } else { 4 }, teller.random.random_range(LEAST..=MOST));
        // There may be nothing left that can happen.
        for _ in 0..10 * length {
            match teller.random.random_range(0..10) {
                _ if teller.story.events.len() >= length => break,
                0 => teller.change_a_budget(),
                1..3 if teller.expenses.len() < enough => teller.draft(),
                _ => teller.go_on(),
            }
        }
        teller.story
    }
}

/// A refund uses less of a budget, until the decision on it is taken back: then it is used again.
pub fn refund_taken_back() -> Story {
    let mut random = StdRng::seed_from_u64(0);
    let mut teller = Teller::new(&mut random, false, true);
    teller.take_back_a_refund();
    teller.story
}

fn money(minor_units: i64, code: &str) -> Money {
    Money::new(minor_units, code.parse().unwrap())
}

impl<'a> Teller<'a> {
    fn new(random: &'a mut StdRng, steady: bool, narrow: bool) -> Self {
        let story = Story { events: Vec::new(), steady, narrow };
        let mut teller = Self { random, expenses: Vec::new(), budgets: Vec::new(), story };
        if narrow {
            let amount = money(teller.random.random_range(500..=1000), "EUR");
            let limit = BudgetLimit { amount, period: BudgetPeriod::Month };
            teller.budget(CATEGORIES[0], Some(limit));
        }
        teller
    }

    fn cause(&self) -> Cause {
        let minutes = i64::try_from(self.story.events.len()).unwrap();
        let first: Timestamp = "2026-02-10T08:00:00Z".parse().unwrap();
        Cause {
            actor: Actor::System { name: "test".to_owned() },
            at: first + SignedDuration::from_mins(minutes),
            correlation_id: "c-1".parse().unwrap(),
            causation_id: None,
        }
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(self.random).unwrap()
    }

    fn category(&mut self) -> Category {
        if self.story.narrow { CATEGORIES[0] } else { self.one_of(&CATEGORIES) }
    }

    fn details(&mut self) -> ExpenseDetails {
        // A refund takes away from what is used.
        let least = if self.story.steady { 1 } else { -500 };
        let code = if self.story.narrow { "EUR" } else { self.one_of(&["EUR", "EUR", "EUR", "JPY", "KWD"]) };
        let month = if self.story.narrow { 2 } else { self.random.random_range(1..=3) };
        ExpenseDetails {
            merchant: Some("Gasthaus Krone".to_owned()),
            date: Some(Date::new(2026, month, 3).unwrap()),
            amount: Some(money(self.random.random_range(least..=1000), code)),
            category: Some(self.category()),
            paid_by: self.one_of(&[PaidBy::OutOfPocket, PaidBy::CompanyCard]),
            ..ExpenseDetails::default()
        }
    }

    fn draft(&mut self) {
        let details = self.details();
        self.draft_of(details);
    }

    fn draft_of(&mut self, details: ExpenseDetails) {
        let number = self.expenses.len().to_string();
        let drafted = Drafted {
            id: ExpenseId::derived_from(&["life", &number]),
            owner: self.one_of(&PEOPLE).parse().unwrap(),
            details,
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            split: None,
        };
        self.happen(None, Command::Draft(Box::new(drafted)));
    }

    /// Has something happen to one of the expenses.
    fn go_on(&mut self) {
        let Some(at) = (!self.expenses.is_empty()).then(|| self.random.random_range(0..self.expenses.len())) else {
            return self.draft();
        };
        let state = self.expenses[at].clone();
        match self.turns(&state).choose(self.random).cloned() {
            Some(Turn::Command(command)) => self.happen(Some(at), command),
            Some(Turn::Split(plan)) => {
                self.happen(Some(at), Command::SplitUp(Box::new(plan.first)));
                for other in plan.others {
                    self.happen(None, Command::Draft(Box::new(other)));
                }
            }
            Some(Turn::Undo) => self.undo_split(at),
            None => {}
        }
    }

    /// As [`refund_taken_back`].
    fn take_back_a_refund(&mut self) {
        let (submission, step, by) = (1, 1, APPROVER.parse().unwrap());
        for (at, minor_units) in [-500, 1000].into_iter().enumerate() {
            let mut details = self.details();
            details.amount = Some(money(minor_units, "EUR"));
            self.draft_of(details);
            let decision = Decision::Approve { comment: None };
            self.happen(Some(at), Command::Submit { policy_version: 0, findings: Vec::new(), converted: None });
            self.happen(Some(at), Command::Decide { submission, step, by, decision, more_to_ask: false });
        }
        self.happen(Some(0), Command::Reopen { submission, step, disowned_by: by, policy_version: 0 });
        self.happen(Some(0), Command::Withdraw);
    }

    /// What may happen to an expense; what happens often is there more than once.
    fn turns(&mut self, state: &ExpenseState) -> Vec<Turn> {
        let submission = state.submission;
        let by: PersonId = APPROVER.parse().unwrap();
        let decide = |decision, more_to_ask| Command::Decide { submission, step: 1, by, decision, more_to_ask };
        let approve = |more_to_ask| decide(Decision::Approve { comment: None }, more_to_ask);
        let reopen = Command::Reopen { submission, step: 1, disowned_by: by, policy_version: 0 };
        let mut turns = Vec::new();
        let commands = match state.status {
            ExpenseStatus::Draft | ExpenseStatus::ChangesRequested => {
                let mut details = self.details();
                if state.split.is_some() {
                    details.amount = state.details.amount;
                }
                match &state.split {
                    Some(split) if split.of == state.id => turns.push(Turn::Undo),
                    Some(_) => {}
                    None => {
                        turns.extend(
                            split::plan(state, self.halves(state), None).ok().map(|plan| Turn::Split(Box::new(plan))),
                        );
                        turns.push(Turn::Command(Command::Delete));
                    }
                }
                let submit = |converted| Command::Submit { policy_version: 0, findings: Vec::new(), converted };
                let converted = self.conversion(state);
                vec![submit(None), submit(converted.clone()), submit(converted), Command::Edit { details }]
            }
            ExpenseStatus::Submitted => vec![
                Command::RequestApproval { submission, step: 1, approver: by, due_at: self.cause().at },
                Command::RemindApprover { submission, step: 1, approver: by },
                Command::AutoApprove { submission, policy_version: 0 },
                approve(true),
                approve(false),
                approve(false),
                approve(false),
                decide(Decision::Reject { reason: "no".to_owned() }, false),
                decide(Decision::RequestChanges { comment: "more".to_owned() }, false),
                Command::Withdraw,
                Command::Expire { submission, step: 1 },
            ],
            ExpenseStatus::Approved if state.details.paid_by == PaidBy::OutOfPocket => {
                vec![Command::Reimburse { by, reference: None }]
            }
            _ => Vec::new(),
        };
        turns.extend(commands.into_iter().map(Turn::Command));
        let decided = [ExpenseStatus::Approved, ExpenseStatus::Rejected, ExpenseStatus::ChangesRequested];
        if !self.story.steady && decided.contains(&state.status) {
            turns.push(Turn::Command(reopen));
        }
        turns
    }

    /// What the amount is in the company's currency, where that is another and the rate is known.
    fn conversion(&mut self, state: &ExpenseState) -> Option<Conversion> {
        let amount = state.details.amount.filter(|amount| amount.currency != Currency::EUR)?;
        Some(Conversion {
            amount: Money::new(amount.minor_units / 2, Currency::EUR),
            rate: ExchangeRate::ONE,
            base: Currency::EUR,
            quote: amount.currency,
            date: state.details.date?,
            source: "ECB".to_owned(),
        })
    }

    fn halves(&mut self, state: &ExpenseState) -> Vec<Part> {
        let Some(whole) = state.details.amount else { return Vec::new() };
        let half = whole.minor_units / 2;
        let part = |minor_units| Part {
            amount: Money::new(minor_units, whole.currency),
            category: None,
            cost_centre: None,
            project: None,
            note: None,
            paid_by: None,
        };
        vec![part(half), Part { category: Some(self.category()), ..part(whole.minor_units - half) }]
    }

    /// The other parts go, if they still may.
    fn undo_split(&mut self, at: usize) {
        let state = self.expenses[at].clone();
        let is_other = |other: &ExpenseState| other.id != state.id && other.split == state.split;
        let others: Vec<usize> = (0..self.expenses.len()).filter(|&at| is_other(&self.expenses[at])).collect();
        if others.iter().any(|&at| decide(Some(&self.expenses[at]), Command::Delete).is_err()) {
            return;
        }
        self.happen(Some(at), Command::UndoSplit);
        for other in others {
            self.happen(Some(other), Command::Delete);
        }
    }

    /// Has a command carried out on an expense, or on one that does not exist yet.
    fn happen(&mut self, at: Option<usize>, command: Command) {
        let before = at.map(|at| &self.expenses[at]);
        let change = decide(before, command).unwrap();
        let cause = self.cause();
        let after = apply(before, &change, cause.at).unwrap();
        let body = EventBody::of_expense(change, after.clone());
        self.story.events.push(Event::new(Subject::expense(&after), body, &cause));
        match at {
            Some(at) => self.expenses[at] = after,
            None => self.expenses.push(after),
        }
    }

    fn change_a_budget(&mut self) {
        let category = self.category();
        let known = self.budgets.iter().any(|budget| budget.category == category);
        if known && self.story.steady {
            return;
        }
        let is_set = self.story.steady || !known || self.random.random_bool(0.7);
        let limit = is_set.then(|| BudgetLimit {
            amount: money(self.random.random_range(1..=1500), "EUR"),
            period: if self.random.random_bool(0.5) { BudgetPeriod::Month } else { BudgetPeriod::Year },
        });
        self.budget(category, limit);
    }

    /// Sets a category's budget, or takes it away.
    fn budget(&mut self, category: Category, limit: Option<BudgetLimit>) {
        let known = self.budgets.iter().position(|budget| budget.category == category);
        let cause = self.cause();
        let version = known.map_or(0, |at| self.budgets[at].version) + 1;
        let since = Date::new(2026, self.random.random_range(1..=2), 15).unwrap();
        let budget = BudgetState { category, version, since, limit };
        let body = EventBody::BudgetChanged(Box::new(BudgetEvent { budget: budget.clone() }));
        self.story.events.push(Event::new(Subject::budget(category, version), body, &cause));
        match known {
            Some(at) => self.budgets[at] = budget,
            None => self.budgets.push(budget),
        }
    }
}
