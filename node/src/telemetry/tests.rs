//! Lines as they come out of the process.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use gateway::{http::request_id::RequestIds, request_scope};
use serde_json::Value;

use super::*;

/// What has been written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

/// What is written of what `work` logs.
fn logged(config: &LogConfig, work: impl FnOnce(&Log)) -> Vec<String> {
    let written = Written::default();
    let writer = written.clone();
    let (log, subscriber) = prepare(config, move || writer.clone(), false).unwrap();
    let _guard = subscriber.set_default();
    work(&log);
    log.finish();
    written.lines()
}

fn config(format: LogFormat, level: &str) -> LogConfig {
    LogConfig { level: level.to_owned(), format, ..LogConfig::default() }
}

#[test]
fn libraries_are_quiet_unless_they_are_named() {
    assert_eq!(with_quiet_libraries("info"), "openraft=off,sled=warn,info");
    assert_eq!(with_quiet_libraries("info,openraft=debug"), "sled=warn,info,openraft=debug");
}

#[test]
fn a_line_of_a_request_names_it_in_both_formats() {
    let id = RequestIds::new(7).next_id();
    let work = |_: &Log| {
        tracing::info!(number = 1, "before");
        request_scope::within(id, || tracing::info!(number = 2, "of the request"));
    };
    let lines = logged(&config(LogFormat::Json, "info"), work);
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["message"], &lines[0]["request_id"]), (&"before".into(), &Value::Null));
    assert_eq!((&lines[1]["number"], &lines[1]["request_id"]), (&2.into(), &id.as_str().into()));
    let lines = logged(&config(LogFormat::Text, "info"), work);
    assert!(lines[0].ends_with("before number=1"), "{lines:?}");
    assert!(lines[1].ends_with(&format!("of the request number=2 request_id={id}")), "{lines:?}");
}

#[test]
fn repeats_are_left_out_and_counted_and_what_was_asked_for_is_not() {
    let settings = LogConfig { repeats_max: 2, ..config(LogFormat::Json, "debug") };
    let lines = logged(&settings, |_| {
        for number in 0..5 {
            tracing::info!(number, "a repeat");
            tracing::debug!(number, "a detail");
        }
    });
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("a repeat"), count("a detail"), lines.len()), (2, 5, 8), "{lines:?}");
    let told: Value = serde_json::from_str(&lines[7]).unwrap();
    assert_eq!((&told["lines"], &told["place_level"]), (&3.into(), &"INFO".into()));
    assert!(told["place"].as_str().unwrap().contains("tests.rs:"), "{told}");
}

#[test]
fn more_and_less_is_logged_from_one_line_to_the_next() {
    let lines = logged(&config(LogFormat::Text, "warn"), |log| {
        for level in ["warn", "trace", "error"] {
            log.apply(&config(LogFormat::Text, level)).unwrap();
            tracing::debug!("a detail at {level}");
            tracing::warn!("a warning at {level}");
        }
        assert!(log.apply(&config(LogFormat::Text, "loud=loud")).is_err());
        tracing::error!("the last");
    });
    let said: Vec<_> = lines.iter().map(|line| line.split_once("tests: ").unwrap().1).collect();
    assert_eq!(said, ["a warning at warn", "a detail at trace", "a warning at trace", "the last"]);
}

#[test]
fn a_filter_that_says_nothing_is_none() {
    assert!(filter(" ").is_err() && filter("info,gateway=loud").is_err());
    assert!(filter("info,gateway=debug").is_ok());
}
