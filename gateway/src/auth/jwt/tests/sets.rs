//! Sets of keys: which keys of one are used, and what is none.

use proptest::prelude::*;

use super::{
    super::{KeySet, KeySetError},
    signers::{SECRET, ec_jwk, ed_jwk, rsa_jwk},
};

fn count(keys: &[String]) -> usize {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).map_or(0, |set| set.len())
}

/// F71: keys that are secret, for encryption, too weak or of another kind are passed over.
#[test]
fn keys_that_can_not_be_used_are_passed_over() {
    let unusable = [
        format!(r#"{{"kty":"oct","k":"{SECRET}"}}"#),
        format!(r#"{{"kty":"oct","alg":"HS256","k":"{SECRET}"}}"#),
        rsa_jwk(r#","use":"enc""#),
        rsa_jwk(r#","key_ops":["encrypt"]"#),
        rsa_jwk(r#","alg":"RSA-OAEP""#),
        rsa_jwk(r#","alg":"HS256""#),
        rsa_jwk(r#","alg":"ES256""#),
        rsa_jwk(r#","d":"AQAB""#),
        rsa_jwk(r#","kid":7"#),
        ec_jwk(r#","alg":"RS256""#),
        ed_jwk(r#","alg":"ES256""#),
        ec_jwk("").replace("P-256", "P-384"),
        ec_jwk("").replace("f83O", ""),
        ed_jwk("").replace("Ed25519", "X25519"),
        ed_jwk("").replace("11qY", ""),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        rsa_jwk("").replace("\"e\":\"AQAB\"", "\"e\":\"AA\""),
        rsa_jwk("").replace("\"e\":\"AQAB\"", "\"e\":\"AQAB=\""),
        r#"{"kty":"RSA"}"#.to_owned(),
        "{}".to_owned(),
    ];
    for key in &unusable {
        assert_eq!(count(std::slice::from_ref(key)), 0, "{key}");
        assert_eq!(count(&[key.clone(), ec_jwk("")]), 1, "{key}");
    }
    let usable =
        [rsa_jwk(r#","use":"sig""#), rsa_jwk(r#","key_ops":["verify"],"alg":"PS256""#), ed_jwk(r#","x5t":"a""#)];
    assert_eq!(count(&usable), 3);
}

/// F71: a set is bounded, and has something in it.
#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "{}", "[]", "null", r#"{"keys":7}"#, r#"{"keys":[7]}"#, r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#] {
        assert!(matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::Malformed { .. })), "{text}");
    }
    assert_eq!(KeySet::parse(br#"{"keys":[]}"#).unwrap_err(), KeySetError::NoneUsable { found: 0 });
    assert_eq!(KeySet::parse(br#"{"keys":[{}]}"#).unwrap_err(), KeySetError::NoneUsable { found: 1 });
    assert_eq!(count(&vec![ed_jwk(""); 100]), 100);
    let many = format!(r#"{{"keys":[{}]}}"#, vec![ed_jwk(""); 101].join(","));
    assert_eq!(KeySet::parse(many.as_bytes()).unwrap_err(), KeySetError::TooMany);
    let large = format!(r#"{{"keys":[{}],"x":"{}"}}"#, ed_jwk(""), "x".repeat(256 << 10));
    assert_eq!(KeySet::parse(large.as_bytes()).unwrap_err(), KeySetError::TooLarge);
    assert_eq!(KeySet::secret(&[7; 31]).unwrap_err(), KeySetError::SecretTooShort);
    assert_eq!(KeySet::secret(&[7; 32]).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_set(bytes: Vec<u8>) {
        prop_assert!(KeySet::parse(&bytes).is_err());
    }
}
