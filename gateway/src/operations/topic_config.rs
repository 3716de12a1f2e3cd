//! A topic's configuration between the API's words and the metadata's.

use gateway_api::{
    Nullable,
    topics::{self as api, TopicSettings},
};
use raft::metadata::{Acks, Change, Compression, FlushPolicy, TopicConfig, TopicPatch};

/// The configuration of a new topic: what is not given takes its default.
pub(super) fn of_settings(settings: &TopicSettings, defaults: &TopicConfig) -> TopicConfig {
    let replication_factor = settings.replication_factor.unwrap_or(defaults.replication_factor);
    let config = patch(settings).applied_to(defaults);
    let min_insync = match settings.min_insync {
        Some(min_insync) => min_insync,
        None if replication_factor == defaults.replication_factor => defaults.min_insync,
        None => min_insync_of(replication_factor),
    };
    TopicConfig { replication_factor, min_insync, ..config }
}

/// The change of a topic: what is not given stays, but that no more replicas can be asked for than there are.
pub(super) fn patch_of_settings(settings: &TopicSettings, current: &TopicConfig) -> TopicPatch {
    let mut patch = patch(settings);
    match (settings.replication_factor, settings.min_insync) {
        (Some(factor), None) if factor < current.min_insync => {
            patch.min_insync = Change::Set(min_insync_of(factor));
        }
        (Some(_) | None, _) => {}
    }
    patch
}

/// Enough to outlive the loss of one, where that leaves any choice.
const fn min_insync_of(replication_factor: u16) -> u16 {
    if replication_factor < 3 { 1 } else { 2 }
}

fn patch(settings: &TopicSettings) -> TopicPatch {
    let bound = |bound: Option<Nullable<u64>>| Change::from_option(bound.map(Nullable::into_option));
    TopicPatch {
        partitions: Change::from_option(settings.partitions),
        replication_factor: Change::from_option(settings.replication_factor),
        retention_ms: bound(settings.retention_ms),
        retention_bytes: bound(settings.retention_bytes),
        compression: Change::from_option(settings.compression.map(compression)),
        flush: Change::from_option(settings.flush.map(flush)),
        acks: Change::from_option(settings.acks.map(acks)),
        min_insync: Change::from_option(settings.min_insync),
        dedup_window_ms: Change::from_option(settings.dedup_window_ms),
        max_message_bytes: Change::from_option(settings.max_message_bytes),
    }
}

/// The configuration as clients see it.
pub(super) const fn to_api(config: &TopicConfig) -> api::TopicConfig {
    api::TopicConfig {
        partitions: config.partitions,
        replication_factor: config.replication_factor,
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        compression: match config.compression {
            Compression::None => api::Compression::None,
            Compression::Snappy => api::Compression::Snappy,
            Compression::Lz4 => api::Compression::Lz4,
        },
        flush: match config.flush {
            FlushPolicy::Always => api::Flush::Always,
            FlushPolicy::Interval => api::Flush::Interval,
            FlushPolicy::Os => api::Flush::Os,
        },
        acks: match config.acks {
            Acks::Quorum => api::Acks::Quorum,
            Acks::Leader => api::Acks::Leader,
            Acks::Memory => api::Acks::Memory,
        },
        min_insync: config.min_insync,
        dedup_window_ms: config.dedup_window_ms,
        max_message_bytes: config.max_message_bytes,
    }
}

const fn compression(compression: api::Compression) -> Compression {
    match compression {
        api::Compression::None => Compression::None,
        api::Compression::Snappy => Compression::Snappy,
        api::Compression::Lz4 => Compression::Lz4,
    }
}

const fn flush(flush: api::Flush) -> FlushPolicy {
    match flush {
        api::Flush::Always => FlushPolicy::Always,
        api::Flush::Interval => FlushPolicy::Interval,
        api::Flush::Os => FlushPolicy::Os,
    }
}

const fn acks(acks: api::Acks) -> Acks {
    match acks {
        api::Acks::Quorum => Acks::Quorum,
        api::Acks::Leader => Acks::Leader,
        api::Acks::Memory => Acks::Memory,
    }
}

#[cfg(test)]
mod tests {
    use gateway_api::decode::decode;

    use super::*;

    fn created(body: &str) -> TopicConfig {
        of_settings(&decode(body.as_bytes()).unwrap(), &TopicConfig::default())
    }

    #[test]
    fn what_is_not_given_takes_its_default() {
        assert_eq!(created("{}"), TopicConfig::default());
        let config = created(r#"{"partitions":7,"retention_ms":null,"flush":"os"}"#);
        let expected =
            TopicConfig { partitions: 7, retention_ms: None, flush: FlushPolicy::Os, ..TopicConfig::default() };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_shown_creates_the_same() {
        let config = TopicConfig {
            partitions: 3,
            retention_ms: None,
            retention_bytes: Some(9),
            compression: Compression::Lz4,
            flush: FlushPolicy::Interval,
            acks: Acks::Memory,
            dedup_window_ms: 5,
            max_message_bytes: 77,
            ..TopicConfig::default()
        };
        let shown = serde_json::to_string(&to_api(&config)).unwrap();
        assert_eq!(created(&shown), config, "{shown}");
    }

    #[test]
    fn messages_outlive_the_loss_of_a_node_where_there_are_enough() {
        let of = |body: &str, nodes| {
            let config = of_settings(&decode(body.as_bytes()).unwrap(), &TopicConfig::defaults(nodes));
            (config.replication_factor, config.min_insync)
        };
        assert_eq!([of("{}", 1), of("{}", 2), of("{}", 3)], [(1, 1), (1, 1), (3, 2)]);
        let given = [r#"{"replication_factor":1}"#, r#"{"replication_factor":2}"#, r#"{"replication_factor":5}"#];
        assert_eq!(given.map(|body| of(body, 5)), [(1, 1), (2, 1), (5, 2)]);
        assert_eq!(of(r#"{"replication_factor":3,"min_insync":3}"#, 5), (3, 3));
    }

    #[test]
    fn fewer_replicas_need_fewer_in_sync() {
        let current = TopicConfig { replication_factor: 3, min_insync: 2, ..TopicConfig::default() };
        let changed = |body: &str| {
            let settings = decode(body.as_bytes()).unwrap();
            let config = patch_of_settings(&settings, &current).applied_to(&current);
            (config.replication_factor, config.min_insync)
        };
        assert_eq!(changed(r#"{"replication_factor":1}"#), (1, 1));
        assert_eq!(changed(r#"{"replication_factor":2}"#), (2, 2), "it can stay");
        assert_eq!(changed(r#"{"replication_factor":5}"#), (5, 2));
        assert_eq!(changed(r#"{"replication_factor":1,"min_insync":2}"#), (1, 2), "which is refused, not guessed");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let current = TopicConfig { partitions: 3, retention_bytes: Some(5), ..TopicConfig::default() };
        let settings = decode(br#"{"retention_bytes":null,"partitions":4}"#).unwrap();
        let changed = patch_of_settings(&settings, &current).applied_to(&current);
        assert_eq!(changed, TopicConfig { partitions: 4, retention_bytes: None, ..current });
    }
}
