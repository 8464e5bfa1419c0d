//! Instants and spans, as operators type and read them.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// An instant as typed: `2026-03-12`, `2026-03-12T14:00`, `2026-03-12T14:00:05Z`, or so long ago: `90m`, `36h`, `7d`. All of it
/// UTC unless it says otherwise, as everything that the system writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, Timestamp::now())
    }
}

impl Instant {
    fn parse(text: &str, now: Timestamp) -> Result<Self, String> {
        let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok();
        // The parser would pass over a zone's name, and that hour would be another.
        let plain = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | ' ' | 'T' | 't');
        let civil = |text: &str| text.parse::<DateTime>().ok().filter(|_| text.chars().all(plain));
        text.parse::<Timestamp>()
            .ok()
            .or_else(|| civil(text).and_then(utc))
            .or_else(|| if text == "now" { Some(now) } else { Span::from_str(text).ok().map(|Span(ago)| now - ago) })
            .map(Self)
            .ok_or_else(|| {
                "give a date (2026-03-12), an instant (2026-03-12T14:00:05Z), or how long ago (90m, 36h, 7d); UTC \
                 unless it says otherwise"
                    .to_owned()
            })
    }
}

/// A length of time as typed: `45s`, `90m`, `36h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) SignedDuration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || "give a number with s, m, h or d, for example 90m".to_owned();
        let (number, seconds) = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
            .ok_or_else(fault)?;
        let number: u32 = number.parse().map_err(|_| fault())?;
        // A hundred years are more than anything here remembers, and calendars can still subtract them.
        let whole = i64::from(number).checked_mul(seconds).filter(|whole| *whole <= 36_500 * 86_400);
        whole.map(|whole| Self(SignedDuration::from_secs(whole))).ok_or_else(fault)
    }
}

/// A length of time to read: `250 ms`, `2.3 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`.
pub(crate) fn span(length: SignedDuration) -> String {
    let millis = length.as_millis().max(0);
    let (seconds, minutes, hours, days) = (millis / 1000, millis / 60_000, millis / 3_600_000, millis / 86_400_000);
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// An instant to read, to the millisecond.
pub(crate) fn instant(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// An instant to read, to the second.
pub(crate) fn second(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long something has been.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form() {
        let now: Timestamp = "2026-03-12T12:00:00Z".parse().unwrap();
        let read = |text: &str| Instant::parse(text, now).unwrap().0.to_string();
        assert_eq!(read("2026-03-01"), "2026-03-01T00:00:00Z");
        assert_eq!(read("2026-03-01T14:30"), "2026-03-01T14:30:00Z");
        assert_eq!(read("2026-03-01 14:30:05"), "2026-03-01T14:30:05Z");
        assert_eq!(read("2026-03-01t14:30"), "2026-03-01T14:30:00Z");
        assert_eq!(read("2026-03-01T14:30:05+01:00"), "2026-03-01T13:30:05Z");
        assert_eq!(read("90m"), "2026-03-12T10:30:00Z");
        assert_eq!(read("2d"), "2026-03-10T12:00:00Z");
        assert_eq!(read("now"), "2026-03-12T12:00:00Z");
        for wrong in
            ["2026-03-01T14:30[Europe/Berlin]", "", "yesterday", "12", "m", "2026-02-30", "-3h", "99999999d", "ä"]
        {
            let error = Instant::parse(wrong, now).unwrap_err();
            assert!(error.contains("2026-03-12"), "{wrong}: {error}");
        }
    }

    #[test]
    fn spans_are_short_at_every_length() {
        let texts =
            [0, 250, 2_345, 250_000, 11_100_000, 187_200_000].map(|millis| span(SignedDuration::from_millis(millis)));
        assert_eq!(texts, ["0 ms", "250 ms", "2.3 s", "4 min 10 s", "3 h 5 min", "2 d 4 h"]);
        assert_eq!(span(SignedDuration::from_secs(-5)), "0 ms", "clocks differ");
    }
}
