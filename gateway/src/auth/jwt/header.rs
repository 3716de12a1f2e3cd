//! The header of a token: by which algorithm and which key it is signed, and nothing that leads elsewhere.

use super::{Algorithm, JwtError, members::Members};

/// What brings a key along, points to one, or changes what the rest means. `crit` names extensions that must be understood, and
/// none is; `enc` and `zip` belong to what is encrypted.
const REFUSED: [&str; 9] = ["jku", "jwk", "x5u", "x5c", "x5t", "crit", "b64", "enc", "zip"];

/// What types a token may say it has, without regard to case; `application/` may stand before them.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// What is used of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

impl Header {
    pub(super) fn parse(json: &[u8]) -> Result<Self, JwtError> {
        let members = Members::parse(json)?;
        if REFUSED.iter().any(|name| members.get(name).is_some()) {
            return Err(JwtError::Header);
        }
        if let Some(kind) = members.text("typ")? {
            let kind = kind.to_ascii_lowercase();
            if !TYPES.contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
                return Err(JwtError::Type);
            }
        }
        let algorithm = members.text("alg")?.and_then(Algorithm::named).ok_or(JwtError::Algorithm)?;
        Ok(Self { algorithm, key_id: members.text("kid")?.map(str::to_owned) })
    }
}
