//! The link in a mail: which step it is for, and a secret of which the table holds only the hash.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};
use slipstream_events::SubmissionId;
use subtle::ConstantTimeEq as _;

/// A link: `<submission>.<step>.<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The submission it is about.
    pub submission: SubmissionId,
    /// The step of it.
    pub step: u32,
    secret: String,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}.{}.…)", self.submission, self.step)
    }
}

/// The length of a secret: 256 bits in base64url without padding.
const SECRET_LENGTH: usize = 43;

impl FromStr for Link {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.rsplitn(3, '.');
        let secret = parts.next().ok_or(())?;
        let step = parts.next().and_then(|step| step.parse().ok()).filter(|step| *step > 0).ok_or(())?;
        let submission = parts.next().and_then(|submission| submission.parse().ok()).ok_or(())?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if secret.len() != SECRET_LENGTH || !secret.bytes().all(plain) {
            return Err(());
        }
        Ok(Self { submission, step, secret: secret.to_owned() })
    }
}

impl Link {
    /// The hash that the table holds of the secret, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.as_bytes()))
    }

    /// Whether one of `hashes` is that of the secret. Takes the same time whichever it is.
    pub fn is_one_of(&self, hashes: &[String]) -> bool {
        let mine = self.hash();
        hashes.iter().fold(false, |found, hash| found | bool::from(hash.as_bytes().ct_eq(mine.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMISSION: &str = "exp_5d0f6c1e8a7b5c3d9e2f1a0b4c6d8e70.2";

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
        }
        for text in ["", "...", "exp_x.1.1.aaa"] {
            assert!(text.parse::<Link>().is_err(), "{text}");
        }
    }
}
