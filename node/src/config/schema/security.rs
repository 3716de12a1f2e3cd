//! Settings of TLS with clients, and the tokens that they may bring.

use super::{
    super::value::{SettingValue, assign, assign_within},
    Setting,
};

/// In the order in which they are printed.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "tls.cert_file",
        purpose: "a PEM file with the certificate of this node and those of its issuers; empty: no TLS, see [TLS](tls.md)",
        set: |config, raw| assign(&mut config.tls.cert_file, raw),
        get: |config| config.tls.cert_file.show(),
    },
    Setting {
        key: "tls.key_file",
        purpose: "a PEM file with its key",
        set: |config, raw| assign(&mut config.tls.key_file, raw),
        get: |config| config.tls.key_file.show(),
    },
    Setting {
        key: "tls.client_ca_file",
        purpose: "a PEM file with the issuers of the certificates that clients show",
        set: |config, raw| assign(&mut config.tls.client_ca_file, raw),
        get: |config| config.tls.client_ca_file.show(),
    },
    Setting {
        key: "tls.client_auth",
        purpose: "whether clients show a certificate: `none`, `optional`, `required`",
        set: |config, raw| assign(&mut config.tls.client_auth, raw),
        get: |config| config.tls.client_auth.show(),
    },
    Setting {
        key: "tls.min_version",
        purpose: "the oldest version of TLS that is spoken: `1.3` or `1.2`",
        set: |config, raw| assign(&mut config.tls.min_version, raw),
        get: |config| config.tls.min_version.show(),
    },
    Setting {
        key: "tls.reload_interval_ms",
        purpose: "how often the files, and those of `cluster.tls`, are looked at; SIGHUP has it done at once",
        set: |config, raw| assign_within(&mut config.tls.reload_interval_ms, raw, 100..=86_400_000),
        get: |config| config.tls.reload_interval_ms.show(),
    },
    Setting {
        key: "jwt.issuer",
        purpose: "who issues the JWT that clients may show (`iss`); empty: none are taken, see [JWT](tls.md#jwt)",
        set: |config, raw| assign(&mut config.jwt.issuer, raw),
        get: |config| config.jwt.issuer.show(),
    },
    Setting {
        key: "jwt.audience",
        purpose: "what tokens for this node name as theirs (`aud`)",
        set: |config, raw| assign(&mut config.jwt.audience, raw),
        get: |config| config.jwt.audience.show(),
    },
    Setting {
        key: "jwt.jwks_file",
        purpose: "a file with the public keys of the issuer, as a JWK Set",
        set: |config, raw| assign(&mut config.jwt.jwks_file, raw),
        get: |config| config.jwt.jwks_file.show(),
    },
    Setting {
        key: "jwt.jwks_url",
        purpose: "where they are fetched from instead: https, or this machine",
        set: |config, raw| assign(&mut config.jwt.jwks_url, raw),
        get: |config| config.jwt.jwks_url.show(),
    },
    Setting {
        key: "jwt.ca_file",
        purpose: "a PEM file with issuers of certificates to trust there, besides those that the machine trusts",
        set: |config, raw| assign(&mut config.jwt.ca_file, raw),
        get: |config| config.jwt.ca_file.show(),
    },
    Setting {
        key: "jwt.hmac_secret_file",
        purpose: "a file with the one secret of `HS256`, instead of public keys",
        set: |config, raw| assign(&mut config.jwt.hmac_secret_file, raw),
        get: |config| config.jwt.hmac_secret_file.show(),
    },
    Setting {
        key: "jwt.algorithms",
        purpose: "by which algorithms tokens may be signed: `RS256`, `PS256`, `ES256`, `EdDSA`, or `HS256` with the secret; empty: all that the keys allow",
        set: |config, raw| assign(&mut config.jwt.algorithms, raw),
        get: |config| config.jwt.algorithms.show(),
    },
    Setting {
        key: "jwt.refresh_interval_ms",
        purpose: "how often the keys are read again",
        set: |config, raw| assign_within(&mut config.jwt.refresh_interval_ms, raw, 1_000..=86_400_000),
        get: |config| config.jwt.refresh_interval_ms.show(),
    },
];
