//! Whole runs: clients, faults, and what the checker says of it.

use std::{env, fs::File, io::BufWriter, path::PathBuf, sync::Arc};

use crate::{
    broker::{Broker, Storage},
    checker,
    history::{Consumption, History, Minimum, Run, Subscription},
    nemesis::{self, Fault},
    network::Network,
    recorder::Recorder,
    workload::{self, Clients, GROUP, SHARED, Site},
};

/// What a run is, unless the environment says otherwise.
struct Setup {
    nodes: u32,
    storage: Storage,
    seconds: u64,
    minimum: Minimum,
}

/// F45, F46: those and kill -9, alone and together.
#[test]
fn one_node_and_its_store_under_faults_keep_what_they_promise() {
    let minimum = Minimum { acked: 300, faults: 4, owner_changes: 0, insync_changes: 0, redeliveries: 5 };
    run(&Setup { nodes: 1, storage: Storage::Shared, seconds: 20, minimum });
}

/// Three nodes and the store that they share.
#[test]
fn three_nodes_under_faults_keep_what_they_promise() {
    let minimum = Minimum { acked: 300, faults: 4, owner_changes: 2, insync_changes: 0, redeliveries: 5 };
    run(&Setup { nodes: 3, storage: Storage::Shared, seconds: 180, minimum });
}

/// Three nodes, each of which keeps every partition on its own disk.
#[test]
fn three_nodes_replicated() {
    let minimum = Minimum { acked: 300, faults: 4, owner_changes: 2, insync_changes: 10, redeliveries: 5 };
    run(&Setup { nodes: 3, storage: Storage::Disks, seconds: 300, minimum });
}

fn run(setup: &Setup) {
    let seconds = from_environment("PUBSUB_TEST_CHAOS_SECONDS").unwrap_or(setup.seconds);
    let seed = from_environment("PUBSUB_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let network = match Network::new(setup.nodes) {
        Ok(network) => network,
        Err(reason) => {
            eprintln!("SKIPPED: hosts of a test's own need root, network namespaces and nft: {reason}");
            return;
        }
    };
    let steps = nemesis::plan(seed, seconds * 1_000, (setup.nodes, kinds(setup)));
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    eprintln!(
        "again: PUBSUB_TEST_SEED={seed} PUBSUB_TEST_CHAOS_SECONDS={seconds} cargo test -p node --test chaos {test}"
    );
    let hub = network.hub.clone();
    let mut broker = match Broker::start_all(network, setup.nodes, setup.storage) {
        Ok(broker) => broker,
        Err(reason) => {
            eprintln!("SKIPPED: disks that can be cut need root, python3 and loop devices: {reason}");
            return;
        }
    };
    let recorder = Recorder::new(describe(seed, setup));
    let site = Arc::new(Site::new(recorder, (Broker::endpoints(setup.nodes), hub), setup.storage));
    workload::prepare(&site);
    let clients = Clients::start(&site);
    nemesis::run(&site, &mut broker, (&steps, seconds * 1_000));
    workload::settle(&site, clients);
    broker.ended().into_iter().for_each(|ended| site.recorder.complain(ended));

    let history = site.recorder.history();
    eprintln!("{}", checker::summary(&history));
    let mut violations = checker::check(&history);
    violations.extend(site.recorder.complaints().into_iter().take(10).map(|complaint| format!("answers: {complaint}")));
    if !violations.is_empty() {
        let (file, kept) = (keep(&history), broker.keep());
        let violations = violations.join("\n");
        // What is wrong comes first: the logs are long, and whoever shows the output may cut it off.
        eprintln!("{violations}\n{}", broker.logs());
        panic!("as said above; the history is {}, the processes' files are in {}", file.display(), kept.display());
    }
}

fn describe(seed: u64, setup: &Setup) -> Run {
    let subscription =
        |name: &str, consumption, is_ordered| Subscription { name: name.to_owned(), consumption, is_ordered };
    Run {
        seed,
        partitions: 6,
        subscriptions: vec![
            subscription(SHARED, Consumption::Shared, true),
            subscription(GROUP, Consumption::Assigned, false),
        ],
        window: 20,
        ack_deadline_ms: 2_000,
        heal_within_ms: 30_000,
        minimum: setup.minimum,
    }
}

/// The faults of a run; `PUBSUB_TEST_FAULTS=kill,pause` has it do with some of them.
fn kinds(setup: &Setup) -> Vec<Fault> {
    let mut kinds = Fault::kinds(setup.nodes, setup.storage);
    if let Ok(wanted) = env::var("PUBSUB_TEST_FAULTS") {
        kinds.retain(|fault| wanted.split(',').any(|wanted| wanted == fault.kind()));
        assert!(!kinds.is_empty(), "PUBSUB_TEST_FAULTS={wanted} names no fault that can be here");
    }
    kinds
}

fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn keep(history: &History) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}.jsonl", history.run.seed));
    history.write(BufWriter::new(File::create(&file).unwrap())).unwrap();
    file
}
