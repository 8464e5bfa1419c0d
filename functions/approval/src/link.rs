//! The link in a mail: which step, submitted report or batch it is for, and a secret of which the table holds only the
//! hash.
//!
//! A mail about several expenses has one secret, whose hash stands in every step that the mail covers: so the links to
//! the single expenses, which the page of the list makes, are of the same form as that of a mail about one expense.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};
use slipstream_events::{BatchId, ReportId, SubmissionId};
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

impl FromStr for Link {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (step, secret) = text.rsplit_once('.').ok_or(())?;
        let (submission, step) = numbered(step)?;
        Ok(Self { submission, step, secret: secret.parse()? })
    }
}

/// An id and a number from 1, with a dot between.
fn numbered<Id: FromStr>(text: &str) -> Result<(Id, u32), ()> {
    let (id, number) = text.rsplit_once('.').ok_or(())?;
    let number = number.parse().ok().filter(|number| *number > 0).ok_or(())?;
    Ok((id.parse().map_err(|_| ())?, number))
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

    /// The link to the list that it was mailed with. Whether the secret is that list's, too, is for its page to say.
    pub fn to_list(&self, list: &List) -> String {
        format!("{list}.{}", self.secret.0)
    }
}

/// What one mail is about, where that is several expenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// A report's submission: `<report>.<number>`.
    Report(ReportId, u32),
    /// Steps that arrived together.
    Batch(BatchId),
}

impl FromStr for List {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(batch) = text.parse() {
            return Ok(Self::Batch(batch));
        }
        numbered(text).map(|(report, number)| Self::Report(report, number))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report(report, number) => write!(f, "{report}.{number}"),
            Self::Batch(batch) => write!(f, "{batch}"),
        }
    }
}

/// A link to several expenses: `<list>.<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct ListLink {
    /// Which they are.
    pub list: List,
    secret: Secret,
}

impl fmt::Debug for ListLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListLink({}.…)", self.list)
    }
}

impl FromStr for ListLink {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (list, secret) = text.rsplit_once('.').ok_or(())?;
        Ok(Self { list: list.parse()?, secret: secret.parse()? })
    }
}

impl ListLink {
    /// The link to a single step, with the same secret.
    pub fn of_step(&self, submission: SubmissionId, step: u32) -> Link {
        Link { submission, step, secret: self.secret.clone() }
    }

    /// The address of a single step that it covers, which leads back here.
    pub fn to_step(&self, submission: SubmissionId, step: u32) -> String {
        format!("{submission}.{step}.{}?list={}", self.secret.0, self.list)
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
    const BATCH: &str = "bat_00112233445566778899aabbccddeeff";

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
    fn a_link_to_a_list_leads_to_its_steps_and_they_lead_back() {
        let secret = "a".repeat(SECRET_LENGTH);
        for name in [REPORT, BATCH] {
            let text = format!("{name}.{secret}");
            let list: ListLink = text.parse().unwrap();
            assert_eq!(list.list.to_string(), name);
            assert!(!format!("{list:?}").contains(&secret));
            let step = list.to_step(SUBMISSION.parse().unwrap(), 1);
            let (step, query) = step.split_once("?list=").unwrap();
            let step: Link = step.parse().unwrap();
            assert!(list.is_one_of(&[step.hash()]));
            assert_eq!(step.to_list(&query.parse().unwrap()), text);
            assert!(text.parse::<Link>().is_err(), "neither form is taken for the other");
        }
        assert!(format!("{SUBMISSION}.1.{secret}").parse::<ListLink>().is_err());
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
            assert!(format!("{REPORT}.{secret}").parse::<ListLink>().is_err(), "{secret}");
        }
        for text in [
            "",
            "...",
            "exp_x.1.1.aaa",
            "rpt_x.1.aaa",
            &format!("rpt_00112233445566778899aabbccddeeff.0.{}", "a".repeat(SECRET_LENGTH)),
        ] {
            assert!(text.parse::<Link>().is_err(), "{text}");
            assert!(text.parse::<ListLink>().is_err(), "{text}");
        }
        for text in
            ["", "bat_x", "rpt_x.1", "rpt_00112233445566778899aabbccddeeff", "rpt_00112233445566778899aabbccddeeff.x"]
        {
            assert!(text.parse::<List>().is_err(), "{text}");
        }
    }
}
