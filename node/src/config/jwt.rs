//! Whose tokens the node takes.

use std::path::PathBuf;

use gateway::{
    auth::jwt::{Algorithm, JwtRules},
    push::{PushHost, PushPolicy, PushTarget},
};

/// The section `jwt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSection {
    /// Who issues the tokens; empty if none are taken.
    pub issuer: String,
    /// Whom they are for.
    pub audience: String,
    /// A file with the issuer's public keys.
    pub jwks_file: PathBuf,
    /// Where they are fetched from.
    pub jwks_url: String,
    /// A PEM file with issuers of certificates to trust there, besides those that the machine trusts.
    pub ca_file: PathBuf,
    /// A file with the one secret that tokens are signed with.
    pub hmac_secret_file: PathBuf,
    /// By which algorithms; all that the keys allow if none is named.
    pub algorithms: Vec<String>,
    /// How often the keys are read again.
    pub refresh_interval_ms: u64,
}

impl JwtSection {
    /// Whether tokens are taken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// What tokens must say; algorithms that are none are left out, which `check` has refused.
    pub(crate) fn rules(&self) -> JwtRules {
        let named = self.algorithms.iter().filter_map(|name| Algorithm::named(name));
        let algorithms = if self.algorithms.is_empty() {
            Algorithm::ALL.into_iter().filter(|algorithm| self.allows(*algorithm)).collect()
        } else {
            named.collect()
        };
        JwtRules { issuer: self.issuer.clone(), audience: self.audience.clone(), algorithms }
    }

    /// Where the keys are fetched from.
    pub(crate) fn target(&self) -> Result<PushTarget, String> {
        let lax = PushPolicy { allow_http: true, allow_private_networks: true };
        let target = PushTarget::parse(&self.jwks_url, lax).map_err(|error| format!("jwt.jwks_url: {error}"))?;
        let is_here = match &target.host {
            PushHost::Address(address) => address.is_loopback(),
            PushHost::Name(name) => name == "localhost",
        };
        if !target.tls && !is_here {
            return Err(
                "jwt.jwks_url: it has to begin with https://: whoever could change it on its way could make tokens"
                    .to_owned(),
            );
        }
        Ok(target)
    }

    /// Says which rule the section breaks, if any.
    pub(super) fn check(&self) -> Result<(), String> {
        let sources = [
            !self.jwks_file.as_os_str().is_empty(),
            !self.jwks_url.is_empty(),
            !self.hmac_secret_file.as_os_str().is_empty(),
        ];
        let count = sources.into_iter().filter(|is_set| *is_set).count();
        if !self.is_on() {
            let is_bare = count == 0 && self.audience.is_empty();
            return if is_bare {
                Ok(())
            } else {
                Err("jwt.issuer: expected the issuer of the tokens, found nothing".to_owned())
            };
        }
        if self.audience.is_empty() {
            return Err("jwt.audience: expected what tokens for this node name as theirs, found nothing".to_owned());
        }
        if count != 1 {
            return Err("jwt: set one of jwt.jwks_file, jwt.jwks_url and jwt.hmac_secret_file".to_owned());
        }
        if !self.jwks_url.is_empty() {
            self.target()?;
        }
        for name in &self.algorithms {
            let Some(algorithm) = Algorithm::named(name) else {
                let known = Algorithm::ALL.map(Algorithm::name).join(", ");
                return Err(format!("jwt.algorithms: expected some of {known}, found `{name}`"));
            };
            if !self.allows(algorithm) {
                return Err(format!(
                    "jwt.algorithms: `{name}` does not go with these keys: HS256 is for jwt.hmac_secret_file alone"
                ));
            }
        }
        Ok(())
    }

    fn allows(&self, algorithm: Algorithm) -> bool {
        (algorithm == Algorithm::Hs256) != self.hmac_secret_file.as_os_str().is_empty()
    }
}

impl Default for JwtSection {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            jwks_file: PathBuf::new(),
            jwks_url: String::new(),
            ca_file: PathBuf::new(),
            hmac_secret_file: PathBuf::new(),
            algorithms: Vec::new(),
            refresh_interval_ms: 300_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> JwtSection {
        let (issuer, audience) = ("https://login.example".to_owned(), "pubsub".to_owned());
        JwtSection { issuer, audience, jwks_file: "keys.json".into(), ..JwtSection::default() }
    }

    #[test]
    fn issuer_audience_and_one_source_belong_together() {
        assert_eq!(JwtSection::default().check(), Ok(()));
        assert_eq!(section().check(), Ok(()));
        assert!(JwtSection { issuer: String::new(), ..section() }.check().unwrap_err().contains("jwt.issuer"));
        assert!(JwtSection { audience: String::new(), ..section() }.check().unwrap_err().contains("jwt.audience"));
        assert!(JwtSection { jwks_file: PathBuf::new(), ..section() }.check().unwrap_err().contains("set one of"));
        assert!(JwtSection { hmac_secret_file: "s".into(), ..section() }.check().unwrap_err().contains("set one of"));
    }

    #[test]
    fn keys_are_fetched_by_tls_or_from_this_machine() {
        let at = |url: &str| JwtSection { jwks_file: PathBuf::new(), jwks_url: url.to_owned(), ..section() }.check();
        for url in
            ["https://login.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/keys"]
        {
            assert_eq!(at(url), Ok(()), "{url}");
        }
        for url in
            ["http://login.example/keys", "http://10.0.0.1/keys", "http://localhost.evil/keys", "ftp://a/keys", "keys"]
        {
            assert!(at(url).unwrap_err().contains("jwt.jwks_url"), "{url}");
        }
    }

    #[test]
    fn secrets_and_public_keys_have_their_own_algorithms() {
        assert_eq!(
            section().rules().algorithms,
            [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]
        );
        let secret = JwtSection { jwks_file: PathBuf::new(), hmac_secret_file: "s".into(), ..section() };
        assert_eq!(secret.rules().algorithms, [Algorithm::Hs256]);
        let named = |section: JwtSection, name: &str| JwtSection { algorithms: vec![name.to_owned()], ..section };
        assert!(named(section(), "HS256").check().unwrap_err().contains("hmac_secret_file"));
        assert!(named(secret, "RS256").check().is_err());
        assert!(named(section(), "none").check().unwrap_err().contains("RS256"));
        assert_eq!(named(section(), "ES256").rules().algorithms, [Algorithm::Es256]);
    }
}
