//! What a token claims, and whether that is enough.

use serde_json::Value;

use super::{JwtError, JwtRules, members::Members};
use crate::limits::{CLIENT_NAME_BYTES_MAX, JWT_CLOCK_SKEW_SECONDS};

/// What is used of a token that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whom it proves.
    pub subject: String,
    /// Until when, in seconds since the Unix epoch; the tolerance for clocks is included.
    pub valid_until: i64,
}

impl Claims {
    pub(super) fn parse(json: &[u8], rules: &JwtRules, now: i64) -> Result<Self, JwtError> {
        let members = Members::parse(json)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).ok_or(JwtError::Claim);
        if text("iss")? != rules.issuer {
            return Err(JwtError::Issuer);
        }
        if !is_for(members.get("aud").ok_or(JwtError::Claim)?, &rules.audience)? {
            return Err(JwtError::Audience);
        }
        let expires_at = time(&members, "exp")?.ok_or(JwtError::Claim)?;
        let valid_until = expires_at.saturating_add(JWT_CLOCK_SKEW_SECONDS);
        if now >= valid_until {
            return Err(JwtError::Expired);
        }
        for name in ["nbf", "iat"] {
            if time(&members, name)?.is_some_and(|time| time > now.saturating_add(JWT_CLOCK_SKEW_SECONDS)) {
                return Err(JwtError::NotYetValid);
            }
        }
        let subject = text("sub")?;
        let is_name = (1..=CLIENT_NAME_BYTES_MAX).contains(&subject.len());
        if !is_name || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(JwtError::Subject);
        }
        Ok(Self { subject: subject.to_owned(), valid_until })
    }
}

/// Whether one of those it is for is us.
fn is_for(audience: &Value, us: &str) -> Result<bool, JwtError> {
    if let Some(one) = audience.as_str() {
        return Ok(one == us);
    }
    let many = audience.as_array().ok_or(JwtError::Claim)?;
    let mut is_for = false;
    for one in many {
        is_for |= one.as_str().ok_or(JwtError::Claim)? == us;
    }
    Ok(is_for)
}

/// A `NumericDate`: seconds, which may have a fraction. Those that no calendar has are refused.
fn time(members: &Members, name: &str) -> Result<Option<i64>, JwtError> {
    const LATEST: f64 = 253_402_300_800.0;
    let Some(value) = members.get(name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(JwtError::Claim)?;
    if !(0.0..LATEST).contains(&seconds) {
        return Err(JwtError::Claim);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it lies within the range")]
    Ok(Some(seconds as i64))
}
