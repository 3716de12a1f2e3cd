//! What is taken, and each trick that is not.

mod sets;
mod signers;

use proptest::prelude::*;

use super::*;
use signers::{SECRET, by_ec, by_ec_in_der, by_ed, by_rsa, by_rsa_pss, by_secret, encoded, jwks, rsa_jwk, token};

const NOW: i64 = 1_800_000_000;
const RSA: &str = r#"{"alg":"RS256","kid":"rsa","typ":"JWT"}"#;
/// Good ones.
const CLAIMS: &str =
    r#"{"iss":"https://login.example","aud":"pubsub","sub":"orders","exp":1800000300,"iat":1799999990}"#;

fn rules() -> JwtRules {
    JwtRules {
        issuer: "https://login.example".to_owned(),
        audience: "pubsub".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
    }
}

fn check(token: &str) -> Result<Claims, JwtError> {
    verify(token, &KeySet::parse(jwks().as_bytes()).unwrap(), &rules(), NOW)
}

/// What becomes of a token with this header, which is signed well.
fn with_header(header: &str) -> Result<Claims, JwtError> {
    check(&token(header, CLAIMS, by_rsa))
}

/// The same with these claims.
fn with_claims(claims: &str) -> Result<Claims, JwtError> {
    check(&token(RSA, claims, by_rsa))
}

/// Good claims with a part replaced.
fn claims(from: &str, to: &str) -> String {
    assert!(CLAIMS.contains(from));
    CLAIMS.replace(from, to)
}

#[test]
fn every_algorithm_is_taken_by_its_own_key() {
    let good = Ok(Claims { subject: "orders".to_owned(), valid_until: NOW + 360 });
    assert_eq!(with_header(RSA), good);
    assert_eq!(check(&token(r#"{"alg":"PS256","kid":"rsa"}"#, CLAIMS, by_rsa_pss)), good);
    assert_eq!(check(&token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, by_ec)), good);
    assert_eq!(check(&token(r#"{"alg":"EdDSA","kid":"ed"}"#, CLAIMS, by_ed)), good);
    let secret = decoded(SECRET).unwrap();
    let by_hmac = token(r#"{"alg":"HS256","kid":"whatever"}"#, CLAIMS, by_secret(&secret));
    assert_eq!(verify(&by_hmac, &KeySet::secret(&secret).unwrap(), &rules(), NOW), good);
}

/// F71: the examples of RFC 7515 (A.1 to A.3) and RFC 8037 (A.4) have good signatures; it is their claims that are not enough.
#[test]
fn the_examples_of_the_standards_have_good_signatures() {
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const EC_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const ED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let joe = JwtRules { issuer: "joe".to_owned(), ..rules() };
    let keys = KeySet::parse(jwks().as_bytes()).unwrap();
    let examples = [
        format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{RSA_SIGNATURE}"),
        format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{EC_SIGNATURE}"),
    ];
    for example in examples {
        assert_eq!(verify(&example, &keys, &joe, 1_300_819_000), Err(JwtError::Claim), "there is no audience");
        let changed = example.replace("LmNvbS9", "LmNvbT9");
        assert_eq!(verify(&changed, &keys, &joe, 1_300_819_000), Err(JwtError::Signature));
    }
    let secret = KeySet::secret(&decoded(SECRET).unwrap()).unwrap();
    let hmac = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(verify(&hmac, &secret, &joe, 1_300_819_000), Err(JwtError::Claim));
    assert_eq!(verify(ED, &keys, &joe, 1_300_819_000), Err(JwtError::Json), "it signs a sentence");
    assert_eq!(verify(&ED.replace("hgyY", "hgyZ"), &keys, &joe, 1_300_819_000), Err(JwtError::Signature));
}

/// F71: there is no algorithm that signs nothing, however it is written.
#[test]
fn a_token_that_is_not_signed_is_refused() {
    for name in ["none", "None", "NONE", "nOnE", "", " none", "rs256", "RS256 ", "ES512", "RS1", "HS512"] {
        let header = format!(r#"{{"alg":"{name}","kid":"rsa"}}"#);
        assert_eq!(with_header(&header), Err(JwtError::Algorithm), "{name}");
        assert_eq!(check(&token(&header, CLAIMS, |_| Vec::new())), Err(JwtError::Algorithm), "{name}");
    }
    assert_eq!(with_header(r#"{"kid":"rsa"}"#), Err(JwtError::Algorithm));
    assert_eq!(with_header(r#"{"alg":null,"kid":"rsa"}"#), Err(JwtError::Json));
    assert_eq!(with_header(r#"{"alg":["RS256"],"kid":"rsa"}"#), Err(JwtError::Json));
    assert_eq!(check(&token(RSA, CLAIMS, |_| Vec::new())), Err(JwtError::Signature));
}

/// F71: a public key is never taken for a secret, even where secrets are allowed.
#[test]
fn a_public_key_is_no_secret() {
    let jwk = rsa_jwk(r#","kid":"rsa""#);
    let guesses = [decoded(signers::MODULUS).unwrap(), jwk.into_bytes(), jwks().into_bytes(), Vec::new()];
    for secret in guesses {
        for header in [r#"{"alg":"HS256","kid":"rsa"}"#, r#"{"alg":"HS256"}"#] {
            assert_eq!(check(&token(header, CLAIMS, by_secret(&secret))), Err(JwtError::Key));
        }
    }
}

/// F71: the algorithm of a token is that of the key it names.
#[test]
fn an_algorithm_that_is_not_the_keys_is_refused() {
    for (name, key) in [("RS256", "ec"), ("RS256", "ed"), ("ES256", "rsa"), ("EdDSA", "ec"), ("ES256", "ed")] {
        let header = format!(r#"{{"alg":"{name}","kid":"{key}"}}"#);
        assert_eq!(with_header(&header), Err(JwtError::Key), "{header}");
    }
    let pinned = format!(r#"{{"keys":[{}]}}"#, rsa_jwk(r#","kid":"rsa","alg":"RS256""#));
    let pinned = KeySet::parse(pinned.as_bytes()).unwrap();
    let by_pss = token(r#"{"alg":"PS256","kid":"rsa"}"#, CLAIMS, by_rsa_pss);
    assert_eq!(verify(&by_pss, &pinned, &rules(), NOW), Err(JwtError::Key));
    let mixed = token(r#"{"alg":"PS256","kid":"rsa"}"#, CLAIMS, by_rsa);
    assert_eq!(check(&mixed), Err(JwtError::Signature), "signed by another padding");
}

/// F71: an algorithm that is not among those that are set is refused, whatever the key can do.
#[test]
fn an_algorithm_that_is_not_set_is_refused() {
    let strict = JwtRules { algorithms: vec![Algorithm::Es256], ..rules() };
    let keys = KeySet::parse(jwks().as_bytes()).unwrap();
    assert_eq!(verify(&token(RSA, CLAIMS, by_rsa), &keys, &strict, NOW), Err(JwtError::Algorithm));
    assert!(verify(&token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, by_ec), &keys, &strict, NOW).is_ok());
}

/// F71: a key id chooses among the keys of the set; it is no path, no query and no address.
#[test]
fn a_key_id_only_chooses_among_the_keys() {
    let long = "x".repeat(4_000);
    let tricks = [
        "../../../dev/null",
        "/dev/null",
        "",
        "rsa' OR '1'='1",
        "https://evil.example/keys",
        "RSA",
        "rsa\\u0000",
        &long,
    ];
    for id in tricks {
        let header = format!(r#"{{"alg":"RS256","kid":"{id}"}}"#);
        assert_eq!(with_header(&header), Err(JwtError::Key), "{id}");
    }
    for id in ["0", "null", "{}", r#"["rsa"]"#] {
        let header = format!(r#"{{"alg":"RS256","kid":{id}}}"#);
        assert_eq!(with_header(&header), Err(JwtError::Json), "{id}");
    }
}

/// F71: keys that a token brings along or points to are not looked at.
#[test]
fn a_header_that_brings_or_points_to_keys_is_refused() {
    let members = [
        r#""jku":"https://login.example/keys""#,
        r#""x5u":"https://login.example/cert""#,
        &format!(r#""jwk":{}"#, rsa_jwk("")),
        r#""x5c":["MIIC"]"#,
        r#""x5t":"abc""#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""enc":"A128GCM""#,
        r#""zip":"DEF""#,
        r#""jku":null"#,
    ];
    for member in members {
        let header = format!(r#"{{"alg":"RS256","kid":"rsa",{member}}}"#);
        assert_eq!(with_header(&header), Err(JwtError::Header), "{member}");
    }
}

/// F71: what is no token for access or identity is not taken for one.
#[test]
fn a_type_that_is_another_is_refused() {
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"] {
        assert!(with_header(&format!(r#"{{"alg":"RS256","kid":"rsa","typ":"{kind}"}}"#)).is_ok(), "{kind}");
    }
    for kind in ["secevent+jwt", "dpop+jwt", "logout+jwt", "JOSE", ""] {
        let refused = with_header(&format!(r#"{{"alg":"RS256","kid":"rsa","typ":"{kind}"}}"#));
        assert_eq!(refused, Err(JwtError::Type), "{kind}");
    }
}

/// F71: each claim that is asked for must be there, and be what it should be.
#[test]
fn a_claim_that_is_missing_or_wrong_is_refused() {
    let parts = [
        (r#""iss":"https://login.example","#, ""),
        (r#""aud":"pubsub","#, ""),
        (r#""sub":"orders","#, ""),
        (r#""exp":1800000300,"#, ""),
        ("1800000300", "null"),
        ("1800000300", r#""1800000300""#),
        ("1800000300", "-1"),
        ("1800000300", "1e300"),
        ("1799999990", r#""now""#),
        (r#""orders""#, "7"),
        (r#""pubsub""#, "7"),
        (r#""pubsub""#, r#"["pubsub",7]"#),
        (r#""https://login.example""#, r#"["https://login.example"]"#),
    ];
    for (from, to) in parts {
        assert_eq!(with_claims(&claims(from, to)), Err(JwtError::Claim), "{from} as {to}");
    }
    for not_an_object in
        ["", "[]", "null", "7", "{", r#"{"iss":}"#, &format!("{CLAIMS} {CLAIMS}"), &format!("{CLAIMS}\0")]
    {
        assert_eq!(with_claims(not_an_object), Err(JwtError::Json), "{not_an_object}");
    }
}

/// F71: a token of another issuer, or for somebody else, is refused.
#[test]
fn another_issuer_or_audience_is_refused() {
    for issuer in ["https://login.example/", "https://login.example.evil", "HTTPS://login.example", ""] {
        assert_eq!(with_claims(&claims("https://login.example", issuer)), Err(JwtError::Issuer), "{issuer}");
    }
    for audience in [r#""billing""#, r#"["billing","pubsub2"]"#, "[]", r#""""#, r#""pubsub ""#] {
        assert_eq!(with_claims(&claims(r#""pubsub""#, audience)), Err(JwtError::Audience), "{audience}");
    }
    assert!(with_claims(&claims(r#""pubsub""#, r#"["billing","pubsub"]"#)).is_ok());
}

/// F71: the time of a token is over a minute behind its end, and begins a minute early; not a second more.
#[test]
fn a_token_out_of_its_time_is_refused() {
    assert!(with_claims(&claims("1800000300", &(NOW - 59).to_string())).is_ok());
    assert_eq!(with_claims(&claims("1800000300", &(NOW - 60).to_string())), Err(JwtError::Expired));
    assert_eq!(with_claims(&claims("1800000300", "0")), Err(JwtError::Expired));
    for name in ["iat", "nbf"] {
        let at = |time: i64| with_claims(&claims(r#""iat":1799999990"#, &format!(r#""{name}":{time}"#)));
        assert!(at(NOW + 60).is_ok(), "{name}");
        assert_eq!(at(NOW + 61), Err(JwtError::NotYetValid), "{name}");
    }
    let fraction = claims("1800000300", "1800000300.75");
    assert_eq!(with_claims(&fraction).unwrap().valid_until, NOW + 360);
}

/// F71: a name that is there twice is read by none of its values.
#[test]
fn a_name_that_is_there_twice_is_refused() {
    assert_eq!(with_header(r#"{"alg":"RS256","kid":"rsa","alg":"none"}"#), Err(JwtError::Json));
    assert_eq!(with_header(r#"{"alg":"none","kid":"rsa","alg":"RS256"}"#), Err(JwtError::Json));
    assert_eq!(with_header(r#"{"alg":"RS256","kid":"rsa","k\u0069d":"ec"}"#), Err(JwtError::Json));
    assert_eq!(with_claims(&claims(r#""sub":"orders""#, r#""sub":"orders","sub":"admin""#)), Err(JwtError::Json));
    assert_eq!(with_claims(&claims(r#""iat":1799999990"#, r#""x":{"a":1,"a":2}"#)), Err(JwtError::Json));
    assert_eq!(with_claims(&claims(r#""iat":1799999990"#, r#""x":[{"a":{"b":1,"b":2}}]"#)), Err(JwtError::Json));
}

/// F71: a subject is a name such as principals have.
#[test]
fn a_subject_that_is_no_name_is_refused() {
    for subject in ["", "two words", "line\\nfeed", "naïve", &"x".repeat(256)] {
        assert_eq!(with_claims(&claims("orders", subject)), Err(JwtError::Subject), "{subject}");
    }
    assert_eq!(with_claims(&claims("orders", "auth0|1234@example")).unwrap().subject, "auth0|1234@example");
}

/// F71: of what was signed not a bit may change, nor of the signature, and nothing of either may be missing.
#[test]
fn a_changed_or_truncated_token_is_refused() {
    for good in [token(RSA, CLAIMS, by_rsa), token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, by_ec)] {
        assert!(check(&good).is_ok());
        for place in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(check(std::str::from_utf8(&changed).unwrap()).is_err(), "byte {place}");
            assert!(check(&good[..place]).is_err(), "only {place} bytes");
        }
    }
}

/// F71: an ECDSA signature is two numbers of fixed size; in the form of X.509 it is none.
#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    let der = token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, by_ec_in_der);
    assert_eq!(check(&der), Err(JwtError::Signature));
    // All zeros: a signature of nothing that some have taken for one of anything.
    let zeros = token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, |_| vec![0; 64]);
    assert_eq!(check(&zeros), Err(JwtError::Signature));
}

/// F71: a token has three parts in the one way of writing them, and a bound.
#[test]
fn what_is_not_written_as_a_token_is_refused() {
    let good = token(RSA, CLAIMS, by_rsa);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let huge = token(RSA, &claims("orders", &"x".repeat(8_192)), by_rsa);
    assert_eq!(check(&huge), Err(JwtError::TooLong));
    let others = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        signed.to_owned(),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good}=="),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('-', "+").replace('_', "/"),
        format!("{signed}..{signature}"),
        format!("Bearer {good}"),
        format!("{signed}.é"),
    ];
    for other in others {
        assert!(check(&other).is_err(), "{other}");
    }
    // The last letter has bits that no byte has: another letter would mean the same, were it read at all.
    let odd = token(r#"{"alg":"ES256","kid":"ec"}"#, CLAIMS, by_ec);
    let last = odd.chars().last().unwrap();
    let twins = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|twin| *twin != last);
    for twin in twins {
        assert!(check(&format!("{}{twin}", &odd[..odd.len() - 1])).is_err(), "{twin}");
    }
}

/// F71: without a key id it is the only key for the algorithm, or none.
#[test]
fn without_a_key_id_there_is_one_key_to_choose_from() {
    assert!(with_header(r#"{"alg":"RS256"}"#).is_ok());
    let two = format!(r#"{{"keys":[{},{}]}}"#, rsa_jwk(r#","kid":"a""#), rsa_jwk(r#","kid":"b""#));
    let two = KeySet::parse(two.as_bytes()).unwrap();
    assert_eq!(verify(&token(r#"{"alg":"RS256"}"#, CLAIMS, by_rsa), &two, &rules(), NOW), Err(JwtError::Key));
    assert!(verify(&token(r#"{"alg":"RS256","kid":"b"}"#, CLAIMS, by_rsa), &two, &rules(), NOW).is_ok());
}

#[test]
fn a_verifier_takes_what_the_keys_it_has_now_have_signed() {
    let verifier = JwtVerifier::new(rules());
    let good = token(RSA, CLAIMS, by_rsa);
    assert_eq!((verifier.key_count(), verifier.verify(&good, NOW)), (0, Err(JwtError::Key)));
    verifier.clone().replace(KeySet::parse(jwks().as_bytes()).unwrap());
    assert_eq!(verifier.key_count(), 3);
    assert!(verifier.verify(&good, NOW).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,400}") {
        prop_assert!(check(&text).is_err());
    }

    #[test]
    fn arbitrary_parts_are_refused(header: Vec<u8>, claims: Vec<u8>, signature: Vec<u8>) {
        let text = format!("{}.{}.{}", encoded(&header), encoded(&claims), encoded(&signature));
        prop_assert!(check(&text).is_err());
    }

    #[test]
    fn arbitrary_claims_that_are_signed_do_not_panic(claims in "\\{(\"[a-z]{3}\":[0-9a-z\"\\[\\]{}.,:-]{0,12},?){0,6}\\}") {
        let _ = check(&token(r#"{"alg":"EdDSA","kid":"ed"}"#, &claims, by_ed));
    }
}
