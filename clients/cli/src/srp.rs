//! The client's side of Cognito's password verification: SRP-6a (RFC 5054) in the 3072-bit group of RFC 3526, with
//! SHA-256 and the key derivation of Amazon's own clients (`amazon-cognito-identity-js`, `AuthenticationHelper.js`).
//!
//! Neither the password nor anything it could be guessed from leaves the machine. Checked against vectors of an
//! independent implementation (`tests/vectors`).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use jiff::{Timestamp, tz::TimeZone};
use num_bigint::BigUint;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// The prime of the 3072-bit group (RFC 3526, section 4), whose generator is 2.
const PRIME: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B\
    302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6\
    49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D\
    670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718\
    3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
    B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C\
    BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";

/// The size of the private number, as in Amazon's clients.
const PRIVATE_BYTES: usize = 128;

/// What Amazon's clients derive the key for.
const KEY_PURPOSE: &[u8] = b"Caldera Derived Key\x01";

/// One attempt to sign in: a private number and the public one that is sent.
pub(crate) struct Attempt {
    private: BigUint,
    public: BigUint,
}

/// What Cognito asks in `PASSWORD_VERIFIER`.
pub(crate) struct Challenge<'a> {
    /// The part of the user pool's id behind the underscore.
    pub(crate) pool: &'a str,
    /// `USER_ID_FOR_SRP`.
    pub(crate) user: &'a str,
    /// `SALT`, hexadecimal.
    pub(crate) salt: &'a str,
    /// `SRP_B`, hexadecimal.
    pub(crate) server: &'a str,
    /// `SECRET_BLOCK`, base64.
    pub(crate) secret_block: &'a str,
}

impl Attempt {
    /// With a new private number.
    pub(crate) fn new() -> Self {
        let mut bytes = [0; PRIVATE_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self::with(BigUint::from_bytes_be(&bytes))
    }

    fn with(private: BigUint) -> Self {
        let public = BigUint::from(2_u8).modpow(&private, &prime());
        Self { private, public }
    }

    /// `SRP_A`, hexadecimal.
    pub(crate) fn public(&self) -> String {
        self.public.to_str_radix(16)
    }

    /// `PASSWORD_CLAIM_SIGNATURE`: the proof that the password is known. `None` if the challenge is none that an honest
    /// server sends.
    pub(crate) fn prove(&self, challenge: &Challenge<'_>, password: &str, timestamp: &str) -> Option<String> {
        let prime = prime();
        let generator = BigUint::from(2_u8);
        let server = number(challenge.server)?;
        let salt = number(challenge.salt)?;
        let secret_block = BASE64_STANDARD.decode(challenge.secret_block).ok()?;
        // A server that sends a multiple of the prime would know the key without the password (RFC 5054, section 2.5.4).
        if &server % &prime == BigUint::ZERO {
            return None;
        }
        let scrambling = hash(&[&padded(&self.public), &padded(&server)]);
        if scrambling == BigUint::ZERO {
            return None;
        }
        let identity = Sha256::digest(format!("{}{}:{password}", challenge.pool, challenge.user));
        let secret = hash(&[&padded(&salt), &identity]);
        let multiplier = hash(&[&padded(&prime), &padded(&generator)]);
        let verifier = generator.modpow(&secret, &prime);
        // server - multiplier * verifier, without leaving the natural numbers.
        let base = server + multiplier * (&prime - verifier);
        let shared = base.modpow(&(&self.private + &scrambling * secret), &prime);

        let extracted = mac(&padded(&scrambling), &[&padded(&shared)])?;
        let key = mac(&extracted, &[KEY_PURPOSE])?;
        let message = [challenge.pool.as_bytes(), challenge.user.as_bytes(), &secret_block, timestamp.as_bytes()];
        Some(BASE64_STANDARD.encode(mac(&key[..16], &message)?))
    }
}

/// `TIMESTAMP` as Cognito wants it: `Sun Mar 1 09:05:07 UTC 2026`.
pub(crate) fn timestamp(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%a %b %-d %H:%M:%S UTC %Y").to_string()
}

fn prime() -> BigUint {
    number(PRIME).unwrap_or_default()
}

fn number(hexadecimal: &str) -> Option<BigUint> {
    // Longer than any number of this group is no answer of Cognito's.
    (hexadecimal.len() <= PRIME.len()).then(|| BigUint::parse_bytes(hexadecimal.as_bytes(), 16))?
}

/// The number as two's complement, big-endian: a zero before a set first bit.
fn padded(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

fn hash(parts: &[&[u8]]) -> BigUint {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    BigUint::from_bytes_be(&digest.finalize())
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        private: String,
        public: String,
        user: String,
        password: String,
        salt: String,
        server: String,
        secret_block: String,
        timestamp: String,
        signature: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("../tests/vectors/srp.json")).unwrap()
    }

    fn challenge(vector: &Vector) -> Challenge<'_> {
        Challenge {
            pool: "Abc123XYZ",
            user: &vector.user,
            salt: &vector.salt,
            server: &vector.server,
            secret_block: &vector.secret_block,
        }
    }

    #[test]
    fn proofs_are_those_of_an_independent_implementation() {
        let vectors = vectors();
        assert!(vectors.len() > 10);
        for vector in &vectors {
            let attempt = Attempt::with(number(&vector.private).unwrap());
            assert_eq!(attempt.public(), vector.public);
            let proof = attempt.prove(&challenge(vector), &vector.password, &vector.timestamp).unwrap();
            assert_eq!(proof, vector.signature, "salt {}", vector.salt);
        }
        let (first, attempt) = (&vectors[0], Attempt::with(number(&vectors[0].private).unwrap()));
        let wrong = attempt.prove(&challenge(first), "another password", &first.timestamp).unwrap();
        assert_ne!(wrong, first.signature);
    }

    #[test]
    fn a_dishonest_server_gets_no_proof() {
        let vector = &vectors()[0];
        let attempt = Attempt::with(number(&vector.private).unwrap());
        for server in ["0", PRIME, "not a number", &format!("{PRIME}0")] {
            let challenge = Challenge { server, ..challenge(vector) };
            assert!(attempt.prove(&challenge, &vector.password, &vector.timestamp).is_none(), "{server}");
        }
    }

    #[test]
    fn private_numbers_are_new_each_time() {
        assert_ne!(Attempt::new().public(), Attempt::new().public());
    }

    #[test]
    fn timestamps_have_no_zero_before_the_day() {
        let at = |text: &str| timestamp(text.parse().unwrap());
        assert_eq!(at("2026-03-01T09:05:07Z"), "Sun Mar 1 09:05:07 UTC 2026");
        assert_eq!(at("2026-11-22T21:00:00Z"), "Sun Nov 22 21:00:00 UTC 2026");
    }
}
