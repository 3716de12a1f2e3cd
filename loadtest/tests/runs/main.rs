//! Whole runs against a small broker in this process: what the tool measures and what it notices.

mod broker;

use std::num::NonZeroU64;
use std::time::Duration;

use loadtest::progress::Silent;
use loadtest::recorder::Measure;
use loadtest::report::{Origin, Report};
use loadtest::run::{self, RunError, RunResult};
use loadtest::template::PayloadEncoding;
use loadtest::workload::{
    ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol, Kind, PublishPlan, PublishProtocol, Workload,
};

use broker::{Broker, Fault};

/// Small, and ended by count: nothing here depends on how fast the machine is.
fn workload(kind: Kind, protocol: PublishProtocol) -> Workload {
    let (batch, in_flight) = match protocol {
        PublishProtocol::Http => (1, 1),
        PublishProtocol::HttpBatch => (10, 1),
        PublishProtocol::WebSocket => (10, 4),
    };
    Workload {
        kind,
        topic: "t".to_owned(),
        partitions: 2,
        publish: PublishPlan {
            protocol,
            connections: 3,
            in_flight,
            batch,
            message_bytes: 100,
            encoding: PayloadEncoding::Text,
            keys: 0,
            rate: None,
        },
        consume: ConsumePlan { protocol: ConsumeProtocol::Http, connections: 2, batch: 50, subscription: None },
        fan_out: None,
        preload: 0,
        messages_max: Some(200),
        warm_up: Duration::ZERO,
        duration: Duration::from_mins(1),
        drain: Duration::from_secs(10),
        workers: 2,
    }
}

fn perform(broker: &Broker, workload: &Workload) -> Result<(RunResult, Report), RunError> {
    assert_eq!(workload.check(), Ok(()));
    let result = run::run(&broker.endpoint(), workload, &mut Silent)?;
    let report = Report::new(workload, &result, Origin::default());
    Ok((result, report))
}

#[test]
fn every_protocol_publishes_each_message_once() {
    for protocol in [PublishProtocol::Http, PublishProtocol::HttpBatch, PublishProtocol::WebSocket] {
        let broker = Broker::start(Fault::None);
        let (_, report) = perform(&broker, &workload(Kind::Publish, protocol)).unwrap();
        assert_eq!(report.result.messages, 200, "{protocol:?}");
        assert!(report.result.errors.is_empty(), "{protocol:?}: {:?}", report.result.errors);
        let mut stored = broker.stored();
        assert_eq!(stored.len(), 200);
        stored.sort();
        stored.dedup();
        assert_eq!(stored.len(), 200, "{protocol:?}: payloads differ by their stamps");
    }
}

#[test]
fn base64_payloads_are_the_same_bytes() {
    let broker = Broker::start(Fault::None);
    let mut workload = workload(Kind::Publish, PublishProtocol::HttpBatch);
    workload.publish.encoding = PayloadEncoding::Base64;
    perform(&broker, &workload).unwrap();
    assert!(broker.stored().iter().all(|payload| payload.len() == 100 && payload.starts_with(b"psr1")));
}

#[test]
fn end_to_end_finds_everything_delivered_by_both_ways_to_consume() {
    for consume in [ConsumeProtocol::Http, ConsumeProtocol::WebSocket] {
        let broker = Broker::start(Fault::None);
        let mut workload = workload(Kind::EndToEnd, PublishProtocol::WebSocket);
        workload.consume.protocol = consume;
        let (_, report) = perform(&broker, &workload).unwrap();
        let deliveries = report.result.deliveries.unwrap();
        assert_eq!((deliveries.acknowledged, deliveries.delivered), (200, 200), "{consume:?}");
        assert_eq!((deliveries.lost, deliveries.duplicates, deliveries.out_of_order), (0, 0, 0), "{consume:?}");
        assert!(report.is_sound());
        assert_eq!(broker.subscriptions(), 0, "the run's own subscription is removed");
    }
}

#[test]
fn a_broker_that_loses_an_acknowledged_message_is_caught() {
    let broker = Broker::start(Fault::DropDelivery(57));
    let mut workload = workload(Kind::EndToEnd, PublishProtocol::HttpBatch);
    // The run waits for the missing message as long as it waits for anything.
    (workload.duration, workload.drain) = (Duration::from_secs(1), Duration::from_secs(1));
    let (_, report) = perform(&broker, &workload).unwrap();
    assert!(report.result.deliveries.unwrap().lost >= 1);
    assert!(!report.is_sound());
}

#[test]
fn a_broker_that_delivers_twice_is_noticed() {
    let broker = Broker::start(Fault::RepeatDelivery(57));
    let (_, report) = perform(&broker, &workload(Kind::EndToEnd, PublishProtocol::HttpBatch)).unwrap();
    let deliveries = report.result.deliveries.unwrap();
    assert_eq!((deliveries.lost, deliveries.duplicates), (0, 1));
}

/// Seven readers of a topic of one partition.
fn fan_out(protocol: FanOutProtocol) -> Workload {
    let mut workload = workload(Kind::FanOut, PublishProtocol::Http);
    workload.fan_out = Some(FanOutPlan { protocol, readers: 7 });
    workload.publish.rate = NonZeroU64::new(10_000);
    Workload { partitions: 1, ..workload }
}

#[test]
fn every_reader_of_a_fan_out_is_given_every_message() {
    for protocol in [FanOutProtocol::WebSocket, FanOutProtocol::Sse] {
        let broker = Broker::start(Fault::None);
        let (_, report) = perform(&broker, &fan_out(protocol)).unwrap();
        let deliveries = report.result.deliveries.unwrap();
        assert_eq!((deliveries.acknowledged, deliveries.delivered), (1_400, 1_400), "{protocol:?}");
        assert_eq!((deliveries.lost, deliveries.duplicates, deliveries.out_of_order), (0, 0, 0), "{protocol:?}");
        assert_eq!(report.result.latency[&Measure::EndToEnd].count, 1_400);
        assert!(report.is_sound());
    }
}

#[test]
fn a_message_that_one_reader_does_not_get_is_caught() {
    for protocol in [FanOutProtocol::WebSocket, FanOutProtocol::Sse] {
        let broker = Broker::start(Fault::DropDelivery(57));
        let mut workload = fan_out(protocol);
        (workload.duration, workload.drain) = (Duration::from_secs(1), Duration::from_secs(1));
        let (_, report) = perform(&broker, &workload).unwrap();
        assert_eq!(report.result.deliveries.unwrap().lost, 1, "{protocol:?}");
        assert!(!report.is_sound());
    }
}

#[test]
fn a_message_that_one_reader_gets_twice_is_noticed() {
    let broker = Broker::start(Fault::RepeatDelivery(57));
    let (_, report) = perform(&broker, &fan_out(FanOutProtocol::Sse)).unwrap();
    let deliveries = report.result.deliveries.unwrap();
    assert_eq!((deliveries.lost, deliveries.duplicates, deliveries.out_of_order), (0, 1, 0));
}

#[test]
fn more_readers_than_files_are_refused_before_anything_is_made() {
    let broker = Broker::start(Fault::None);
    let line = "ulimit -Sn 100 && ulimit -Hn 100 && exec \"$0\" fan-out --readers 200 --duration 1s --server \"$1\"";
    let output = std::process::Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_pubsub-loadtest"), &broker.endpoint().to_string()])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("it takes 274 open files and this process may have 100"), "{error}");
}

#[test]
fn refusals_are_counted_by_code() {
    let broker = Broker::start(Fault::RefusePublish);
    for protocol in [PublishProtocol::Http, PublishProtocol::HttpBatch, PublishProtocol::WebSocket] {
        let (_, report) = perform(&broker, &workload(Kind::Publish, protocol)).unwrap();
        assert_eq!(report.result.messages, 0);
        assert_eq!(report.result.errors.iter().collect::<Vec<_>>(), [(&"overloaded".to_owned(), &200)], "{protocol:?}");
    }
}

#[test]
fn a_backlog_is_consumed_to_its_end() {
    for protocol in [ConsumeProtocol::Http, ConsumeProtocol::WebSocket] {
        let broker = Broker::start(Fault::None);
        let mut workload = workload(Kind::Consume, PublishProtocol::HttpBatch);
        workload.consume.protocol = protocol;
        (workload.preload, workload.messages_max) = (5_000, None);
        let (_, report) = perform(&broker, &workload).unwrap();
        assert_eq!(report.result.messages, 5_000, "{protocol:?}");
    }
}

#[test]
fn a_catch_up_read_reads_what_was_preloaded_and_no_more() {
    let broker = Broker::start(Fault::None);
    let mut workload = workload(Kind::Read, PublishProtocol::HttpBatch);
    (workload.preload, workload.messages_max) = (3_000, None);
    for _ in 0..2 {
        let (_, report) = perform(&broker, &workload).unwrap();
        assert_eq!(report.result.messages, 3_000);
        assert_eq!(report.result.payload_bytes, 300_000);
    }
}

#[test]
fn a_lost_connection_is_opened_again_and_counted() {
    let broker = Broker::start(Fault::CloseAfter(30));
    let (_, report) = perform(&broker, &workload(Kind::Publish, PublishProtocol::Http)).unwrap();
    assert!(report.result.connections_lost > 0);
    let lost = report.result.errors.get("connection_lost").copied().unwrap_or_default();
    assert_eq!(report.result.messages + lost, 200);
}

#[test]
fn every_arrival_of_an_open_loop_is_accounted_for() {
    let broker = Broker::start(Fault::None);
    let mut workload = workload(Kind::Publish, PublishProtocol::Http);
    // Far more than this broker can do.
    workload.publish.rate = NonZeroU64::new(1_000_000);
    (workload.messages_max, workload.duration) = (None, Duration::from_millis(200));
    let (_, report) = perform(&broker, &workload).unwrap();
    assert_eq!(report.result.messages + report.result.unsent + report.result.unanswered, 200_000);
    assert_eq!(report.result.latency[&Measure::Publish].count, 200_000);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("the rate was not reached")));
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let endpoint = Broker::endpoint_of_nobody();
    let workload = workload(Kind::Publish, PublishProtocol::Http);
    let error = run::run(&endpoint, &workload, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[test]
fn the_program_writes_its_report_and_exits_with_0() {
    let broker = Broker::start(Fault::None);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pubsub-loadtest"))
        .args(["publish", "--messages", "50", "--connections", "2", "--output", "json"])
        .args(["--server", &broker.endpoint().to_string(), "--report", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["result"]["messages"], 50);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&std::fs::read(file).unwrap()).unwrap(), report);
}

#[test]
fn wrong_usage_exits_with_2() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pubsub-loadtest"))
        .args(["publish", "--in-flight", "2"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--protocol websocket"));
}
