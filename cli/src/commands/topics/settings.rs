//! A topic's settings on the command line.

use gateway_api::Nullable;
use gateway_api::topics::{Acks, Compression, Flush, TopicSettings};

use crate::error::CliError;
use crate::values::{bytes_or_none, milliseconds, milliseconds_or_none, word};

/// A topic's settings; what is not given takes its default, or stays as it is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SettingsArgs {
    /// How many partitions; a change can only raise it
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    /// On how many nodes each partition is kept
    #[arg(long, value_name = "N")]
    replication_factor: Option<u16>,
    /// How long messages are kept, such as 7d, or `none` for ever
    #[arg(long, value_name = "TIME", value_parser = milliseconds_or_none)]
    retention: Option<Nullable<u64>>,
    /// How much each partition keeps, such as 10GiB, or `none` without limit
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_none)]
    retention_bytes: Option<Nullable<u64>>,
    /// How batches are compressed
    #[arg(long, value_name = "HOW", value_parser = word::<Compression>(&["none", "snappy", "lz4"]))]
    compression: Option<Compression>,
    /// When writes are synced to disk
    #[arg(long, value_name = "WHEN", value_parser = word::<Flush>(&["always", "interval", "os"]))]
    flush: Option<Flush>,
    /// What an acknowledged message has reached
    #[arg(long, value_name = "WHAT", value_parser = word::<Acks>(&["quorum", "leader", "memory"]))]
    acks: Option<Acks>,
    /// How many replicas must be in sync for a message to be accepted
    #[arg(long, value_name = "N")]
    min_insync: Option<u16>,
    /// How long message ids are remembered to recognise repetitions, such as 2m
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    dedup_window: Option<u64>,
    /// The largest message in bytes: payload, key and attributes
    #[arg(long, value_name = "N")]
    max_message_bytes: Option<u32>,
}

impl SettingsArgs {
    /// The settings as the API has them.
    pub(super) fn settings(&self) -> TopicSettings {
        TopicSettings {
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            retention_ms: self.retention,
            retention_bytes: self.retention_bytes,
            compression: self.compression,
            flush: self.flush,
            acks: self.acks,
            min_insync: self.min_insync,
            dedup_window_ms: self.dedup_window,
            max_message_bytes: self.max_message_bytes,
        }
    }

    /// The same, of which there must be at least one.
    pub(super) fn some_settings(&self) -> Result<TopicSettings, CliError> {
        let settings = self.settings();
        if settings == TopicSettings::default() {
            return Err(CliError::Usage { detail: "nothing to change: give at least one setting".to_owned() });
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: SettingsArgs,
    }

    #[test]
    fn settings_are_those_of_the_api() {
        let line = "x --partitions 8 --retention 7d --retention-bytes none --compression lz4 --dedup-window 2m";
        let settings = Line::try_parse_from(line.split(' ')).unwrap().settings.some_settings().unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        let expected = concat!(
            r#"{"partitions":8,"retention_ms":604800000,"retention_bytes":null,"compression":"lz4","#,
            r#""dedup_window_ms":120000}"#
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn an_update_needs_something_to_change() {
        assert!(Line::try_parse_from(["x"]).unwrap().settings.some_settings().is_err());
    }

    #[test]
    fn an_unknown_word_names_the_known_ones() {
        let Err(error) = Line::try_parse_from(["x", "--flush", "never"]) else { panic!("accepted") };
        assert!(error.to_string().contains("[possible values: always, interval, os]"), "{error}");
    }
}
