//! A key that signatures are verified with. What it is says by which algorithms: none is taken for another.

use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};

use super::{Algorithm, decoded, members::Members};

/// The sizes of an RSA modulus that are taken, in bytes.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// Members that only a private key has: one that was published is anybody's.
const PRIVATE: [&str; 2] = ["d", "k"];

/// One key of a set.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(UnparsedPublicKey<Vec<u8>>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
    Secret(hmac::Key),
}

impl Key {
    /// A secret. It comes out of no set of public keys.
    pub(super) fn secret(bytes: &[u8]) -> Self {
        Self {
            id: None,
            only: Some(Algorithm::Hs256),
            material: Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, bytes)),
        }
    }

    /// A public key for signatures, as RFC 7517 writes it; `None` for any other.
    pub(super) fn public(jwk: &Members) -> Option<Self> {
        let text = |name: &str| jwk.text(name).ok().flatten();
        let bytes = |name: &str| decoded(text(name)?).ok();
        if PRIVATE.iter().any(|name| jwk.get(name).is_some()) || !is_for_verifying(jwk) {
            return None;
        }
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.as_str()?)?),
        };
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?)?,
            ("EC", Some("P-256")) => p256(&bytes("x")?, &bytes("y")?)?,
            ("OKP", Some("Ed25519")) => {
                let point = bytes("x").filter(|point| point.len() == 32)?;
                Material::Ed25519(UnparsedPublicKey::new(&ED25519, point))
            }
            _ => return None,
        };
        let key = Self { id, only, material };
        key.only.is_none_or(|algorithm| key.can(algorithm)).then_some(key)
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether signatures by this algorithm may be verified with it.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.can(algorithm)
    }

    fn can(&self, algorithm: Algorithm) -> bool {
        match self.material {
            Material::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Material::Secret(_) => algorithm == Algorithm::Hs256,
        }
    }

    /// Whether the signature is by this key and this algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa(key) if algorithm == Algorithm::Ps256 => {
                key.verify(&RSA_PSS_2048_8192_SHA256, signed, signature).is_ok()
            }
            Material::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok(),
            Material::P256(key) | Material::Ed25519(key) => key.verify(signed, signature).is_ok(),
            Material::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
        }
    }
}

/// Whether a key's holder says nothing against verifying with it.
fn is_for_verifying(jwk: &Members) -> bool {
    let usage = jwk.get("use").is_none_or(|usage| usage == "sig");
    let verifies = |operations: &serde_json::Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    usage && jwk.get("key_ops").is_none_or(verifies)
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Material> {
    let without_zeros = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (without_zeros(modulus), without_zeros(exponent));
    let is_usable = MODULUS_BYTES.contains(&n.len()) && (1..=4).contains(&e.len());
    is_usable.then_some(Material::Rsa(RsaPublicKeyComponents { n, e }))
}

fn p256(x: &[u8], y: &[u8]) -> Option<Material> {
    // The point as it stands, without compression.
    let point = [&[4], x, y].concat();
    (x.len() == 32 && y.len() == 32).then(|| Material::P256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)))
}
