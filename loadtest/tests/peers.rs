//! Runs against the real servers of peers: what is published to them is consumed, and nothing is left behind.
#![cfg(feature = "peers")]
#![expect(clippy::unwrap_used, reason = "the lints take only the tests themselves for tests")]

use std::path::Path;

use gateway_api::client::TlsOptions;
use loadtest::host::Host;
use loadtest::progress::Silent;
use loadtest::recorder::Measure;
use loadtest::report::{Origin, Report};
use loadtest::run;
use loadtest::standard::embedded::STANDARD;
use loadtest::standard::process::{ServerProcess, StartError};
use loadtest::standard::set::Set;
use loadtest::workload::Workload;

/// The server as the standard set starts it; `None` if it is not installed.
#[expect(clippy::print_stderr, reason = "whoever reads the log should know that nothing was tested")]
fn start(name: &str, directory: &Path) -> Option<ServerProcess> {
    let set = Set::from_yaml(STANDARD, "standard").unwrap();
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ci-tools/bin");
    match ServerProcess::start(set.servers.get(name).unwrap(), directory, &[tools]) {
        Ok(server) => Some(server),
        Err(StartError::NoProgram { program }) => {
            eprintln!("SKIPPED: there is no {program}, in target/ci-tools, where .ci/run puts it, or on the path");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Ended by count: nothing here depends on how fast the machine is.
fn perform(server: &ServerProcess, target: &str, kind: &str) -> Report {
    let text = format!(
        "{{kind: {kind}, target: {target}, topic: t.x, messages: {}, duration: 5m, preload: {}, \
         publish: {{connections: 3, in_flight: 4, batch: 10, message_bytes: {{min: 60, max: 200}}}}, consume: {{connections: 2, batch: 50}}}}",
        if kind == "consume" { 1_000 } else { 200 },
        if kind == "consume" { 1_000 } else { 0 }
    );
    let workload = Workload::from_yaml(&text, kind, &[]).unwrap();
    let host = Host::new(workload.target, Some(&server.url), None, &TlsOptions::default()).unwrap();
    let result = run::run(&host, &workload, &server.pids, &mut Silent)
        .unwrap_or_else(|error| panic!("{target} {kind}: {error}"));
    Report::new(&workload, &result, Vec::new(), Origin::default())
}

fn is_measured_like_the_broker(server: &str, target: &str, durability: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = start(server, directory.path()) else { return };
    let published = perform(&server, target, "publish");
    assert_eq!(
        (published.result.published, published.result.latency.get(&Measure::Publish).unwrap().count),
        (200, 20),
        "{target}"
    );
    assert!(published.result.errors.is_empty(), "{target}: {:?}", published.result.errors);
    assert_eq!(published.server.durability.as_deref(), Some(durability));
    // Twice: what the first left would come to the second, as messages of another run.
    for _ in 0..2 {
        let delivered = perform(&server, target, "end-to-end");
        let deliveries = delivered.result.deliveries.unwrap();
        assert_eq!((deliveries.acknowledged, deliveries.delivered), (200, 200), "{target}");
        assert_eq!((deliveries.lost, deliveries.duplicates, deliveries.out_of_order), (0, 0, 0), "{target}");
        assert_eq!(deliveries.foreign, 0, "{target}");
    }
    assert_eq!(perform(&server, target, "consume").result.delivered, 1_000, "{target}: all of the backlog");
}

#[test]
fn redis_streams_are_measured_like_the_broker() {
    is_measured_like_the_broker("redis", "redis-streams", "AOF, fsync always");
}

#[test]
fn jetstream_is_measured_like_the_broker() {
    is_measured_like_the_broker("nats-synced", "nats-jetstream", "file store, synced by the server's sync_interval");
}
