//! The JSON that clients rely on, word by word: each example is read, written again and compared, and fits its schema.

use gateway_api::access::{CreatedKey, Key, KeyRequest, Principal, PrincipalSettings, Ticket, Whoami};
use gateway_api::cluster::{
    Cluster, DrainRequest, LeaderRequest, MoveRequest, MovedPartition, RemovedNode, UncleanElectRequest, UncleanElected,
};
use gateway_api::consume::{AckRequest, AckResponse, ExtendRequest, NackRequest, PullRequest, PullResponse, ReadPage};
use gateway_api::groups::{HeartbeatRequest, JoinRequest, Membership};
use gateway_api::health::Health;
use gateway_api::publish::{PublishRequest, PublishResponse, Published};
use gateway_api::push::Push;
use gateway_api::subscriptions::{SeekRequest, SeekResponse, Subscription, SubscriptionSettings, SubscriptionSummary};
use gateway_api::topics::{Topic, TopicSettings, TopicSummary};
use gateway_api::verify::{Verified, VerifyRequest};
use gateway_api::{Page, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads an example as `T`, writes it again, and expects the same object, which fits the schema of `T`.
fn check<'de, T: Deserialize<'de> + Serialize + Described>(example: &'de str) {
    let value: T = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
    let written = serde_json::to_value(&value).expect("it can be written");
    assert_eq!(written, serde_json::from_str::<Value>(example).expect("it is JSON"));
    T::assert_fits(&written);
}

/// A type that has a schema, where there are any.
trait Described {
    /// Fails unless the type's schemas, for reading and for writing, take the value.
    fn assert_fits(value: &Value);
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> Described for T {
    fn assert_fits(value: &Value) {
        use schemars::generate::SchemaSettings;
        let settings = SchemaSettings::draft2020_12;
        for settings in [settings().for_deserialize(), settings().for_serialize()] {
            let schema = settings.into_generator().into_root_schema_for::<T>();
            let validator = jsonschema::options().should_validate_formats(true).build(schema.as_value());
            let faults: Vec<_> =
                validator.expect("a schema").iter_errors(value).map(|fault| fault.to_string()).collect();
            assert_eq!(faults, Vec::<String>::new(), "{value}");
        }
    }
}

#[cfg(not(feature = "schema"))]
impl<T> Described for T {
    fn assert_fits(_: &Value) {}
}

const TOPIC_CONFIG: &str = r#""partitions":4,"replication_factor":3,"retention_ms":604800000,"retention_bytes":null,
    "compression":"lz4","flush":"interval","acks":"leader","min_insync":2,"dedup_window_ms":120000,
    "max_message_bytes":1048576"#;

const SUBSCRIPTION_CONFIG: &str = r#""topic":"orders","type":"pull","consumption":"shared","ordering":"none",
    "delivery":"at_least_once","ack_deadline_ms":30000,"max_delivery_attempts":0,"dead_letter_topic":"dead",
    "backoff":{"min_ms":100,"max_ms":60000},"filter":"priority >= 5","start":"2026-11-23T09:30:00.250Z",
    "session_timeout_ms":10000"#;

const CURSORS: &str = r#"[{"partition":0,"ack_floor":4,"backlog":2,"leased":1,"oldest_unacked_ms":5,
    "redeliveries":1,"dead_letters":2},
    {"partition":1,"ack_floor":0,"backlog":0,"leased":0,"redeliveries":0,"dead_letters":0,"consumer_id":"c"}]"#;

const MESSAGE: &str = r#"{"ack_id":"x","topic":"orders","partition":0,"offset":1,"id":"i","key":"k","data":"AP8=",
    "content_type":"application/octet-stream","attributes":{"a":"b"},"priority":4,
    "publish_time":"2026-11-23T09:30:00.250Z","deliver_at":"2026-11-23T09:30:01.000Z",
    "expires_at":"2026-11-23T09:31:00.000Z","delivery_attempt":2}"#;

#[test]
fn topics() {
    check::<TopicSettings>("{}");
    check::<TopicSettings>(&format!("{{{TOPIC_CONFIG}}}"));
    check::<TopicSummary>(&format!(r#"{{"name":"orders",{TOPIC_CONFIG}}}"#));
    check::<Page<TopicSummary>>(r#"{"items":[],"next_page_token":"orders"}"#);
    let layout = r#"[{"partition":0,"owner":{"node":1,"shard":0},"leader_epoch":1,"replicas":[1],"isr":[1],"elr":[2],
        "incarnation":0,
        "followers":[{"node":2,"lag_messages":3,"lag_ms":40}],
        "start_offset":0,"high_watermark":9,"end_offset":9,"bytes":4096,"state":"open"}]"#;
    check::<Topic>(&format!(r#"{{"name":"orders",{TOPIC_CONFIG},"layout":{layout}}}"#));
}

#[test]
fn access() {
    let grants = r#"[{"topic_prefix":"orders-*","actions":["publish","manage"]},
        {"subscription_prefix":"billing","actions":["consume"]},{"actions":["admin"]}]"#;
    let limits = r#"{"messages_per_s":1,"bytes_per_s":2,"requests_per_s":3,"connections":4,"topics":5,
        "subscriptions":6,"in_flight":7}"#;
    let time = "2026-11-23T09:30:00.250Z";
    check::<PrincipalSettings>(&format!(r#"{{"grants":{grants},"limits":{limits}}}"#));
    check::<Principal>(&format!(r#"{{"name":"ci","grants":{grants},"limits":{{}},"created_at":"{time}"}}"#));
    check::<KeyRequest>(r#"{"principal":"ci"}"#);
    check::<KeyRequest>(&format!(r#"{{"principal":"ci","grants":{grants},"limits":{limits},"expires_at":"{time}"}}"#));
    check::<CreatedKey>(&format!(
        r#"{{"key_id":"abc","key":"psr_abc_x","principal":"ci","created_at":"{time}","expires_at":"{time}"}}"#
    ));
    check::<Key>(&format!(r#"{{"key_id":"abc","principal":"ci","created_at":"{time}"}}"#));
    check::<Whoami>(&format!(r#"{{"principal":"ci","grants":{grants},"limits":{limits},"expires_at":"{time}"}}"#));
    check::<Whoami>(r#"{"principal":null,"grants":[],"limits":{}}"#);
    check::<Ticket>(&format!(r#"{{"ticket":"x","expires_at":"{time}"}}"#));
}

#[test]
fn groups() {
    check::<JoinRequest>("{}");
    check::<JoinRequest>(r#"{"consumer_id":"c"}"#);
    check::<HeartbeatRequest>("{}");
    check::<HeartbeatRequest>(r#"{"generation":3}"#);
    check::<Membership>(r#"{"consumer_id":"c","generation":3,"partitions":[0,2],"heartbeat_interval_ms":3333}"#);
}

#[test]
fn publishing() {
    check::<PublishRequest<'_>>(
        r#"{"messages":[{"data":"AP8=","key":"k","attributes":{"a":"b"},"priority":4,"ttl_ms":1000,"delay_ms":5,
            "id":"i","partition":0,"content_type":"image/png"},
            {"text":"a","deliver_at":"2026-11-23T09:30:00.250Z"},{"json":{"a":[1,null]}},{"json":null}]}"#,
    );
    let published = r#"{"id":"i","partition":0,"offset":1,"duplicate":false,"durability":"quorum"}"#;
    let failed = r#"{"error":{"code":"overloaded","detail":"full","retryable":true,"outcome":"not_applied"}}"#;
    check::<Published>(published);
    check::<PublishResponse>(&format!(r#"{{"results":[{published},{failed}]}}"#));
}

#[test]
fn consuming() {
    check::<PullRequest>(r#"{"max_messages":100,"wait_ms":0}"#);
    check::<PullRequest>(r#"{"max_messages":1,"wait_ms":5,"consumer_id":"c","generation":3}"#);
    check::<PullResponse>(&format!(r#"{{"messages":[{MESSAGE}]}}"#));
    check::<PullResponse>(r#"{"messages":[],"generation":3}"#);
    check::<ReadPage>(r#"{"messages":[],"next_offset":7,"next_cursor":"t"}"#);
    check::<AckRequest<'_>>(r#"{"ack_ids":["x"]}"#);
    check::<AckRequest<'_>>(r#"{"partition":0,"up_to_offset":9,"consumer_id":"c","generation":3}"#);
    check::<NackRequest<'_>>(r#"{"ack_ids":["x"],"delay_ms":0,"dead_letter":true}"#);
    check::<ExtendRequest<'_>>(r#"{"ack_ids":["x"],"deadline_ms":1000}"#);
    check::<AckResponse>(r#"{"succeeded":1,"failed":[{"ack_id":"y","code":"lease_expired"}]}"#);
}

#[test]
fn subscriptions() {
    check::<SubscriptionSettings>(&format!("{{{SUBSCRIPTION_CONFIG}}}"));
    check::<SubscriptionSettings>(
        r#"{"topic":"t","type":"push","start":"latest","filter":null,"push":{"url":"https://a.example","secret":"s"}}"#,
    );
    check::<SubscriptionSettings>(
        r#"{"push":{"secret":null,"max_in_flight":1,"max_per_second":null,"timeout_ms":100,"paused":false}}"#,
    );
    check::<Push>(
        r#"{"url":"https://a.example","signed":true,"max_in_flight":16,"max_per_second":5,"timeout_ms":10000,
            "paused":true,"paused_reason":"gone"}"#,
    );
    check::<Push>(
        r#"{"url":"https://a.example","signed":false,"max_in_flight":16,"timeout_ms":10000,"paused":false,
            "state":"open_circuit","in_flight":1,"consecutive_failures":12,
            "last_success_time":"2026-11-23T09:30:00.250Z","last_error":{"time":"2026-11-23T09:31:00.250Z",
            "reason":"status","status":500,"detail":"the answer was 500"}}"#,
    );
    check::<SubscriptionSummary>(&format!(r#"{{"name":"s",{SUBSCRIPTION_CONFIG}}}"#));
    check::<Subscription>(&format!(
        r#"{{"name":"s",{SUBSCRIPTION_CONFIG},"backlog":2,"leased":1,"oldest_unacked_ms":5,"redeliveries":0,
            "dead_letters":0,"expired":3,"filtered":4,"generation":0,"consumers":[{{"consumer_id":"c","node":1,"partitions":[1],
            "last_heartbeat":"2026-11-23T09:30:00.250Z"}}],"cursors":{CURSORS}}}"#
    ));
    check::<SeekRequest>(r#"{"to":"earliest"}"#);
    check::<SeekRequest>(r#"{"offsets":{"0":42,"1":7}}"#);
    check::<SeekResponse>(&format!(r#"{{"cursors":{CURSORS}}}"#));
}

#[test]
fn health_and_problems() {
    check::<Health>(r#"{"status":"ok"}"#);
    check::<Health>(r#"{"status":"degraded","closed":[{"topic":"t","partition":0,"reason":"damage"}]}"#);
    check::<Problem>(
        r#"{"type":"urn:pubsubring:problem:message_too_large","title":"Message too large","status":413,
            "code":"message_too_large","detail":"d","instance":"r","retryable":false,"outcome":"not_applied",
            "errors":[{"index":3,"field":"data","code":"message_too_large","detail":"d"}]}"#,
    );
}

#[test]
fn absent_and_null_settings_are_told_apart() {
    let settings: TopicSettings = serde_json::from_str(r#"{"retention_ms":null}"#).expect("settings");
    assert_eq!(settings.retention_ms.map(gateway_api::Nullable::into_option), Some(None));
    assert_eq!(settings.retention_bytes, None);
}

#[test]
fn requests_refuse_what_they_do_not_know_and_answers_tolerate_it() {
    let refused = |error: serde_json::Error| error.to_string().starts_with("unknown field `surprise`");
    assert!(serde_json::from_str::<TopicSettings>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<SubscriptionSettings>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<PublishRequest<'_>>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<PullRequest>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<AckRequest<'_>>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<NackRequest<'_>>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<ExtendRequest<'_>>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<SeekRequest>(r#"{"surprise":1}"#).is_err_and(refused));
    assert!(serde_json::from_str::<Health>(r#"{"status":"ok","surprise":1}"#).is_ok());
}

#[test]
fn cluster() {
    check::<Cluster>(
        r#"{"cluster_id":"c0ffee","answered_by":1,"contact_ms":12,"leader":1,"term":3,"last_log_index":40,
        "applied_index":39,"command_level":1,"shared_store":true,"uneven_partitions":2,
        "under_replicated_partitions":1,"offline_partitions":0,"nodes":[{"node":1,
        "address":"a:7081","client_address":"a:8081","state":"up","role":"leader","log_index":40,"epoch":3,"rack":"r1",
        "shards":2,"owned":4,"partitions":4,"command_level":1},{"node":2,"address":"b:7081","client_address":"b:8081",
        "state":"draining","role":null,"log_index":null,"epoch":5,"rack":null,"shards":2,"owned":1,"partitions":1,
        "command_level":1,"drain":{"left":1,"stuck":0,"kept":1,"kept_stuck":0}}]}"#,
    );
    check::<DrainRequest>(r#"{"draining":false}"#);
    check::<LeaderRequest>(r#"{"node":2}"#);
    check::<MoveRequest>(r#"{"node":2}"#);
    check::<MovedPartition>(r#"{"topic":"orders","partition":0,"node":2,"leader_epoch":4,"pending":false}"#);
    check::<UncleanElectRequest>(r#"{"node":2,"accept_loss":true}"#);
    check::<UncleanElected>(r#"{"topic":"orders","partition":0,"node":2,"leader_epoch":4,"incarnation":1}"#);
    check::<VerifyRequest>(r#"{"from_offset":7}"#);
    check::<Verified>(
        r#"{"topic":"orders","partition":0,"from_offset":7,"next_offset":90,"high_watermark":90,"bytes":8000,"replicas":[
        {"node":1,"state":"same"},{"node":2,"state":"differs","detail":"other bytes"}]}"#,
    );
    check::<RemovedNode>(r#"{"node":2,"lost_partitions":1,"lost":[{"topic":"orders","partition":0}]}"#);
}
