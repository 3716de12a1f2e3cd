//! An issuer's key that tokens are signed with.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

/// A key of Ed25519 with its id.
pub(crate) struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(id: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap() }
    }

    /// The set of these keys, as their issuer publishes it.
    pub(crate) fn key_set(signers: &[&Self]) -> String {
        let key = |signer: &&Self| {
            let point = BASE64.encode(signer.pair.public_key());
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": signer.id, "x": point })
        };
        json!({ "keys": signers.iter().map(key).collect::<Vec<_>>() }).to_string()
    }

    /// A token for a subject that ends in so many seconds.
    pub(crate) fn token(&self, subject: &str, seconds: i64) -> String {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let header = json!({ "alg": "EdDSA", "kid": self.id, "typ": "JWT" });
        let claims = json!({
            "iss": "https://login.example", "aud": "pubsub", "sub": subject, "iat": now - 300, "exp": now + seconds,
        });
        let part = |part: &Value| BASE64.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = BASE64.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}
