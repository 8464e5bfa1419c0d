//! The link in a mail: which step or which submitted report it is for, and a secret of which the table holds only the
//! hash.
//!
//! The mail of a report has one secret, whose hash stands in every step that the mail covers: so the links to the single
//! expenses, which the report's page makes, are of the same form as that of a mail about one expense.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};
use slipstream_events::{ReportId, SubmissionId};
use subtle::ConstantTimeEq as _;

/// The length of a secret: 256 bits in base64url without padding.
const SECRET_LENGTH: usize = 43;

/// What whoever got the mail has to show for it.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl FromStr for Secret {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (text.len() == SECRET_LENGTH && text.bytes().all(plain)).then(|| Self(text.to_owned())).ok_or(())
    }
}

impl Secret {
    fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    fn is_one_of(&self, hashes: &[String]) -> bool {
        let mine = self.hash();
        hashes.iter().fold(false, |found, hash| found | bool::from(hash.as_bytes().ct_eq(mine.as_bytes())))
    }
}

/// A link: `<submission>.<step>.<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The submission it is about.
    pub submission: SubmissionId,
    /// The step of it.
    pub step: u32,
    secret: Secret,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}.{}.…)", self.submission, self.step)
    }
}

/// The last two parts of a link, and what stands before them.
fn taken_apart(text: &str) -> Result<(&str, u32, Secret), ()> {
    let mut parts = text.rsplitn(3, '.');
    let secret = parts.next().ok_or(())?.parse()?;
    let number = parts.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0).ok_or(())?;
    Ok((parts.next().ok_or(())?, number, secret))
}

impl FromStr for Link {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (submission, step, secret) = taken_apart(text)?;
        Ok(Self { submission: submission.parse().map_err(|_| ())?, step, secret })
    }
}

impl Link {
    /// The hash that the table holds of the secret, in hexadecimal digits.
    pub fn hash(&self) -> String {
        self.secret.hash()
    }

    /// Whether one of `hashes` is that of the secret. Takes the same time whichever it is.
    pub fn is_one_of(&self, hashes: &[String]) -> bool {
        self.secret.is_one_of(hashes)
    }

    /// The link to the report that was submitted with it. Whether the secret is that report's, too, is for its page to
    /// say.
    pub fn to_report(&self, report: &ReportNumber) -> String {
        format!("{}.{}.{}", report.report, report.number, self.secret.0)
    }
}

/// One submission of a report: `<report>.<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportNumber {
    /// Which report.
    pub report: ReportId,
    /// Which submission of it, from 1.
    pub number: u32,
}

impl FromStr for ReportNumber {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (report, number) = text.split_once('.').ok_or(())?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or(())?;
        Ok(Self { report: report.parse().map_err(|_| ())?, number })
    }
}

impl fmt::Display for ReportNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.report, self.number)
    }
}

/// A link to a submitted report: `<report>.<number>.<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct ReportLink {
    /// The submission of the report it is about.
    pub report: ReportNumber,
    secret: Secret,
}

impl fmt::Debug for ReportLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportLink({}.…)", self.report)
    }
}

impl FromStr for ReportLink {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (report, number, secret) = taken_apart(text)?;
        Ok(Self { report: ReportNumber { report: report.parse().map_err(|_| ())?, number }, secret })
    }
}

impl ReportLink {
    /// The link to a single step, with the same secret.
    pub fn of_step(&self, submission: SubmissionId, step: u32) -> Link {
        Link { submission, step, secret: self.secret.clone() }
    }

    /// The address of a single step that it covers, which leads back here.
    pub fn to_step(&self, submission: SubmissionId, step: u32) -> String {
        format!("{submission}.{step}.{}?report={}", self.secret.0, self.report)
    }

    /// Whether one of `hashes` is that of the secret. Takes the same time whichever it is.
    pub fn is_one_of(&self, hashes: &[String]) -> bool {
        self.secret.is_one_of(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMISSION: &str = "exp_5d0f6c1e8a7b5c3d9e2f1a0b4c6d8e70.2";
    const REPORT: &str = "rpt_00112233445566778899aabbccddeeff.3";

    fn link(secret: &str) -> Result<Link, ()> {
        format!("{SUBMISSION}.1.{secret}").parse()
    }

    #[test]
    fn a_link_names_its_step_and_hides_its_secret() {
        let secret = "a".repeat(SECRET_LENGTH);
        let link = link(&secret).unwrap();
        assert_eq!((link.submission.to_string().as_str(), link.step), (SUBMISSION, 1));
        assert!(!format!("{link:?}").contains(&secret));
        assert!(link.is_one_of(&["00".to_owned(), link.hash()]));
    }

    #[test]
    fn a_link_to_a_report_leads_to_its_steps_and_they_lead_back() {
        let secret = "a".repeat(SECRET_LENGTH);
        let text = format!("{REPORT}.{secret}");
        let report: ReportLink = text.parse().unwrap();
        assert_eq!(report.report.to_string(), REPORT);
        assert!(!format!("{report:?}").contains(&secret));
        let step = report.to_step(SUBMISSION.parse().unwrap(), 1);
        let (step, query) = step.split_once("?report=").unwrap();
        let step: Link = step.parse().unwrap();
        assert!(report.is_one_of(&[step.hash()]));
        assert_eq!(step.to_report(&query.parse().unwrap()), text);
        assert!(text.parse::<Link>().is_err(), "neither form is taken for the other");
        assert!(format!("{SUBMISSION}.1.{secret}").parse::<ReportLink>().is_err());
    }

    #[test]
    fn every_other_secret_is_another_hash() {
        let secret = "a".repeat(SECRET_LENGTH);
        let hash = link(&secret).unwrap().hash();
        for at in 0..SECRET_LENGTH {
            let mut other = secret.clone();
            other.replace_range(at..=at, "b");
            assert!(!link(&other).unwrap().is_one_of(std::slice::from_ref(&hash)), "{at}");
        }
        assert!(!link(&secret).unwrap().is_one_of(&[]));
    }

    #[test]
    fn what_is_no_link_is_refused() {
        for secret in ["", "short", &"a".repeat(SECRET_LENGTH + 1), &format!("{}%", "a".repeat(SECRET_LENGTH - 1))] {
            assert!(link(secret).is_err(), "{secret}");
            assert!(format!("{REPORT}.{secret}").parse::<ReportLink>().is_err(), "{secret}");
        }
        for text in [
            "",
            "...",
            "exp_x.1.1.aaa",
            "rpt_x.1.aaa",
            &format!("rpt_00112233445566778899aabbccddeeff.0.{}", "a".repeat(SECRET_LENGTH)),
        ] {
            assert!(text.parse::<Link>().is_err(), "{text}");
            assert!(text.parse::<ReportLink>().is_err(), "{text}");
        }
        for text in ["", "rpt_x.1", "rpt_00112233445566778899aabbccddeeff", "rpt_00112233445566778899aabbccddeeff.x"] {
            assert!(text.parse::<ReportNumber>().is_err(), "{text}");
        }
    }
}
