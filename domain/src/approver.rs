//! Who is asked to decide: one level here, the submitter's manager or whoever stands in.

use jiff::civil::Date;
use slipstream_events::{PersonId, PersonState};

/// Who is known of those who might be asked.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// The submitter's manager, if the profile names one and it exists.
    pub manager: Option<&'a PersonState>,
    /// The one whom the manager's delegation names, if it exists.
    pub delegate: Option<&'a PersonState>,
    /// Everyone with the finance role.
    pub finance: &'a [PersonState],
}

/// Nobody can be asked. The submission waits, and operators are told: money is never released for want of an
/// approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody can be asked: the submitter has no other active manager and there is no other active finance person")]
pub struct NobodyToAsk;

/// Who decides on `submitter`'s expense on `today`: the manager, in a delegation's days the delegate, and where
/// there is neither, finance (the lowest id, so that a repetition asks the same person). Never the submitter.
///
/// # Errors
/// [`NobodyToAsk`] when nobody is left.
pub fn choose(submitter: PersonId, candidates: Candidates<'_>, today: Date) -> Result<PersonId, NobodyToAsk> {
    let may = |person: &&PersonState| person.active && person.id != submitter;
    let manager = candidates.manager.filter(|manager| manager.active);
    let delegate = manager.and_then(|manager| {
        let delegation = manager.delegation.as_ref()?;
        let now = delegation.from <= today && today <= delegation.until;
        candidates.delegate.filter(|delegate| now && delegate.id == delegation.delegate).filter(may)
    });
    delegate
        .or(manager.filter(may))
        .or_else(|| candidates.finance.iter().filter(may).min_by_key(|person| person.id))
        .map(|person| person.id)
        .ok_or(NobodyToAsk)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use slipstream_events::Delegation;

    use super::*;

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
        }
    }

    fn today() -> Date {
        date(2026, 4, 7)
    }

    #[test]
    fn who_is_asked() {
        let away =
            |from, until| PersonState { delegation: Some(Delegation { delegate: id(3), from, until }), ..person(2) };
        let inactive = |n| PersonState { active: false, ..person(n) };
        let (first, last) = (date(2026, 4, 1), date(2026, 4, 14));
        struct Case {
            name: &'static str,
            manager: Option<PersonState>,
            delegate: Option<PersonState>,
            finance: Vec<PersonState>,
            expected: Result<u8, NobodyToAsk>,
        }
        let case = |name, manager, delegate, finance: &[PersonState], expected| Case {
            name,
            manager,
            delegate,
            finance: finance.to_vec(),
            expected,
        };
        for case in [
            case("the manager", Some(person(2)), None, &[person(9)], Ok(2)),
            case("no manager: finance", None, None, &[person(9), person(8)], Ok(8)),
            case("own manager: finance", Some(person(1)), None, &[person(9)], Ok(9)),
            case("manager left: finance", Some(inactive(2)), None, &[person(9)], Ok(9)),
            case("the delegate on the first day", Some(away(today(), last)), Some(person(3)), &[], Ok(3)),
            case("the delegate on the last day", Some(away(first, today())), Some(person(3)), &[], Ok(3)),
            case("not before the delegation", Some(away(date(2026, 4, 8), last)), Some(person(3)), &[], Ok(2)),
            case("not after the delegation", Some(away(first, date(2026, 4, 6))), Some(person(3)), &[], Ok(2)),
            case("delegate left: the manager", Some(away(first, last)), Some(inactive(3)), &[], Ok(2)),
            case("finance is the submitter: the next", None, None, &[person(1), person(9)], Ok(9)),
            case("finance left", None, None, &[inactive(9)], Err(NobodyToAsk)),
            case("nobody", None, None, &[], Err(NobodyToAsk)),
        ] {
            let candidates =
                Candidates { manager: case.manager.as_ref(), delegate: case.delegate.as_ref(), finance: &case.finance };
            assert_eq!(choose(id(1), candidates, today()), case.expected.map(id), "{}", case.name);
        }
    }

    #[test]
    fn a_delegate_who_is_the_submitter_is_passed_over() {
        let manager = PersonState {
            delegation: Some(Delegation { delegate: id(1), from: today(), until: today() }),
            ..person(2)
        };
        let candidates = Candidates { manager: Some(&manager), delegate: Some(&person(1)), finance: &[] };
        assert_eq!(choose(id(1), candidates, today()), Ok(id(2)));
    }

    proptest! {
        #[test]
        fn the_submitter_is_never_asked(manager in 0u8..6, delegate in 0u8..6, finance in prop::collection::vec(0u8..6, 0..4), active in prop::collection::vec(any::<bool>(), 6)) {
            let make = |n: u8| PersonState { active: active[n as usize], ..person(n) };
            let chief = PersonState {
                delegation: Some(Delegation { delegate: id(delegate), from: today(), until: today() }),
                ..make(manager)
            };
            let delegate = make(delegate);
            let finance: Vec<_> = finance.into_iter().map(make).collect();
            let candidates = Candidates { manager: Some(&chief), delegate: Some(&delegate), finance: &finance };
            if let Ok(asked) = choose(id(1), candidates, today()) {
                prop_assert_ne!(asked, id(1));
                let asked_one = [&chief, &delegate].into_iter().chain(&finance).find(|person| person.id == asked);
                prop_assert!(asked_one.is_some_and(|person| person.active));
            }
        }
    }
}
