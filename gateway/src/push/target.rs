//! The address of a push subscription: what of it can be judged before its name is resolved.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;

/// The longest address.
const URL_BYTES_MAX: usize = 2048;

/// Where requests may go besides https to public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushPolicy {
    /// To http as well.
    pub allow_http: bool,
    /// To addresses that are not public as well.
    pub allow_private_networks: bool,
}

/// An address that requests may be sent to, as far as can be told from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTarget {
    /// Whether to speak TLS.
    pub tls: bool,
    /// The host, to be resolved or as it stands.
    pub host: PushHost,
    /// The port.
    pub port: u16,
    /// What goes into the `host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushHost {
    /// A name, in ASCII.
    Name(String),
    /// An address, however it was written.
    Address(IpAddr),
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum TargetError {
    #[error("it has more than {URL_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no URL such as https://example.com/hook")]
    NotAUrl,
    #[error("it has to begin with https://; this node sends nothing unencrypted")]
    NotHttps,
    #[error("it has to begin with https:// or http://")]
    Scheme,
    #[error("it may hold no user and no password; a receiver knows the node by the signature")]
    Credentials,
    #[error("it may have no fragment, which would not be sent")]
    Fragment,
    #[error("its port may not be 0")]
    Port,
    #[error("it leads to no public address; this node sends to no other")]
    NotPublic,
}

impl PushPolicy {
    /// Whether a connection may go to this address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // Nobody is reached at these, whoever allows it; some systems take them for themselves.
        let usable = !address.is_unspecified() && !address.is_multicast();
        usable && (self.allow_private_networks || is_public(address))
    }
}

impl PushTarget {
    /// Reads an address and checks what can be checked without a resolver. The host's addresses are checked when a
    /// connection is made, with [`PushPolicy::allows`].
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(text: &str, policy: PushPolicy) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| TargetError::NotAUrl)?;
        let tls = match (url.scheme(), policy.allow_http) {
            ("https", _) => true,
            ("http", true) => false,
            ("http", false) => return Err(TargetError::NotHttps),
            _ => return Err(TargetError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') && has_userinfo(text) {
            return Err(TargetError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(TargetError::Port)?;
        let host = match url.host().ok_or(TargetError::NotAUrl)? {
            Host::Domain(name) => PushHost::Name(name.to_owned()),
            Host::Ipv4(address) => PushHost::Address(address.into()),
            Host::Ipv6(address) => PushHost::Address(address.into()),
        };
        host.check(policy)?;
        let host_text = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host_text.to_owned(), |port| format!("{host_text}:{port}"));
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Ok(Self { tls, host, port, authority, path })
    }
}

impl PushHost {
    fn check(&self, policy: PushPolicy) -> Result<(), TargetError> {
        let allowed = match self {
            Self::Address(address) => policy.allows(*address),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let is_local = name == "localhost" || name.ends_with(".localhost");
                policy.allow_private_networks || !is_local
            }
        };
        if allowed { Ok(()) } else { Err(TargetError::NotPublic) }
    }
}

/// Whether the part before the path has an `@`: an empty user is one too.
fn has_userinfo(text: &str) -> bool {
    let after_scheme = text.split_once(':').map_or(text, |(_, rest)| rest).trim_start_matches(['/', '\\']);
    after_scheme.split(['/', '\\', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: PushPolicy = PushPolicy { allow_http: false, allow_private_networks: false };
    const LAX: PushPolicy = PushPolicy { allow_http: true, allow_private_networks: true };

    fn refusal(text: &str) -> Option<TargetError> {
        PushTarget::parse(text, STRICT).err()
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = PushTarget::parse("https://Hooks.Example:8443/a%20b?c=d", STRICT).unwrap();
        let expected = PushTarget {
            tls: true,
            host: PushHost::Name("hooks.example".to_owned()),
            port: 8443,
            authority: "hooks.example:8443".to_owned(),
            path: "/a%20b?c=d".to_owned(),
        };
        assert_eq!(target, expected);
        let target = PushTarget::parse("http://[::1]", LAX).unwrap();
        assert_eq!((target.port, target.authority.as_str(), target.path.as_str()), (80, "[::1]", "/"));
    }

    #[test]
    fn what_is_not_https_is_refused_unless_it_is_allowed() {
        assert_eq!(refusal("http://example.com"), Some(TargetError::NotHttps));
        assert_eq!(PushTarget::parse("http://example.com", LAX).map(|target| target.tls), Ok(false));
        for text in ["ftp://example.com", "file:///etc/passwd", "gopher://example.com", "data:text/plain,a", "unix:/a"]
        {
            assert_eq!(refusal(text), Some(TargetError::Scheme), "{text}");
            assert!(PushTarget::parse(text, LAX).is_err(), "{text}");
        }
        for text in ["", "example.com/hook", "https://", "https://a b", "//example.com"] {
            assert_eq!(refusal(text), Some(TargetError::NotAUrl), "{text}");
        }
    }

    /// F72: an address that is not public is refused however it is written.
    #[test]
    fn an_address_that_is_not_public_is_refused_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "①②⑦.0.0.1",
            "１２７.0.0.1",
            "%31%32%37.0.0.1",
        ] {
            assert_eq!(refusal(&format!("https://{host}/")), Some(TargetError::NotPublic), "{host}");
        }
    }

    #[test]
    fn credentials_fragments_and_port_0_are_refused() {
        for text in
            ["https://u:p@example.com", "https://u@example.com", "https://@example.com", "https:\\\\@example.com"]
        {
            assert_eq!(refusal(text), Some(TargetError::Credentials), "{text}");
        }
        assert_eq!(refusal("https://example.com/a@b?c=@"), None);
        assert_eq!(refusal("https://example.com/#a"), Some(TargetError::Fragment));
        assert_eq!(refusal("https://example.com:0/"), Some(TargetError::Port));
        assert_eq!(refusal(&format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX))), Some(TargetError::TooLong));
    }

    #[test]
    fn what_is_never_an_address_of_anybody_is_never_allowed() {
        for address in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            assert!(!LAX.allows(address.parse().unwrap()), "{address}");
        }
        assert!(LAX.allows("127.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_safe_to_put_into_a_request(text in "(https://)?[ -~\\r\\n\\t\u{80}-\u{ff}]{0,60}") {
            if let Ok(target) = PushTarget::parse(&text, STRICT) {
                let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
                prop_assert!(visible(&target.authority) && visible(&target.path), "{target:?}");
                prop_assert!(target.path.starts_with('/') && target.tls && target.port != 0);
                let private = matches!(target.host, PushHost::Address(address) if !is_public(address));
                prop_assert!(!private);
            }
        }
    }
}
