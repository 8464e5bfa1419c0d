//! Names of replays, which say what they are for: the name is all that a replayed event carries of its replay
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>).

use jiff::Timestamp;

/// How the names of replays end that have mails sent again.
pub const RESEND: &str = ".resend";
/// The longest name of a replay, in characters.
pub const LONGEST_NAME: usize = 64;
/// What stands before the time in the name of a replay that goes on with another.
const RESUMED: &str = "-resumed-";

/// Under which name mails that a replay sends again are guarded, if it sends any: its own, or that of the replay that
/// it goes on with, so that both together send each once.
pub fn resending(name: &str) -> Option<&str> {
    Some(first(name.strip_suffix(RESEND)?))
}

/// The name of the replay that goes on with one: that of the first, when, and what it is for.
pub fn resumed_name(name: &str, now: Timestamp) -> String {
    let (name, purpose) = name.strip_suffix(RESEND).map_or((name, ""), |name| (name, RESEND));
    let when = format!("{RESUMED}{}{purpose}", now.strftime("%Y%m%dT%H%M%SZ"));
    let kept: String = first(name).chars().take(LONGEST_NAME - when.len()).collect();
    format!("{kept}{when}")
}

/// The longest name that one may give a replay so that those that go on with it have its name in theirs.
pub const LONGEST_GIVEN_NAME: usize = LONGEST_NAME - RESUMED.len() - "20260401T000000Z".len() - RESEND.len();

fn first(name: &str) -> &str {
    name.split(RESUMED).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_with_a_replay_is_of_its_purpose_and_shares_its_guards() {
        let now: Timestamp = "2026-04-01T10:00:00Z".parse().unwrap();
        assert_eq!(resending("slipstream-20260401T000000Z"), None);
        assert_eq!(resumed_name("slipstream-1", now), "slipstream-1-resumed-20260401T100000Z");
        let name = format!("{}{RESEND}", "s".repeat(LONGEST_GIVEN_NAME));
        let once = resumed_name(&name, now);
        let twice = resumed_name(&once, now);
        for resumed in [&once, &twice] {
            assert!(resumed.len() <= LONGEST_NAME, "{resumed}");
            assert_eq!(resending(resumed), resending(&name), "{resumed}");
        }
        assert!(resending(&name).is_some());
        assert!(resumed_name(&"x".repeat(LONGEST_NAME), now).len() <= LONGEST_NAME);
    }
}
