//! Every setting, in one table for each matter: its key, what it does, how it is read and shown.

mod cluster;
mod operation;
mod push;
mod redis;
mod security;
mod server;
mod storage;
mod traces;

use serde_yaml_ng::Value as Yaml;

use super::{Config, value::Raw};

/// One setting. Its environment variable is its key in capitals, dots as underscores, after `PUBSUB_`.
pub(super) struct Setting {
    /// Where it stands in the file, such as `server.port`.
    pub key: &'static str,
    /// What it does, in one sentence for the documentation.
    pub purpose: &'static str,
    /// Reads it into its place; the error says what was expected.
    pub set: fn(&mut Config, &Raw) -> Result<(), String>,
    /// Shows it as the file would hold it.
    pub get: fn(&Config) -> Yaml,
}

impl Setting {
    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        variable_of(self.key)
    }
}

/// All settings by what they are about, in the order in which they are printed.
const GROUPS: &[&[Setting]] = &[
    server::SETTINGS,
    security::SETTINGS,
    storage::SETTINGS,
    redis::SETTINGS,
    push::SETTINGS,
    operation::SETTINGS,
    traces::SETTINGS,
    cluster::SETTINGS,
];

/// All settings, in the order in which they are printed.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().copied().flatten()
}

/// The environment variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("PUBSUB_{}", key.replace('.', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::documentation_table;

    #[test]
    fn the_names_that_others_rely_on_exist() {
        let promised = [
            "PUBSUB_SERVER_PORT",
            "PUBSUB_STORE",
            "PUBSUB_REDIS_HOST",
            "PUBSUB_REDIS_PORT",
            "PUBSUB_REDIS_PASSWORD",
            "PUBSUB_METRICS_ENABLED",
            "PUBSUB_METRICS_PORT",
            "PUBSUB_TRACING_ENABLED",
            "PUBSUB_TRACING_OTLP_ENDPOINT",
        ];
        for variable in promised {
            assert!(settings().any(|setting| setting.variable() == variable), "{variable}");
        }
    }

    #[test]
    fn keys_and_variables_are_unique() {
        for (index, setting) in settings().enumerate() {
            for other in settings().skip(index + 1) {
                assert_ne!(setting.key, other.key);
                assert_ne!(setting.variable(), other.variable());
            }
        }
    }

    #[test]
    fn each_setting_reads_what_it_shows_and_writes_its_own_place() {
        let defaults = Config::default();
        for setting in settings() {
            let mut config = Config::default();
            let raw = Raw::from_yaml(&(setting.get)(&defaults)).unwrap();
            assert_eq!((setting.set)(&mut config, &raw), Ok(()), "{}", setting.key);
            assert_eq!(config, defaults, "{}", setting.key);
        }
    }

    #[test]
    fn the_documentation_lists_every_setting() {
        let page = include_str!("../../../docs/configuration.md");
        assert!(page.contains(&documentation_table()), "docs/configuration.md should hold:\n{}", documentation_table());
    }
}
