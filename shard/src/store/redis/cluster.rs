//! The servers of a Redis Cluster: a connection to each master that has partitions of this shard, and who has which.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use async_lock::Mutex;
use shard_core::redis::{Failure, FailureKind, ServerAddress, Slot, SlotMap};

use super::{
    RedisConfig,
    connection::{Credentials, ask_once},
    link_counts::LinkCounts,
    server_link::{ServerLink, Target},
};

/// The shortest time between two questions for the map.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// What is known of a cluster.
pub(super) struct ClusterLinks {
    config: Rc<RedisConfig>,
    /// Of the connections to all servers.
    counts: Rc<LinkCounts>,
    map: RefCell<SlotMap>,
    links: RefCell<BTreeMap<ServerAddress, Rc<ServerLink>>>,
    /// When the map was last asked for; one question at a time.
    asked: Mutex<Option<Instant>>,
}

impl ClusterLinks {
    pub(super) fn new(config: Rc<RedisConfig>, counts: Rc<LinkCounts>) -> Self {
        let (map, links) = (RefCell::default(), RefCell::default());
        Self { config, counts, map, links, asked: Mutex::new(None) }
    }

    /// The way to whoever has a slot.
    pub(super) async fn link(&self, slot: Slot) -> Result<Rc<ServerLink>, Failure> {
        if let Some(link) = self.known(slot) {
            return Ok(link);
        }
        self.refresh(slot).await?;
        self.known(slot).ok_or_else(|| Failure::new(FailureKind::ClusterDown, "no server has the partition's slot"))
    }

    /// Whoever has a slot may not have it any more: the next request asks.
    pub(super) fn forget(&self, slot: Slot) {
        self.map.borrow_mut().forget(slot);
    }

    fn known(&self, slot: Slot) -> Option<Rc<ServerLink>> {
        let server = self.map.borrow().server_of(slot)?.clone();
        let mut links = self.links.borrow_mut();
        let start = || ServerLink::start(&self.config, Target::Server(server.clone()), &self.counts);
        Some(Rc::clone(links.entry(server.clone()).or_insert_with(|| Rc::new(start()))))
    }

    async fn refresh(&self, slot: Slot) -> Result<(), Failure> {
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked meanwhile.
        if self.map.borrow().server_of(slot).is_some() {
            return Ok(());
        }
        if asked.is_some_and(|asked| asked.elapsed() < REFRESH_PAUSE) {
            return Err(Failure::new(
                FailureKind::ClusterDown,
                "the partition's slot is being moved, or its server is down",
            ));
        }
        let known: Vec<_> = self.links.borrow().keys().cloned().collect();
        let map = read_map(&self.config, &known).await;
        *asked = Some(Instant::now());
        self.counts.on_servers_asked(map.is_ok());
        let map = map?;
        let servers = map.servers();
        // Requests that are under way hold on to the connections they use.
        self.links.borrow_mut().retain(|server, _| servers.contains(server));
        self.map.replace(map);
        Ok(())
    }
}

/// Asks for the map: those who are known, and who the settings name.
pub(super) async fn read_map(config: &RedisConfig, known: &[ServerAddress]) -> Result<SlotMap, Failure> {
    let credentials = Credentials { username: config.username.as_deref(), password: config.password.as_ref() };
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let seed = config.server();
    let mut last = Failure::new(FailureKind::Unreachable, "no server is named");
    for server in std::iter::once(&seed).chain(known) {
        let answer = ask_once(config, server, credentials, &command).await;
        match answer.and_then(|answer| map_of(server, answer)) {
            Ok(map) => return Ok(map),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Reads what `CLUSTER SLOTS` tells: ranges with their master first. An address left empty is that of who was asked.
fn map_of(asked: &ServerAddress, answer: redis::Value) -> Result<SlotMap, Failure> {
    let wrong = || Failure::new(FailureKind::Protocol, "CLUSTER SLOTS answered something else");
    let ranges: Vec<Vec<redis::Value>> = redis::from_redis_value(answer).map_err(|_| wrong())?;
    let mut map = SlotMap::default();
    for range in ranges {
        let mut fields = range.into_iter();
        let (Some(first), Some(last), Some(redis::Value::Array(master))) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(wrong());
        };
        let mut master = master.into_iter();
        let (Some(host), Some(port)) = (master.next(), master.next()) else { return Err(wrong()) };
        let host = redis::from_redis_value::<Option<String>>(host).map_err(|_| wrong())?;
        let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.host.clone());
        let number = |value| redis::from_redis_value::<u64>(value).map_err(|_| wrong());
        let port = redis::from_redis_value(port).map_err(|_| wrong())?;
        map.enter(number(first)?, number(last)?, ServerAddress { host, port });
    }
    Ok(map)
}
