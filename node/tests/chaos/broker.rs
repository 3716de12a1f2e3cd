//! The broker under test: nodes and their store, each process on a host of its own.

mod administering;
mod disks;
mod failing;
mod process;
mod store;

use std::path::PathBuf;

use gateway_api::client::Endpoint;
use tempfile::TempDir;

use self::{disks::Disks, process::Process, store::Store};
use crate::{
    history::Installed,
    network::{Network, STORE, address},
};

/// The port of each node's clients; hosts share nothing.
const HTTP_PORT: u16 = 8081;
/// Small, so that a log has several.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Small too, as the disks are.
const RESERVE_BYTES: u64 = 8 << 20;
/// Where nodes talk to each other.
const LINK_PORT: u16 = 7081;
/// What the nodes know each other by.
const SECRET: &str = "a-secret-of-the-nodes-of-one-test";

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// In one Redis that all nodes share.
    Shared,
    /// On the nodes' disks, each partition on all of them.
    Disks,
}

/// Nodes by their places, from 1, which they keep; their ids they keep as long as they have their disks.
pub(crate) struct Broker {
    nodes: Vec<Node>,
    /// The store that all share, if they do.
    store: Option<Store>,
    pub network: Network,
    directory: TempDir,
    next_id: u64,
    is_founded: bool,
    /// How often something of a disk was lost.
    damages: usize,
}

struct Node {
    id: u64,
    process: Option<Process>,
    /// If its messages are on its own.
    disks: Option<Disks>,
    /// Whether it comes back as another node on the disks of a former one.
    rejoins: bool,
}

impl Broker {
    /// Starts the nodes, and the store if they share one.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub(crate) fn start_all(network: Network, size: u32, storage: Storage) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("chaos-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = (storage == Storage::Shared).then(|| Store::new(&network.store, directory.path()));
        let mut nodes = Vec::new();
        for place in 1..=size {
            let disks = (storage == Storage::Disks).then(Disks::new).transpose()?;
            nodes.push(Node { id: place.into(), process: None, disks, rejoins: false });
        }
        let next_id = u64::from(size) + 1;
        let mut broker = Self { nodes, store, network, directory, next_id, is_founded: false, damages: 0 };
        (1..=size).for_each(|place| broker.start(place));
        // Who starts on an empty disk from now on joins what is there.
        broker.is_founded = true;
        Ok(broker)
    }

    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap()
    }

    /// Where clients find the nodes.
    pub(crate) fn endpoints(size: u32) -> Vec<Endpoint> {
        (1..=size).map(|place| format!("http://{}:{HTTP_PORT}", address(place)).parse().unwrap()).collect()
    }

    /// Starts a node, unless it runs.
    pub(crate) fn start(&mut self, place: u32) {
        let (id, home) = (self.node(place).id, self.home(place));
        if self.node(place).process.is_some() {
            return;
        }
        std::fs::create_dir_all(&home).unwrap();
        if let Some(disks) = &mut self.node(place).disks {
            disks.mount(&home);
        }
        let mut command = self.network.node(place).command(env!("CARGO_BIN_EXE_pubsub-node"));
        command.env_clear().current_dir(&home);
        for setting in self.settings(place, id) {
            command.args(["--set", &setting]);
        }
        if self.size() > 1 && place == 1 && !self.is_founded {
            command.arg("--cluster-init");
        }
        if self.node(place).rejoins {
            command.arg("--rejoin");
        }
        let log = self.directory.path().join(format!("node-{place}.log"));
        self.node(place).process = Some(Process::start(command, &log));
    }

    /// The store that all share.
    pub(crate) fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("only a store that is there is under faults")
    }

    /// Ends all nodes in the middle of whatever they do.
    pub(crate) fn kill_all(&mut self) -> Result<(), Installed> {
        let running: Vec<u32> = (1..=self.size()).filter(|place| self.node(*place).process.is_some()).collect();
        // First none of them does anything any more: none sees another one go.
        for place in &running {
            self.pause(*place)?;
        }
        running.iter().try_for_each(|place| self.kill(*place))
    }

    /// Starts all nodes that do not run.
    pub(crate) fn start_rest(&mut self) {
        (1..=self.size()).for_each(|place| self.start(place));
    }

    /// Ends a node in the middle of whatever it does.
    pub(crate) fn kill(&mut self, place: u32) -> Result<(), Installed> {
        self.running(place)?.kill();
        self.node(place).process = None;
        Ok(())
    }

    /// Asks a node to end, and waits until it has.
    pub(crate) fn terminate(&mut self, place: u32) -> Result<(), Installed> {
        let in_time = self.running(place)?.terminate();
        self.node(place).process = None;
        in_time
    }

    pub(crate) fn pause(&mut self, place: u32) -> Result<(), Installed> {
        self.running(place)?.pause()
    }

    pub(crate) fn resume(&mut self, place: u32) {
        if let Ok(process) = self.running(place) {
            process.resume();
        }
    }

    /// Everything runs.
    pub(crate) fn heal(&mut self) {
        if let Some(store) = &mut self.store {
            store.resume();
            store.start();
        }
        for place in 1..=self.size() {
            self.resume(place);
            self.start(place);
        }
    }

    /// The nodes that have ended though nobody asked them to; they don't run from then on.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        for (place, node) in (1..).zip(&mut self.nodes) {
            if let Some(status) = node.process.as_mut().and_then(Process::status) {
                ended.push(format!("node {place} ended by itself: {status}"));
                node.process = None;
            }
        }
        ended
    }

    /// The ends of the nodes' logs, for who wants to know why a run failed.
    pub(crate) fn logs(&self) -> String {
        (1..=self.size()).map(|place| process::tail(&self.directory.path().join(format!("node-{place}.log")))).collect()
    }

    /// Keeps what the processes wrote.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }

    fn settings(&self, place: u32, id: u64) -> Vec<String> {
        let mut settings = vec![
            "auth=none".to_owned(),
            format!("server.host={}", address(place)),
            format!("server.port={HTTP_PORT}"),
            "server.shards=1".to_owned(),
            "log.format=json".to_owned(),
            format!("cluster.node_id={id}"),
        ];
        match self.store {
            Some(_) => settings.extend(["store=redis".to_owned(), format!("redis.host={}", address(STORE))]),
            // A new segment every now and then, as there would be.
            None => settings.extend([
                "store=log".to_owned(),
                format!("storage.segment_bytes={SEGMENT_BYTES}"),
                format!("storage.reserve_bytes={RESERVE_BYTES}"),
            ]),
        }
        if self.size() > 1 {
            let seeds: Vec<_> = (1..=self.size()).map(|place| format!("{}:{LINK_PORT}", address(place))).collect();
            settings.push(format!("cluster.listen={}:{LINK_PORT}", address(place)));
            settings.push(format!("cluster.seeds={}", seeds.join(",")));
            settings.push(format!("cluster.secret={SECRET}"));
        }
        settings
    }

    const fn next_damage(&mut self) -> usize {
        self.damages += 1;
        self.damages - 1
    }

    fn node(&mut self, place: u32) -> &mut Node {
        &mut self.nodes[usize::try_from(place).unwrap() - 1]
    }

    fn running(&mut self, place: u32) -> Result<&mut Process, Installed> {
        self.node(place).process.as_mut().ok_or_else(|| Installed::Skipped(format!("node {place} does not run")))
    }

    fn home(&self, place: u32) -> PathBuf {
        self.directory.path().join(format!("node-{place}"))
    }
}
