//! Tokens of an identity provider: JWT (RFC 7519) in a JWS of compact form (RFC 7515), read as RFC 8725 advises. Pure: the
//! set of keys and the time are given.

mod algorithm;
mod claims;
mod error;
mod header;
mod key;
mod key_set;
mod members;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use error::JwtError;
pub use key_set::{KeySet, KeySetError};
pub use verifier::JwtVerifier;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::limits::JWT_BYTES_MAX;
use header::Header;

/// What a token must say to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtRules {
    /// Who has issued it.
    pub issuer: String,
    /// Whom it is for.
    pub audience: String,
    /// By which algorithms it may be signed.
    pub algorithms: Vec<Algorithm>,
}

/// Whom a token proves at the time `now`, in seconds since the Unix epoch.
///
/// # Errors
/// Why it proves nobody.
pub fn verify(token: &str, keys: &KeySet, rules: &JwtRules, now: i64) -> Result<Claims, JwtError> {
    if token.len() > JWT_BYTES_MAX {
        return Err(JwtError::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let header = Header::parse(&decoded(header)?)?;
    if !rules.algorithms.contains(&header.algorithm) {
        return Err(JwtError::Algorithm);
    }
    let signature = decoded(signature)?;
    if !keys.candidates(&header)?.any(|key| key.verifies(header.algorithm, signed.as_bytes(), &signature)) {
        return Err(JwtError::Signature);
    }
    // Nothing of them is looked at before it is known who wrote them.
    Claims::parse(&decoded(claims)?, rules, now)
}

/// Base64 as JWS has it: the alphabet of URLs, no padding, and one way only to write the same bytes.
fn decoded(text: &str) -> Result<Vec<u8>, JwtError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)
}

#[cfg(test)]
mod tests;
