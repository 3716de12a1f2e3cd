//! What a certificate says: whose it is, and until when.

use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::limits::CLIENT_NAME_BYTES_MAX;

/// The name of a client by its certificate, which has been verified: the first URI among its alternative names, else the
/// first DNS name, else its common name. `None` where that is empty, too long, or has other characters than visible ASCII:
/// such a name is not passed over for the next kind.
#[must_use]
pub fn client_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let alternatives = certificate.subject_alternative_name().ok()?;
    let alternatives = alternatives.as_ref().map_or(&[][..], |extension| &extension.value.general_names[..]);
    let uri = alternatives.iter().find_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    let dns =
        || alternatives.iter().find_map(|name| if let GeneralName::DNSName(dns) = name { Some(*dns) } else { None });
    let common = || certificate.subject().iter_common_name().next().map(|name| name.as_str().unwrap_or_default());
    let name = uri.or_else(dns).or_else(common)?;
    let is_usable =
        (1..=CLIENT_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_usable.then(|| name.to_owned())
}

/// When a certificate ends, in seconds since the Unix epoch; `None` for what is no certificate.
#[must_use]
pub fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn certificate(common_name: Option<&str>, alternatives: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names = alternatives;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn name_of(common_name: Option<&str>, alternatives: Vec<SanType>) -> Option<String> {
        client_name(&certificate(common_name, alternatives))
    }

    #[test]
    fn a_uri_comes_before_a_dns_name_and_that_before_the_common_name() {
        let spiffe = "spiffe://example.org/ns/prod/sa/orders";
        let all = vec![dns("orders.example.org"), uri(spiffe), uri("spiffe://example.org/other")];
        assert_eq!(name_of(Some("orders"), all).as_deref(), Some(spiffe));
        assert_eq!(name_of(Some("orders"), vec![dns("a.example"), dns("b.example")]).as_deref(), Some("a.example"));
        assert_eq!(name_of(Some("orders"), Vec::new()).as_deref(), Some("orders"));
        assert_eq!(name_of(None, Vec::new()), None);
    }

    #[test]
    fn addresses_and_mail_are_no_names() {
        let others =
            vec![SanType::IpAddress([127, 0, 0, 1].into()), SanType::Rfc822Name("a@b.example".try_into().unwrap())];
        assert_eq!(name_of(None, others.clone()), None);
        assert_eq!(name_of(Some("orders"), others).as_deref(), Some("orders"));
    }

    #[test]
    fn a_name_that_can_not_be_used_is_not_passed_over() {
        let long = format!("spiffe://example.org/{}", "x".repeat(CLIENT_NAME_BYTES_MAX));
        assert_eq!(name_of(Some("orders"), vec![uri(&long)]), None);
        assert_eq!(name_of(Some("two words"), Vec::new()), None);
        assert_eq!(name_of(Some("line\nfeed"), Vec::new()), None);
        assert_eq!(name_of(Some("naïve"), Vec::new()), None);
        assert_eq!(name_of(Some(""), vec![]), None);
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(not_after(certificate.der()), Some(1_927_843_200));
        assert_eq!(not_after(b"no certificate"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_have_no_name(bytes: Vec<u8>) {
            prop_assert_eq!(client_name(&bytes), None);
        }

        #[test]
        fn a_damaged_certificate_does_not_panic(place in 0_usize..400, bit in 0_u8..8) {
            let mut certificate = certificate(Some("orders"), vec![uri("spiffe://example.org/orders")]);
            let place = place % certificate.len();
            certificate[place] ^= 1 << bit;
            let _ = (client_name(&certificate), not_after(&certificate));
        }
    }
}
