//! Tickets: for a short while they open a connection in the name of whoever asked for them. They are kept nowhere; the
//! cluster knows its own by their seal.
//!
//! ```text
//! base64url of:
//!  0  u8      version, 1                                     (all numbers little-endian)
//!  1  u64     the ticket ends, milliseconds since 1970
//!  9  u64     what it was given for ends; u64::MAX is never
//! 17  u8      length of the key's id; 0 if it was not given for a key
//! 18  …       the key's id, then the principal's name
//!  …  [u8;32] HMAC-SHA-256 of all before it
//! ```

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use raft::metadata::{AckKey, KeyId, PrincipalName};
use ring::hmac;
use shard_core::model::Timestamp;

const VERSION: u8 = 1;
const SEAL_BYTES: usize = 32;
const FIXED_BYTES: usize = 18;
/// The longest text that is looked at.
const TEXT_LENGTH_MAX: usize = 512;
/// Keeps the key apart from other uses of the cluster's secret.
const PURPOSE: &[u8] = b"pubsubring ticket v1";
const NEVER: u64 = u64::MAX;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// In whose name.
    pub principal: PrincipalName,
    /// The key that it was asked for with: it must still count.
    pub key: Option<KeyId>,
    /// Until when it opens a connection.
    pub expires_at: Timestamp,
    /// When the connection ends that it opens.
    pub session_ends: Option<Timestamp>,
}

/// Makes and reads the tickets of one cluster.
pub struct TicketSeal {
    key: hmac::Key,
}

impl TicketSeal {
    /// The seal of the cluster with this secret.
    #[must_use]
    pub fn new(secret: AckKey) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()), PURPOSE);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }
    }

    /// A ticket as text.
    #[must_use]
    pub fn seal(&self, ticket: &Ticket) -> String {
        let key = ticket.key.as_ref().map_or("", KeyId::as_str);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&millis(ticket.expires_at).to_le_bytes());
        bytes.extend_from_slice(&ticket.session_ends.map_or(NEVER, millis).to_le_bytes());
        bytes.push(u8::try_from(key.len()).unwrap_or(0));
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(ticket.principal.as_str().as_bytes());
        let seal = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(seal.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a ticket of this cluster says; `None` for any other text. Whether it still counts is not looked at.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<Ticket> {
        if text.len() > TEXT_LENGTH_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sealed, seal) = bytes.split_last_chunk::<SEAL_BYTES>()?;
        hmac::verify(&self.key, sealed, seal).ok()?;
        let (fixed, names) = sealed.split_first_chunk::<FIXED_BYTES>()?;
        let [version, e0, e1, e2, e3, e4, e5, e6, e7, s0, s1, s2, s3, s4, s5, s6, s7, key_length] = *fixed;
        let (key, principal) = std::str::from_utf8(names).ok()?.split_at_checked(usize::from(key_length))?;
        let session_ends = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        (version == VERSION).then_some(Ticket {
            principal: PrincipalName::new(principal).ok()?,
            key: if key.is_empty() { None } else { Some(KeyId::new(key).ok()?) },
            expires_at: time(u64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7])),
            session_ends: (session_ends != NEVER).then(|| time(session_ends)),
        })
    }
}

impl std::fmt::Debug for TicketSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketSeal(…)")
    }
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(0)
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket(key: Option<&str>, session_ends: Option<i64>) -> Ticket {
        Ticket {
            principal: PrincipalName::new("ci/deploy@example.com").unwrap(),
            key: key.map(|id| KeyId::new(id).unwrap()),
            expires_at: Timestamp::from_millis(1_700_000_060_000),
            session_ends: session_ends.map(Timestamp::from_millis),
        }
    }

    #[test]
    fn a_ticket_says_what_it_was_made_of() {
        let seal = TicketSeal::new(AckKey::new([7; 16]));
        for ticket in [ticket(Some("abcdefgh0123"), None), ticket(None, Some(1_700_000_100_000))] {
            assert_eq!(seal.open(&seal.seal(&ticket)), Some(ticket));
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        let text = TicketSeal::new(AckKey::new([7; 16])).seal(&ticket(Some("abcdefgh0123"), None));
        let frozen = "AWBS5s-LAQAA__________8MYWJjZGVmZ2gwMTIzY2kvZGVwbG95QGV4YW1wbGUuY29tH7LUt0vpitZEGugOKx85ZCNdmHsr4ZnvtnRW\
            g8lKgWU";
        assert_eq!(text, frozen);
    }

    #[test]
    fn another_clusters_ticket_opens_nothing() {
        let text = TicketSeal::new(AckKey::new([7; 16])).seal(&ticket(None, None));
        assert_eq!(TicketSeal::new(AckKey::new([8; 16])).open(&text), None);
    }

    proptest! {
        #[test]
        fn a_ticket_with_any_other_letter_opens_nothing(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_-]") {
            let seal = TicketSeal::new(AckKey::new([7; 16]));
            let text = seal.seal(&ticket(Some("abcdefgh0123"), Some(5)));
            let at = at.index(text.len());
            let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
            prop_assert!(changed == text || seal.open(&changed).is_none());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_=-]{0,200}") {
            prop_assert_eq!(TicketSeal::new(AckKey::new([7; 16])).open(&text), None);
        }
    }
}
