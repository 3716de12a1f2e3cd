//! Tokens of other issuers: what nobody signed proves nobody, and what is signed is held against every rule.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use gateway::auth::jwt::{Algorithm, Claims, JwtError, JwtRules, KeySet, verify};
use ring::hmac;
use serde_json::Value;

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8; 32] = b"a secret that signs in this test";
/// The public keys of RFC 7515 (A.2, A.3) and RFC 8037 (A.2): nobody here signs with them.
const PUBLIC: &str = r#"{"keys":[{"kty":"RSA","kid":"rsa","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},{"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The first byte says what the rest is: a token, what is signed in one, or a set of keys.
pub(super) fn check(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 3 {
        0 => as_token(rest),
        1 => as_parts(rest),
        _ => as_key_set(rest),
    }
}

fn rules() -> JwtRules {
    JwtRules { issuer: "issuer".to_owned(), audience: "us".to_owned(), algorithms: Algorithm::ALL.to_vec() }
}

fn secret() -> KeySet {
    KeySet::secret(SECRET).expect("it is long enough")
}

/// What somebody sends for a token was signed by no key.
fn as_token(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let public = KeySet::parse(PUBLIC.as_bytes()).expect("it is a set");
    for keys in [public, secret()] {
        assert!(verify(token, &keys, &rules(), NOW).is_err(), "a made-up token is taken: {token}");
    }
}

/// Header and claims, a line each, in a token that is signed well, and in one that is signed badly.
fn as_parts(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (header, claims) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let mut signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes()).as_ref().to_vec();
    let token = |signature: &[u8]| format!("{signed}.{}", BASE64.encode(signature));
    if let Ok(proved) = verify(&token(&signature), &secret(), &rules(), NOW) {
        assert_right(header, claims, &proved);
    }
    let public = KeySet::parse(PUBLIC.as_bytes()).expect("it is a set");
    assert!(verify(&token(&signature), &public, &rules(), NOW).is_err(), "a secret passes for a public key");
    // As another line has it, or with a bit turned.
    match lines.next() {
        Some(other) if other != signature => signature = other.to_vec(),
        Some(_) | None => signature[0] ^= 1,
    }
    assert!(verify(&token(&signature), &secret(), &rules(), NOW).is_err(), "a bad signature is taken");
}

/// A second opinion on a token that is taken.
fn assert_right(header: &[u8], claims: &[u8], proved: &Claims) {
    let header: Value = serde_json::from_slice(header).expect("a header is JSON");
    let claims: Value = serde_json::from_slice(claims).expect("claims are JSON");
    assert_eq!(header["alg"], "HS256");
    assert!(["jku", "jwk", "x5u", "x5c", "crit"].iter().all(|name| header.get(name).is_none()), "{header}");
    assert_eq!(claims["iss"], "issuer");
    let audience = &claims["aud"];
    assert!(audience == "us" || audience.as_array().is_some_and(|all| all.iter().any(|one| one == "us")), "{claims}");
    assert_eq!(claims["sub"], proved.subject.as_str());
    assert!(proved.subject.bytes().all(|byte| byte.is_ascii_graphic()) && (1..=255).contains(&proved.subject.len()));
    let time = |name: &str| claims.get(name).map(|time| time.as_f64().expect("a time is a number"));
    #[expect(clippy::cast_precision_loss, reason = "this time is exact")]
    let now = NOW as f64;
    assert!(time("exp").is_some_and(|exp| exp + 60.0 > now) && proved.valid_until > NOW, "{claims}");
    assert!(["nbf", "iat"].iter().all(|name| time(name).is_none_or(|time| time < now + 61.0)), "{claims}");
}

/// A set of keys is refused, or verifies no more than signatures of its own: never one by a secret, nor one that is no signature.
fn as_key_set(data: &[u8]) {
    let Ok(keys) = KeySet::parse(data) else { return };
    assert!((1..=100).contains(&keys.len()), "{}", keys.len());
    for algorithm in Algorithm::ALL {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
        let claims = br#"{"iss":"issuer","aud":"us","sub":"x","exp":1900000000}"#;
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        for signature in [&data[..data.len().min(64)], &[0; 64], &[0; 256], b""] {
            let taken = verify(&format!("{signed}.{}", BASE64.encode(signature)), &keys, &rules(), NOW);
            let refused = matches!(taken, Err(JwtError::Key | JwtError::Signature));
            // A key of Ed25519 that is a point of small order would take anything: who issues keys is trusted not to.
            assert!(refused || algorithm == Algorithm::EdDsa, "{algorithm:?}: {taken:?}");
        }
    }
}
