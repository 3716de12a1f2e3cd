//! Whole runs against a small broker in this process: what the tool measures and what it notices.

mod broker;
mod standard;

use std::num::NonZeroU64;
use std::time::Duration;

use loadtest::progress::Silent;
use loadtest::recorder::Measure;
use loadtest::report::{Origin, Report};
use loadtest::run::{self, RunError, RunResult};
use loadtest::template::PayloadEncoding;
use loadtest::workload::{
    BatchCodec, ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol, Kind, PublishPlan, PublishProtocol,
    SizeRange, Sizes, StepPlan, Target, TopicPlan, Workload,
};

use broker::{Broker, Fault};

const PROTOCOLS: [PublishProtocol; 4] =
    [PublishProtocol::Http, PublishProtocol::HttpBatch, PublishProtocol::WebSocket, PublishProtocol::WebSocketBatch];

/// Small, and ended by count: nothing here depends on how fast the machine is.
fn workload(kind: Kind, protocol: PublishProtocol) -> Workload {
    let (batch, in_flight) = match protocol {
        PublishProtocol::Http | PublishProtocol::Native => (1, 1),
        PublishProtocol::HttpBatch => (10, 1),
        PublishProtocol::WebSocket | PublishProtocol::WebSocketBatch => (10, 4),
    };
    Workload {
        name: None,
        description: None,
        target: Target::Pubsub,
        durability: None,
        kind,
        topic: "t".to_owned(),
        topics: 1,
        partitions: 2,
        topic_settings: TopicPlan::default(),
        publish: PublishPlan {
            protocol,
            connections: 3,
            in_flight,
            batch,
            sizes: Sizes::Fixed(100),
            encoding: PayloadEncoding::Text,
            keys: 0,
            rate: None,
            ramp: None,
            steps: None,
            acks: None,
            codec: BatchCodec::None,
        },
        consume: ConsumePlan { connections: 2, batch: 50, ..ConsumePlan::none() },
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
    let result = run::run(&broker.endpoint().into(), workload, &[], &mut Silent)?;
    let report = Report::new(workload, &result, Vec::new(), Origin::default());
    Ok((result, report))
}

#[test]
fn every_protocol_publishes_each_message_once() {
    for protocol in PROTOCOLS {
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
fn end_to_end_finds_everything_delivered_by_all_ways_to_consume() {
    for consume in [ConsumeProtocol::Http, ConsumeProtocol::WebSocket, ConsumeProtocol::WebSocketBatch] {
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
fn each_subscription_of_each_topic_is_given_all_of_it() {
    for (publish, consume) in [
        (PublishProtocol::HttpBatch, ConsumeProtocol::Http),
        (PublishProtocol::WebSocketBatch, ConsumeProtocol::WebSocketBatch),
    ] {
        let broker = Broker::start(Fault::None);
        let mut workload = workload(Kind::EndToEnd, publish);
        (workload.topics, workload.consume.subscriptions, workload.consume.protocol) = (3, 2, consume);
        let (_, report) = perform(&broker, &workload).unwrap();
        let deliveries = report.result.deliveries.unwrap();
        assert_eq!((deliveries.acknowledged, deliveries.delivered), (400, 400), "{consume:?}");
        assert_eq!((deliveries.lost, deliveries.duplicates, deliveries.out_of_order), (0, 0, 0), "{consume:?}");
        assert_eq!((report.result.published, report.result.delivered, report.result.messages), (200, 400, 400));
        let topics = broker.topics();
        assert_eq!(topics.keys().collect::<Vec<_>>(), ["t-0", "t-1", "t-2"]);
        assert!(topics.values().all(|messages| *messages > 0), "{topics:?}");
        assert_eq!(broker.subscriptions(), 0, "the run's own subscriptions are removed");
    }
}

#[test]
fn messages_have_the_sizes_that_were_asked_for() {
    for protocol in PROTOCOLS {
        let broker = Broker::start(Fault::None);
        let mut workload = workload(Kind::Publish, protocol);
        workload.publish.sizes = Sizes::Range(SizeRange { min: 60, max: 160 });
        let (_, report) = perform(&broker, &workload).unwrap();
        let sizes: Vec<usize> = broker.stored().iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|bytes| (60..=160).contains(bytes)), "{protocol:?}: {sizes:?}");
        assert!(
            sizes.iter().any(|bytes| *bytes < 80) && sizes.iter().any(|bytes| *bytes > 140),
            "{protocol:?}: {sizes:?}"
        );
        assert_eq!(report.result.payload_bytes, sizes.iter().sum::<usize>() as u64, "{protocol:?}");
    }
}

#[test]
fn the_report_says_what_server_it_was_and_what_it_used() {
    let broker = Broker::start(Fault::None);
    let (_, report) = perform(&broker, &workload(Kind::Publish, PublishProtocol::HttpBatch)).unwrap();
    assert_eq!(report.server.version.as_deref(), Some("9.8.7"));
    assert_eq!(report.server.durability.as_deref(), Some("flush always, acks quorum, replication factor 1"));
    assert!(report.result.usage.server_is_watched, "the broker listens in this very process");
    let published: u64 = report.result.series.iter().map(|point| point.published).sum();
    assert_eq!(published, 200);
    let last = report.result.curves[&Measure::Publish].last().unwrap().1;
    assert!((last - report.result.latency[&Measure::Publish].max_us).abs() < 0.1);
}

#[test]
fn a_search_ends_at_a_rate_that_the_broker_keeps_up_with() {
    let broker = Broker::start(Fault::None);
    let mut workload = workload(Kind::Publish, PublishProtocol::HttpBatch);
    workload.publish.rate = NonZeroU64::new(100);
    // What this broker can do is not known; all that it can't is not reached.
    workload.publish.steps = Some(StepPlan {
        grow_percent: 1_000,
        max: NonZeroU64::new(1_000_000_000).unwrap(),
        p99_max: Duration::from_mins(1),
    });
    (workload.messages_max, workload.duration) = (None, Duration::from_millis(200));
    let (result, best, steps) = run::run_steps(&broker.endpoint().into(), &workload, &[], &mut Silent).unwrap();
    let reached = steps.iter().filter(|step| step.missed.is_none()).map(|step| step.rate).max();
    assert_eq!(best.publish.rate.map(NonZeroU64::get), reached);
    assert!(steps.len() > 2 && steps.iter().any(|step| step.missed.is_some()), "{steps:?}");
    assert!(result.recorder.counts().published > 0);
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
fn a_fan_out_without_a_rate_gives_every_reader_every_message() {
    let broker = Broker::start(Fault::None);
    let mut workload = fan_out(FanOutProtocol::WebSocket);
    workload.publish.rate = None;
    let (_, report) = perform(&broker, &workload).unwrap();
    let deliveries = report.result.deliveries.unwrap();
    assert_eq!((deliveries.acknowledged, deliveries.delivered, deliveries.lost), (1_400, 1_400, 0));
    assert_eq!((report.result.published, report.result.messages), (200, 1_400));
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
    for protocol in PROTOCOLS {
        let (_, report) = perform(&broker, &workload(Kind::Publish, protocol)).unwrap();
        assert_eq!(report.result.messages, 0);
        assert_eq!(report.result.errors.iter().collect::<Vec<_>>(), [(&"overloaded".to_owned(), &200)], "{protocol:?}");
    }
}

#[test]
fn a_backlog_is_consumed_to_its_end() {
    for protocol in [ConsumeProtocol::Http, ConsumeProtocol::WebSocket, ConsumeProtocol::WebSocketBatch] {
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
    let error = run::run(&endpoint.into(), &workload, &[], &mut Silent).unwrap_err();
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
    assert!(String::from_utf8_lossy(&output.stderr).contains("--in-flight 2 needs a WebSocket"));
}

#[test]
fn a_workload_file_is_run_and_its_options_overridden() {
    let broker = Broker::start(Fault::None);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("mine.yaml"), "kind: publish\nmessages: 50\npublish: {protocol: http-batch, batch: 10}\n")
        .unwrap();
    let program = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_pubsub-loadtest"))
            .args(args)
            .current_dir(directory.path())
            .env("PUBSUB_SERVER", broker.endpoint().to_string())
            .output()
            .unwrap()
    };
    let run = program(&[
        "run",
        "mine.yaml",
        "--connections",
        "2",
        "--messages",
        "30",
        "--report",
        "a.json",
        "--html",
        "a.html",
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(broker.stored().len(), 30);
    let page = std::fs::read_to_string(path("a.html")).unwrap();
    assert!(page.contains("<title>mine</title>") && page.contains("9.8.7"), "{page}");

    let compared = program(&["compare", "a.json", "a.json", "--html", "b.html"]);
    let text = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success() && text.contains("messages/s") && text.contains("1.000"), "{text}");
    assert!(std::fs::read_to_string(path("b.html")).unwrap().contains("<h2>Comparison</h2>"));

    let pages = program(&["html", "a.json", "a.json", "--title", "both", "--html", "c.html"]);
    assert!(pages.status.success());
    assert!(std::fs::read_to_string(path("c.html")).unwrap().contains("mine (2)"));

    let wrong = program(&["run", "mine.yaml", "--rate", "fast"]);
    let error = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(error.contains("--rate fast: publish.rate: invalid type"), "{error}");
}
