//! Several real nodes that are one broker, on ports that stay theirs while they are down.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::{
    harness::{DEADLINE, Starting, TestNode, data_directory, eventually},
    http,
    redis::RedisServer,
};

/// How often it is looked whether a cluster is as it is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// How many nodes are named as seeds; others may come later all the same.
const SEEDS: u64 = 3;

/// A cluster under test. Dropping it kills every process and removes every directory.
pub(crate) struct TestNodes {
    nodes: BTreeMap<u64, TestNode>,
    places: BTreeMap<u64, Place>,
    seeds: String,
    settings: Vec<(String, String)>,
    prepare: Prepare,
    redis: Option<RedisServer>,
    home: TempDir,
}

/// Puts into a node's directory what it needs before it starts for the first time.
pub(crate) type Prepare = Box<dyn Fn(&Path)>;

/// Where a node is reached, whether it runs or not.
struct Place {
    clients: HeldPort,
    nodes: HeldPort,
}

/// A port that nobody but our own nodes can take: it is bound, but nobody listens.
struct HeldPort {
    port: u16,
    _socket: Socket,
}

impl TestNodes {
    /// So many nodes, from number 1 on, with their messages in a Redis of their own; all of them serve, and vote.
    pub(crate) fn start(count: u64) -> Self {
        Self::start_with(count, &[])
    }

    /// The same with more settings.
    pub(crate) fn start_with(count: u64, settings: &[(&str, &str)]) -> Self {
        Self::start_prepared(count, settings, Box::new(|_| ()))
    }

    /// The same with something in each node's directory.
    pub(crate) fn start_prepared(count: u64, settings: &[(&str, &str)], prepare: Prepare) -> Self {
        let redis = RedisServer::start();
        let port = redis.port().to_string();
        let settings = [&[("store", "redis"), ("redis.port", &port)], settings].concat();
        Self::start_on(count, (Some(redis), prepare), &settings)
    }

    /// So many nodes, each of which keeps the messages of its partitions on its own disk.
    pub(crate) fn start_on_disks(count: u64, settings: &[(&str, &str)]) -> Self {
        Self::start_on(count, (None, Box::new(|_| ())), settings)
    }

    /// The same with something in each node's directory.
    pub(crate) fn start_on_disks_prepared(count: u64, settings: &[(&str, &str)], prepare: Prepare) -> Self {
        Self::start_on(count, (None, prepare), settings)
    }

    fn start_on(count: u64, (redis, prepare): (Option<RedisServer>, Prepare), settings: &[(&str, &str)]) -> Self {
        let places: BTreeMap<u64, Place> = (1..=SEEDS.max(count)).map(|number| (number, Place::new())).collect();
        let seeds: Vec<_> = (1..=SEEDS).map(|number| places[&number].nodes.address()).collect();
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (nodes, home) = (BTreeMap::new(), data_directory());
        let mut cluster = Self { nodes, places, seeds: seeds.join(","), settings, prepare, redis, home };
        for number in 1..=count {
            cluster.add(number);
        }
        cluster.until("all nodes are there and vote", Self::is_whole);
        cluster
    }

    /// Has nodes that are added from now on find something else.
    pub(crate) fn prepare_with(&mut self, prepare: Prepare) {
        self.prepare = prepare;
    }

    /// Starts a node that was not there before. The first one founds the cluster.
    pub(crate) fn add(&mut self, number: u64) {
        self.add_with(number, &[]);
    }

    /// The same with settings of its own.
    pub(crate) fn add_with(&mut self, number: u64, settings: &[(&str, &str)]) {
        self.begin(number, settings, &[]);
    }

    /// Starts a new node with `--rejoin` in the data directory of one that ends, if it runs; from now on that one is not here.
    pub(crate) fn rejoin(&mut self, lost: u64, number: u64) {
        // Dropping it kills the process.
        drop(self.nodes.remove(&lost));
        fs::rename(self.directory(lost), self.directory(number)).unwrap();
        self.begin(number, &[], &["--rejoin"]);
    }

    fn begin(&mut self, number: u64, settings: &[(&str, &str)], flags: &[&str]) {
        let place = self.places.entry(number).or_insert_with(Place::new);
        let founds = (number == 1 && self.nodes.is_empty()).to_string();
        let (id, clients, listen) = (number.to_string(), place.clients.port.to_string(), place.nodes.address());
        let own = [
            ("server.port", clients.as_str()),
            ("cluster.node_id", &id),
            ("cluster.listen", &listen),
            ("cluster.seeds", &self.seeds),
            ("cluster.init", &founds),
        ];
        let shared = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let all: Vec<_> = own.into_iter().chain(shared).chain(settings.iter().copied()).collect();
        let home = self.directory(number);
        fs::create_dir_all(&home).unwrap();
        (self.prepare)(&home);
        self.nodes.insert(number, TestNode::start_flagged_at(home, &all, flags));
    }

    /// Kills a node without a word.
    pub(crate) fn kill(&mut self, number: u64) {
        self.node_mut(number).kill();
    }

    /// Asks a node to end, and waits until it has.
    pub(crate) fn terminate(&mut self, number: u64) -> ExitStatus {
        self.node_mut(number).terminate()
    }

    /// Starts a node again on its data, and waits until it serves; kills it first if it runs.
    pub(crate) fn restart(&mut self, number: u64) {
        self.restart_together(&[number]);
    }

    /// Starts a node again without a wait until it serves; until `serves` it counts as down.
    pub(crate) fn begin_restart(&mut self, number: u64) -> Starting {
        self.kill(number);
        self.places[&number].await_free();
        self.node_mut(number).begin_restart()
    }

    /// Waits until a node that was started serves.
    pub(crate) fn serves(&mut self, number: u64, starting: Starting) {
        self.node_mut(number).serves(starting);
    }

    /// Starts a node again on its data, where it should not get far: what it exits with, and what it says.
    pub(crate) fn refused(&mut self, number: u64) -> (Option<i32>, String) {
        self.kill(number);
        self.places[&number].await_free();
        self.node_mut(number).refused()
    }

    /// Starts nodes again at once: without a majority none of them would serve.
    pub(crate) fn restart_together(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.kill(*number);
            self.places[number].await_free();
        }
        thread::scope(|scope| {
            let chosen = self.nodes.iter_mut().filter(|(number, _)| numbers.contains(number));
            for (_, node) in chosen {
                scope.spawn(|| node.restart());
            }
        });
    }

    /// Stops a node in the middle of whatever it does.
    pub(crate) fn pause(&self, number: u64) {
        self.node(number).signal(Signal::STOP);
    }

    /// Lets a paused node go on.
    pub(crate) fn resume(&self, number: u64) {
        self.node(number).signal(Signal::CONT);
    }

    /// Kills a node and takes all its data away; from now on there is no such node here.
    pub(crate) fn wipe(&mut self, number: u64) {
        // Dropping it kills the process.
        drop(self.nodes.remove(&number));
        fs::remove_dir_all(self.directory(number)).unwrap();
    }

    /// A node that was started.
    pub(crate) fn node(&self, number: u64) -> &TestNode {
        &self.nodes[&number]
    }

    /// The same, to change it.
    pub(crate) fn node_mut(&mut self, number: u64) -> &mut TestNode {
        self.nodes.get_mut(&number).expect("the node was started")
    }

    /// The numbers of the nodes that were started, running or not.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    /// Where clients reach a node, running or not.
    pub(crate) fn address(&self, number: u64) -> String {
        self.places[&number].clients.address()
    }

    /// Where other nodes reach a node, running or not.
    pub(crate) fn link_address(&self, number: u64) -> String {
        self.places[&number].nodes.address()
    }

    /// Where a node works; its data is below.
    pub(crate) fn directory(&self, number: u64) -> PathBuf {
        self.home.path().join(format!("node-{number}"))
    }

    /// Where messages are, if not on the nodes' disks.
    pub(crate) const fn redis(&self) -> Option<&RedisServer> {
        self.redis.as_ref()
    }

    /// The node that leads, if all that run know the same.
    pub(crate) fn leader(&self) -> Option<u64> {
        let mut known = self.running().map(|number| self.get(number, "/v1/cluster")["leader"].as_u64());
        let leader = known.next()??;
        known.all(|other| other == Some(leader)).then_some(leader)
    }

    /// Whether all nodes are there, know each other, and have a vote.
    pub(crate) fn is_whole(&self) -> bool {
        let all = self.numbers().len();
        self.leader().is_some()
            && self.running().all(|number| {
                let nodes = self.get(number, "/v1/cluster")["nodes"].as_array().cloned().unwrap_or_default();
                let is_well = |node: &Value| {
                    node["state"] == "up" && ["leader", "follower"].map(Value::from).contains(&node["role"])
                };
                nodes.len() == all && nodes.iter().all(is_well)
            })
    }

    /// How a node is, by another one's account: `up`, `draining` or `down`.
    pub(crate) fn state(&self, through: u64, number: u64) -> String {
        let shown = self.get(through, &format!("/v1/cluster/nodes/{number}"));
        shown["state"].as_str().unwrap_or_default().to_owned()
    }

    /// The numbers of the nodes that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = u64> {
        self.nodes.iter().filter(|(_, node)| node.is_running()).map(|(number, _)| *number)
    }

    /// What a node answers to a GET.
    pub(crate) fn get(&self, number: u64, path: &str) -> Value {
        http::get(&self.address(number), path).json()
    }

    /// Waits until the cluster is so.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            thread::sleep(LOOK);
        }
    }
}

impl Place {
    fn new() -> Self {
        Self { clients: HeldPort::new(), nodes: HeldPort::new() }
    }

    /// Waits until nobody listens: the system closes what a killed process had in io_uring a moment after it has ended.
    fn await_free(&self) {
        for port in [&self.clients, &self.nodes] {
            assert!(eventually(|| bound(port.port).is_ok()), "somebody listens on {}", port.port);
        }
    }
}

impl HeldPort {
    fn new() -> Self {
        let socket = bound(0).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        Self { port, _socket: socket }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A socket that has a port and does not listen.
fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Then our node, which asks for the same, can listen there, and nobody is given the port by chance.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
