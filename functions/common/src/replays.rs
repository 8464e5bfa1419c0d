//! Names of replays, which say what they are for: the name is all that a replayed event carries of its replay
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>).
//!
//! `slipstream-20260401T000000Z`; the replay that goes on with it is `slipstream-20260401T000000Z.2`; one that has mails sent
//! again ends in `.resend`.

/// How the names of replays end that have mails sent again.
pub const RESEND: &str = ".resend";
/// The longest name of a replay, in characters.
pub const LONGEST_NAME: usize = 64;
/// The longest name that one may give a replay: room for what is added to it.
pub const LONGEST_GIVEN_NAME: usize = LONGEST_NAME - RESEND.len() - ".99".len();

/// Under which name mails that a replay sends again are guarded, if it sends any: its own, or that of the replay that
/// it goes on with, so that both together send each once.
pub fn resending(name: &str) -> Option<&str> {
    Some(parts(name.strip_suffix(RESEND)?).0)
}

/// The name of the replay that goes on with one.
pub fn resumed_name(name: &str) -> String {
    let (name, purpose) = name.strip_suffix(RESEND).map_or((name, ""), |name| (name, RESEND));
    let (first, number) = parts(name);
    format!("{first}.{}{purpose}", number + 1)
}

/// Whether a name may be given: it would not be taken for one that was made of another.
pub fn may_be_given(name: &str) -> bool {
    name.len() <= LONGEST_GIVEN_NAME && !name.ends_with(RESEND) && parts(name).1 == 1
}

/// The name of the first of several replays that go on with each other, and which of them this is.
fn parts(name: &str) -> (&str, u32) {
    let numbered = name.rsplit_once('.').and_then(|(first, number)| Some((first, number.parse().ok()?)));
    numbered.filter(|(_, number)| *number > 1).unwrap_or((name, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_with_a_replay_is_of_its_purpose_and_shares_its_guards() {
        assert_eq!(resending("slipstream-20260401T000000Z"), None);
        assert_eq!(resumed_name("slipstream-1"), "slipstream-1.2");
        assert_eq!(resumed_name("slipstream-1.9"), "slipstream-1.10");
        // The longest name of a stack, and the time.
        let default = format!("{}-20260401T000000Z", "s".repeat(25));
        for given in [default, "s".repeat(LONGEST_GIVEN_NAME)] {
            assert!(may_be_given(&given), "{given}");
            let mut name = given.clone() + RESEND;
            for _ in 1..99 {
                assert_eq!(resending(&name), Some(given.as_str()), "{name}");
                assert!(name.len() <= LONGEST_NAME, "{name}");
                name = resumed_name(&name);
            }
        }
    }

    #[test]
    fn names_that_mean_something_are_not_given() {
        for name in ["slipstream-1.2", "slipstream-1.resend", "slipstream-1.2.resend"] {
            assert!(!may_be_given(name), "{name}");
        }
        assert!(!may_be_given(&"s".repeat(LONGEST_GIVEN_NAME + 1)));
        assert!(may_be_given("slipstream-v1.x") && may_be_given("slipstream-1.0"));
    }
}
