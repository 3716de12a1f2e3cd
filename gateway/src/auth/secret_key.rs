//! API keys as clients hold them: `psr_<key id>_<secret>`, and how a secret is checked.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use raft::{
    limits::KEY_ID_LENGTH,
    metadata::{Access, ApiKey, KeyHash, KeyId},
};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

const PREFIX: &str = "psr_";
/// The alphabet of key ids: 32 letters, so that five random bits choose one.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The length of 256 bits in base64url.
const SECRET_LENGTH: usize = 43;
/// What the secret of a key that isn't there is compared with. No secret is known that has this hash.
const NO_HASH: KeyHash = KeyHash::new([0; 32]);

/// A key as it was presented: which, and the secret that is to prove it. It shows in no log.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    id: &'a str,
    secret: &'a str,
}

/// A key that has just been made. Its text is for its owner alone.
pub struct NewKey {
    /// What it is called.
    pub id: KeyId,
    /// What its secret will be checked against.
    pub hash: KeyHash,
    text: String,
}

impl<'a> PresentedKey<'a> {
    /// Reads a key; `None` for what can't be one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_at_checked(KEY_ID_LENGTH)?;
        let secret = rest.strip_prefix('_')?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (secret.len() == SECRET_LENGTH && secret.bytes().all(known)).then_some(Self { id, secret })
    }

    /// Whether text is meant to be a key.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The key that it proves. It takes the same way whether the id is unknown or the secret wrong: what it says, and how
    /// long that takes, tells nobody which ids there are.
    #[must_use]
    pub fn proves<'s>(&self, access: &'s Access) -> Option<&'s ApiKey> {
        self.proves_by(access, |presented, stored| presented.bytes().ct_eq(stored.bytes()).into())
    }

    fn proves_by<'s>(&self, access: &'s Access, same: impl FnOnce(&KeyHash, &KeyHash) -> bool) -> Option<&'s ApiKey> {
        let stored = access.key(self.id);
        let hash = stored.map_or(&NO_HASH, |key| &key.hash);
        let equal = same(&hash_of(self.secret), hash);
        stored.filter(|_| equal).map(|key| &**key)
    }
}

impl NewKey {
    /// Makes a key of random bytes: the first name it, the others are its secret.
    #[must_use]
    pub fn of_random(bytes: &[u8; KEY_ID_LENGTH + 32]) -> Option<Self> {
        let (for_id, for_secret) = bytes.split_at(KEY_ID_LENGTH);
        let letter = |byte: &u8| ID_ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        let id = KeyId::new(&for_id.iter().filter_map(letter).collect::<String>()).ok()?;
        let secret = URL_SAFE_NO_PAD.encode(for_secret);
        let text = format!("{PREFIX}{}_{secret}", id.as_str());
        Some(Self { id, hash: hash_of(&secret), text })
    }

    /// The key as its owner is to present it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// 256 random bits need no salt and no slow hash: there is nothing to guess.
fn hash_of(secret: &str) -> KeyHash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    KeyHash::new(bytes)
}

#[cfg(test)]
mod tests;
