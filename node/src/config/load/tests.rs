//! The layers, and what each fault says.

use std::io::Write as _;

use super::*;
use crate::config::{Auth, to_yaml};

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(&Sources { file: Some(file.path().to_owned()), ..Sources::default() })
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { environment, ..Sources::default() })
}

#[test]
fn without_sources_the_defaults_hold() {
    let config = load(&Sources::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.data_address().to_string(), "127.0.0.1:8081");
    assert_eq!(config.metrics_address().to_string(), "127.0.0.1:9092");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"server: {port: 1001, shards: 3}\nmetrics:\n  port: 1002\n").unwrap();
    let text = |value: &str| value.to_owned();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: vec![(text("PUBSUB_SERVER_PORT"), text("2001")), (text("PUBSUB_METRICS_PORT"), text("2002"))],
        flags: vec![(text("server.port"), text("3001"))],
    };
    let config = load(&sources).unwrap();
    assert_eq!((config.server.port, config.metrics.port, config.server.shards), (3001, 2002, 3));
}

#[test]
fn an_unknown_key_names_the_file_the_path_and_the_nearest() {
    let message = from_file("server:\n  prot: 8082\n").unwrap_err().to_string();
    assert!(message.contains("`server.prot`"), "{message}");
    assert!(message.ends_with("did you mean `server.port`?"), "{message}");
    let message = from_file("colour: blue\n").unwrap_err().to_string();
    assert!(message.ends_with("unknown setting `colour`"), "{message}");
}

#[test]
fn an_unknown_variable_names_the_nearest() {
    let message = from_environment(&[("PUBSUB_SERVER_PROT", "1")]).unwrap_err().to_string();
    assert!(message.contains("PUBSUB_SERVER_PROT"), "{message}");
    assert!(message.ends_with("did you mean `PUBSUB_SERVER_PORT`?"), "{message}");
}

#[test]
fn a_value_of_the_wrong_kind_says_where_and_what_was_expected() {
    let message = from_file("server:\n  port: many\n").unwrap_err().to_string();
    assert!(message.contains("`server.port`: expected a whole number"), "{message}");
    let message = from_file("server:\n  port: [1, 2]\n").unwrap_err().to_string();
    assert!(message.contains("found a list"), "{message}");
    let message = from_file("server: 8081\n").unwrap_err().to_string();
    assert!(message.contains("unknown setting `server`"), "{message}");
    assert!(from_file("[1, 2]").is_err());
    assert!(from_file("a: b: c").is_err());
}

#[test]
fn a_ratio_is_a_number_from_0_to_1() {
    let ratio =
        |text: &str| from_file(&format!("tracing: {{sample_ratio: {text}}}")).map(|config| config.tracing.sample_ratio);
    assert_eq!(ratio("0.25").unwrap().to_string(), "0.25");
    assert_eq!(ratio("1").unwrap().to_string(), "1");
    for wrong in ["1.5", "-1", "few"] {
        let message = ratio(wrong).unwrap_err().to_string();
        assert!(message.contains("expected a number from 0 to 1"), "{message}");
    }
}

#[test]
fn empty_sections_and_empty_files_say_nothing() {
    assert_eq!(from_file("").unwrap(), Config::default());
    assert_eq!(from_file("server:\nstorage:\n").unwrap(), Config::default());
    assert!(from_file("server:\n  port:\n").is_err());
}

#[test]
fn variables_of_kubernetes_services_and_of_the_tools_are_no_settings() {
    let links = [
        ("PUBSUB_SERVICE_HOST", "10.0.0.1"),
        ("PUBSUB_SERVICE_PORT_HTTP", "8081"),
        ("PUBSUB_PORT", "tcp://10.0.0.1:8081"),
        ("PUBSUB_HEADLESS_PORT_8081_TCP_ADDR", "10.0.0.1"),
        ("PUBSUB_SERVER", "http://127.0.0.1:8081"),
        ("PATH", "/usr/bin"),
    ];
    assert_eq!(from_environment(&links).unwrap(), Config::default());
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let sources = Sources { file: Some("/nonexistent/config.yaml".into()), ..Sources::default() };
    assert!(matches!(load(&sources), Err(ConfigError::File { .. })));
}

#[test]
fn what_is_printed_reads_back_equal() {
    let mut config = Config { auth: Auth::None, ..Config::default() };
    config.server.host = [0, 0, 0, 0].into();
    config.server.allowed_origins = vec!["https://app.example".to_owned()];
    config.storage.segment_bytes = 1 << 20;
    assert_eq!(from_file(&to_yaml(&config).unwrap()).unwrap(), config);
}

#[test]
fn a_number_may_be_given_in_quotes() {
    assert_eq!(from_file("server: {port: \"8082\"}").unwrap().server.port, 8082);
}
