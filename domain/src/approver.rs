//! Who is asked to decide.
//!
//! At each level there are ranks: whoever comes first, whoever comes after them, and so on. At the first level they
//! are the submitter's managers upwards, then finance; at the second finance, or the managers from the second one up. In
//! a delegation's days the delegate stands where the person does. The submitter stands nowhere, and who has left neither.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use slipstream_events::{PersonId, PersonState, ReassignmentReason, Role, SecondLevel};

/// The most managers that are asked for upwards.
pub const MAX_LINE: usize = 16;

/// Nobody can be asked. The submission waits, and operators are told: money is never released for want of an
/// approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody can be asked: the submitter has no other active manager and there is no other active finance person")]
pub struct NobodyToAsk;

/// A level of approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The submitter's manager.
    First,
    /// Whoever the policy says beyond that.
    Second(SecondLevel),
}

/// Somebody who may be asked, by the place they stand at: their own, or that of whom they stand in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    decides: PersonId,
    place: PersonId,
}

/// Everyone who may be asked about one submitter's expenses, as they are on a day.
#[derive(Debug, Clone)]
pub struct Organisation {
    submitter: PersonId,
    people: BTreeMap<PersonId, PersonState>,
    today: Date,
}

impl Organisation {
    /// Of `submitter` on `today`. `people` are the submitter, everyone in finance, the managers upwards, and the delegates
    /// of all of them and theirs in turn; who is not among them does not exist.
    pub const fn new(submitter: PersonId, people: BTreeMap<PersonId, PersonState>, today: Date) -> Self {
        Self { submitter, people, today }
    }

    fn person(&self, id: PersonId) -> Option<&PersonState> {
        self.people.get(&id)
    }

    /// The managers upwards from the submitter's, each once: a circle ends where it closes.
    fn managers(&self) -> Vec<&PersonState> {
        let mut line: Vec<&PersonState> = Vec::new();
        let mut next = self.person(self.submitter).and_then(|submitter| submitter.manager);
        while let Some(manager) = next.and_then(|id| self.person(id)) {
            if manager.id == self.submitter || line.iter().any(|known| known.id == manager.id) || line.len() == MAX_LINE
            {
                break;
            }
            line.push(manager);
            next = manager.manager;
        }
        line
    }

    fn may_decide(&self, person: &PersonState) -> bool {
        person.active && person.id != self.submitter
    }

    /// Who decides where `person` stands: they, or in a delegation's days their delegate, whose own delegate stands in for
    /// them in turn; or nobody, where that is the submitter. A delegate who has left stands in for nobody, and a circle
    /// ends where it closes.
    fn standing(&self, person: &PersonState) -> Option<Candidate> {
        let mut line = vec![person];
        while let Some(delegate) = line.last().and_then(|last| delegation_of(last, self.today)) {
            match self.person(delegate).filter(|delegate| delegate.active) {
                Some(delegate) if line.iter().all(|known| known.id != delegate.id) => line.push(delegate),
                _ => break,
            }
        }
        let decides = line.last().filter(|last| person.active && self.may_decide(last))?;
        Some(Candidate { decides: decides.id, place: person.id })
    }

    /// Everyone in finance who may decide; those whom somebody stands in for only by their delegate.
    fn finance(&self) -> BTreeSet<Candidate> {
        self.in_finance().filter_map(|person| self.standing(person)).collect()
    }

    fn in_finance(&self) -> impl Iterator<Item = &PersonState> {
        self.people.values().filter(|person| person.roles.contains(&Role::Finance))
    }

    /// Who may be asked at a level, whoever comes first before the others. Those of one rank are equal.
    fn ranks(&self, level: Level) -> Vec<BTreeSet<Candidate>> {
        let line = self.managers();
        let from = |first: usize| line.iter().skip(first).filter_map(|manager| self.standing(manager));
        let single = |candidate: Candidate| BTreeSet::from([candidate]);
        let mut ranks: Vec<_> = match level {
            Level::First => from(0).map(single).collect(),
            Level::Second(SecondLevel::ManagersManager) => from(1).map(single).collect(),
            Level::Second(SecondLevel::Finance) => Vec::new(),
        };
        ranks.push(self.finance());
        // Rather somebody who is away than nobody: the manager whose delegate is the submitter, say.
        let themselves = |person: &PersonState| Candidate { decides: person.id, place: person.id };
        ranks.extend(line.iter().filter(|manager| self.may_decide(manager)).map(|manager| single(themselves(manager))));
        ranks.push(self.in_finance().filter(|person| self.may_decide(person)).map(themselves).collect());
        ranks
    }

    /// Who is passed over with somebody who does not answer: they, and those for whom they stand in, so that the end of a
    /// delegation does not bring a step back that has gone on.
    pub fn passed_over_with(&self, level: Level, asked: PersonId) -> BTreeSet<PersonId> {
        let theirs = self.ranks(level).into_iter().flatten().filter(|candidate| candidate.decides == asked);
        theirs.map(|candidate| candidate.place).chain([asked]).collect()
    }

    /// Who is asked at a level: the first rank of which somebody is left beside those that were `passed_over`; of equals
    /// whoever is asked already, else the one with the lowest id, so that a repetition asks the same person. Those whom
    /// mail does not reach are asked only where nobody else is left, and those passed over only after that.
    ///
    /// # Errors
    /// [`NobodyToAsk`] when nobody is left.
    pub fn choose(
        &self,
        level: Level,
        passed_over: &[PersonId],
        asked: Option<PersonId>,
    ) -> Result<PersonId, NobodyToAsk> {
        let ranks = self.ranks(level);
        let reachable = |one: &Candidate| self.person(one.decides).is_some_and(|person| !person.mail_undeliverable);
        // Nor whoever stands in by now for one who was passed over.
        let fresh = |one: &Candidate| ![one.decides, one.place].iter().any(|id| passed_over.contains(id));
        let first = |left: &dyn Fn(&Candidate) -> bool| {
            ranks.iter().find_map(|rank| {
                let mut left = rank.iter().copied().filter(left).peekable();
                let lowest = *left.peek()?;
                Some(left.find(|one| Some(one.decides) == asked).unwrap_or(lowest).decides)
            })
        };
        first(&|one| fresh(one) && reachable(one))
            .or_else(|| first(&fresh))
            .or_else(|| first(&|_| true))
            .ok_or(NobodyToAsk)
    }

    /// Whether somebody who has said yes at the first level stands at the second, too, or nobody else is left there: then
    /// they are not asked twice.
    pub fn stands_at_second(&self, level: SecondLevel, decided_by: PersonId) -> bool {
        let asked = |passed_over: &[PersonId]| self.choose(Level::Second(level), passed_over, None);
        let stands = match level {
            SecondLevel::Finance => self.finance().iter().any(|candidate| candidate.decides == decided_by),
            SecondLevel::ManagersManager => asked(&[]) == Ok(decided_by),
        };
        stands || asked(&[decided_by]) == Ok(decided_by)
    }

    /// Why `from` is not asked any more.
    pub fn reason(&self, from: PersonId) -> ReassignmentReason {
        match self.person(from) {
            None | Some(PersonState { active: false, .. }) => ReassignmentReason::Left,
            Some(person) if delegation_of(person, self.today).is_some() => ReassignmentReason::Delegated,
            Some(PersonState { mail_undeliverable: true, .. }) => ReassignmentReason::MailUndeliverable,
            Some(_) => ReassignmentReason::ResponsibilityChanged,
        }
    }
}

/// Who stands in for a person on a day, if somebody does.
pub fn delegation_of(person: &PersonState, today: Date) -> Option<PersonId> {
    let delegation = person.delegation.as_ref()?;
    (delegation.from <= today && today <= delegation.until).then_some(delegation.delegate)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use slipstream_events::Delegation;

    use super::*;

    const TODAY: Date = date(2026, 4, 7);

    fn id(n: u8) -> PersonId {
        format!("00000000-0000-4000-8000-0000000000{n:02x}").parse().unwrap()
    }

    fn person(n: u8) -> PersonState {
        PersonState {
            id: id(n),
            version: 1,
            manager: None,
            delegation: None,
            roles: vec![],
            currency: None,
            locale: None,
            active: true,
            mail_undeliverable: false,
        }
    }

    fn under(n: u8, manager: u8) -> PersonState {
        PersonState { manager: Some(id(manager)), ..person(n) }
    }

    fn finance(n: u8) -> PersonState {
        PersonState { roles: vec![Role::Finance], ..person(n) }
    }

    fn away(person: PersonState, delegate: u8, from: Date, until: Date) -> PersonState {
        PersonState { delegation: Some(Delegation { delegate: id(delegate), from, until }), ..person }
    }

    fn left(person: PersonState) -> PersonState {
        PersonState { active: false, ..person }
    }

    fn unreachable(person: PersonState) -> PersonState {
        PersonState { mail_undeliverable: true, ..person }
    }

    /// Person 1 submits.
    fn organisation(people: &[PersonState]) -> Organisation {
        Organisation::new(id(1), people.iter().map(|person| (person.id, person.clone())).collect(), TODAY)
    }

    #[test]
    fn who_is_asked_first() {
        let (first, last) = (date(2026, 4, 1), date(2026, 4, 14));
        let cases: &[(&str, &[PersonState], Result<u8, NobodyToAsk>)] = &[
            ("the manager", &[under(1, 2), person(2), finance(9)], Ok(2)),
            ("no manager: finance, the lowest id", &[person(1), finance(9), finance(8)], Ok(8)),
            ("own manager: finance", &[under(1, 1), finance(9)], Ok(9)),
            ("a manager nobody knows: finance", &[under(1, 2), finance(9)], Ok(9)),
            ("manager left: the next one up", &[under(1, 2), left(under(2, 3)), person(3), finance(9)], Ok(3)),
            ("all managers left: finance", &[under(1, 2), left(under(2, 3)), left(person(3)), finance(9)], Ok(9)),
            ("a circle through the submitter", &[under(1, 2), left(under(2, 1)), finance(9)], Ok(9)),
            ("a circle of managers", &[under(1, 2), left(under(2, 3)), left(under(3, 2)), finance(9)], Ok(9)),
            ("the delegate on the first day", &[under(1, 2), away(person(2), 3, TODAY, last), person(3)], Ok(3)),
            ("the delegate on the last day", &[under(1, 2), away(person(2), 3, first, TODAY), person(3)], Ok(3)),
            ("not before", &[under(1, 2), away(person(2), 3, date(2026, 4, 8), last), person(3)], Ok(2)),
            ("not after", &[under(1, 2), away(person(2), 3, first, date(2026, 4, 6)), person(3)], Ok(2)),
            ("delegate left: the manager", &[under(1, 2), away(person(2), 3, first, last), left(person(3))], Ok(2)),
            (
                "the delegate of a manager who has left: the next one up",
                &[under(1, 2), left(away(under(2, 4), 3, first, last)), person(3), person(4)],
                Ok(4),
            ),
            (
                "the delegate is the submitter: the next one up",
                &[under(1, 2), away(under(2, 3), 1, first, last), person(3)],
                Ok(3),
            ),
            (
                "the delegate is the submitter, nobody above: finance",
                &[under(1, 2), away(person(2), 1, first, last), finance(9)],
                Ok(9),
            ),
            ("… and no finance: the manager, away or not", &[under(1, 2), away(person(2), 1, first, last)], Ok(2)),
            ("finance is the submitter: another of them", &[finance(1), finance(9)], Ok(9)),
            ("finance is away: their delegate", &[person(1), away(finance(9), 3, first, last), person(3)], Ok(3)),
            (
                "the delegate is away, too: theirs",
                &[under(1, 2), away(person(2), 3, first, last), away(person(3), 4, first, last), person(4)],
                Ok(4),
            ),
            (
                "the delegate's delegate is the submitter: the next one up",
                &[under(1, 2), away(under(2, 9), 3, first, last), away(person(3), 1, first, last), person(9)],
                Ok(9),
            ),
            (
                "two who stand in for one another: the one who was named",
                &[under(1, 2), away(person(2), 3, first, last), away(person(3), 2, first, last)],
                Ok(3),
            ),
            (
                "finance's delegate is the submitter, and nobody else is there: finance, away or not",
                &[person(1), away(finance(9), 1, first, last)],
                Ok(9),
            ),
            ("mail does not arrive: the next one up", &[under(1, 2), unreachable(under(2, 3)), person(3)], Ok(3)),
            ("… unless nobody else is there", &[under(1, 2), unreachable(person(2))], Ok(2)),
            ("finance left", &[person(1), left(finance(9))], Err(NobodyToAsk)),
            ("only oneself", &[finance(1)], Err(NobodyToAsk)),
        ];
        for (name, people, expected) in cases {
            assert_eq!(organisation(people).choose(Level::First, &[], None), expected.map(id), "{name}");
        }
    }

    #[test]
    fn who_is_asked_second() {
        use SecondLevel::{Finance, ManagersManager};
        let line = [under(1, 2), under(2, 3), under(3, 4), person(4), finance(8), finance(9)];
        let second = |people: &[PersonState], which, passed: &[u8]| {
            let passed: Vec<_> = passed.iter().map(|n| id(*n)).collect();
            organisation(people).choose(Level::Second(which), &passed, None)
        };
        assert_eq!(second(&line, Finance, &[2]), Ok(id(8)));
        assert_eq!(second(&line, ManagersManager, &[2]), Ok(id(3)));
        assert_eq!(second(&line, ManagersManager, &[3]), Ok(id(4)), "who decided at the first level decides once");
        let short = [under(1, 2), person(2), finance(9)];
        assert_eq!(second(&short, ManagersManager, &[2]), Ok(id(9)), "nobody above the manager: finance");
        let own = [under(1, 2), under(2, 1), finance(1), finance(9)];
        assert_eq!(second(&own, ManagersManager, &[2]), Ok(id(9)), "the second level is the submitter");
        assert_eq!(second(&own, Finance, &[2]), Ok(id(9)), "the second level is the submitter");
        let stood_in_for = [under(1, 2), person(2), away(finance(9), 2, TODAY, TODAY)];
        assert_eq!(
            second(&stood_in_for, Finance, &[2]),
            Ok(id(9)),
            "not their delegate, who decided at the first level"
        );
    }

    #[test]
    fn one_person_at_two_levels_decides_once() {
        let people = [under(1, 2), PersonState { roles: vec![Role::Finance], ..under(2, 3) }, person(3), finance(9)];
        let organisation = organisation(&people);
        assert!(organisation.stands_at_second(SecondLevel::Finance, id(2)), "the manager is in finance");
        assert!(!organisation.stands_at_second(SecondLevel::Finance, id(3)));
        assert!(!organisation.stands_at_second(SecondLevel::ManagersManager, id(2)));
        assert!(
            organisation.stands_at_second(SecondLevel::ManagersManager, id(3)),
            "asked as delegate or after a while"
        );
        let alone = [PersonState { manager: Some(id(2)), ..finance(1) }, person(2)];
        let alone = self::organisation(&alone);
        for level in [SecondLevel::Finance, SecondLevel::ManagersManager] {
            assert!(alone.stands_at_second(level, id(2)), "there is nobody else but the submitter");
        }
    }

    #[test]
    fn what_has_gone_on_does_not_come_back_with_a_delegation() {
        let (before, after) = (
            [under(1, 2), under(2, 5), person(3), person(5)],
            [under(1, 2), away(under(2, 5), 3, TODAY, TODAY), person(3), person(5)],
        );
        // The manager has not answered, and then names a delegate.
        let passed: Vec<_> = organisation(&before).passed_over_with(Level::First, id(2)).into_iter().collect();
        assert_eq!(passed, [id(2)]);
        assert_eq!(organisation(&after).choose(Level::First, &passed, Some(id(5))), Ok(id(5)));
        // Their delegate has not answered, and then they are back.
        let passed: Vec<_> = organisation(&after).passed_over_with(Level::First, id(3)).into_iter().collect();
        assert_eq!(passed, [id(2), id(3)]);
        assert_eq!(organisation(&before).choose(Level::First, &passed, Some(id(5))), Ok(id(5)));
    }

    #[test]
    fn escalation_goes_up_and_whoever_is_asked_stays_asked() {
        let people = [under(1, 2), under(2, 3), person(3), finance(8), finance(9)];
        let organisation = organisation(&people);
        let next = |passed: &[u8], asked| {
            let passed: Vec<_> = passed.iter().map(|n| id(*n)).collect();
            organisation.choose(Level::First, &passed, asked)
        };
        assert_eq!(next(&[2], Some(id(2))), Ok(id(3)));
        assert_eq!(next(&[2, 3], Some(id(3))), Ok(id(8)));
        assert_eq!(next(&[2, 3], Some(id(9))), Ok(id(9)), "one of equals is asked already: nobody else is");
        assert_eq!(next(&[2, 3, 9], Some(id(9))), Ok(id(8)));
        assert_eq!(next(&[2, 3, 8, 9], Some(id(9))), Ok(id(2)), "everyone was: from the beginning");
    }

    #[test]
    fn the_reason_is_what_the_profile_says() {
        let people = [person(1), left(person(2)), away(person(3), 4, TODAY, TODAY), unreachable(person(4)), person(5)];
        let organisation = organisation(&people);
        for (n, reason) in [
            (2, ReassignmentReason::Left),
            (3, ReassignmentReason::Delegated),
            (4, ReassignmentReason::MailUndeliverable),
            (5, ReassignmentReason::ResponsibilityChanged),
            (6, ReassignmentReason::Left),
        ] {
            assert_eq!(organisation.reason(id(n)), reason, "{n}");
        }
    }

    fn anyone(size: u8) -> impl Strategy<Value = Vec<PersonState>> {
        let one = (
            prop::option::of(0..size),
            prop::option::of(0..size),
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.8),
            any::<bool>(),
        );
        prop::collection::vec(one, usize::from(size)).prop_map(|people| {
            let numbered = (0_u8..).zip(people);
            numbered
                .map(|(n, (manager, delegate, in_finance, active, mail_undeliverable))| PersonState {
                    manager: manager.map(id),
                    delegation: delegate.map(|delegate| Delegation {
                        delegate: id(delegate),
                        from: TODAY,
                        until: TODAY,
                    }),
                    roles: if in_finance { vec![Role::Finance] } else { vec![] },
                    active,
                    mail_undeliverable,
                    ..person(n)
                })
                .collect()
        })
    }

    proptest! {
        /// Whatever the organisation is: the submitter is never asked and nobody who has left; somebody is, while anybody
        /// may be; and asking again asks the same person.
        #[test]
        fn the_submitter_is_never_asked(people in anyone(8), passed in prop::collection::vec(0_u8..8, 0..5), asked in prop::option::of(0_u8..8)) {
            let organisation = organisation(&people);
            let passed: Vec<_> = passed.into_iter().map(id).collect();
            for level in [Level::First, Level::Second(SecondLevel::Finance), Level::Second(SecondLevel::ManagersManager)] {
                match organisation.choose(level, &passed, asked.map(id)) {
                    Ok(chosen) => {
                        prop_assert_ne!(chosen, id(1));
                        prop_assert!(people.iter().any(|person| person.id == chosen && person.active));
                        prop_assert_eq!(organisation.choose(level, &passed, Some(chosen)), Ok(chosen));
                    }
                    Err(NobodyToAsk) => {
                        let manager = people[1].manager.and_then(|id| people.iter().find(|person| person.id == id));
                        prop_assert!(!manager.is_some_and(|manager| manager.active && manager.id != id(1)));
                    }
                }
            }
        }
    }
}
