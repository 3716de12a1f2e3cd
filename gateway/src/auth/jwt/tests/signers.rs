//! Keys that tests sign with: those of the appendices of RFC 7515 and RFC 8037.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};

use super::decoded;

pub(super) const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
pub(super) const SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// The public keys, by the ids `rsa`, `ec` and `ed`.
pub(super) fn jwks() -> String {
    format!("{{\"keys\":[{},{},{}]}}", rsa_jwk(r#","kid":"rsa""#), ec_jwk(r#","kid":"ec""#), ed_jwk(r#","kid":"ed""#))
}

/// One of them, with more members.
pub(super) fn rsa_jwk(more: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{MODULUS}","e":"AQAB"{more}}}"#)
}

pub(super) fn ec_jwk(more: &str) -> String {
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_Y}"{more}}}"#)
}

pub(super) fn ed_jwk(more: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED_X}"{more}}}"#)
}

/// A token of this header and these claims.
pub(super) fn token(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
    format!("{signed}.{}", encoded(&sign(signed.as_bytes())))
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn by_rsa(message: &[u8]) -> Vec<u8> {
    rsa(&RSA_PKCS1_SHA256, message)
}

pub(super) fn by_rsa_pss(message: &[u8]) -> Vec<u8> {
    rsa(&RSA_PSS_SHA256, message)
}

fn rsa(padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let part = |text| decoded(text).unwrap();
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n: part(MODULUS), e: part("AQAB") },
        d: part(D),
        p: part(P),
        q: part(Q),
        dP: part(DP),
        dQ: part(DQ),
        qInv: part(QI),
    };
    let pair = RsaKeyPair::from_components(&components).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

pub(super) fn by_ec(message: &[u8]) -> Vec<u8> {
    ec(&ECDSA_P256_SHA256_FIXED_SIGNING, message)
}

/// As X.509 writes a signature, and JWS doesn't.
pub(super) fn by_ec_in_der(message: &[u8]) -> Vec<u8> {
    ec(&ECDSA_P256_SHA256_ASN1_SIGNING, message)
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let point = [vec![4], decoded(EC_X).unwrap(), decoded(EC_Y).unwrap()].concat();
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &decoded(EC_D).unwrap(), &point, &random).unwrap();
    pair.sign(&random, message).unwrap().as_ref().to_vec()
}

pub(super) fn by_ed(message: &[u8]) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_and_public_key(&decoded(ED_D).unwrap(), &decoded(ED_X).unwrap()).unwrap();
    pair.sign(message).as_ref().to_vec()
}

/// By HMAC with these bytes as the secret.
pub(super) fn by_secret(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}
