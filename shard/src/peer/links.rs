//! The connections of one core to cores of other nodes: made when first needed, made anew at growing distances, closed when
//! the node counts as dead.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use async_lock::Mutex;
use glommio::timer::sleep;
use shard_core::link::FrameDecoder;

use super::{
    PeerConfig,
    asking::{AskError, Asking},
    channel::Channel,
    connect::{LinkStream, connect},
};
use crate::{limits, metrics::ShardMetrics};

/// The links of one core; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: PeerConfig,
    metrics: Arc<ShardMetrics>,
    links: RefCell<BTreeMap<(u64, u16), Rc<Link>>>,
}

/// The way to one core of another node.
#[derive(Debug, Default)]
struct Link {
    /// Held while a connection is made: whoever needs it meanwhile waits for the same one.
    connecting: Mutex<()>,
    /// How many wait for it.
    waiting: Cell<usize>,
    /// The newest connection.
    asking: RefCell<Option<Asking>>,
    /// Why the last attempt failed, or the last connection gave no answer, and when the next one may be made.
    failure: RefCell<Option<Failure>>,
    pause: Cell<Duration>,
}

#[derive(Clone, Debug)]
struct Failure {
    reason: String,
    until: Instant,
    /// A newer table may have another address.
    version: u64,
}

/// Counts who waits, also when the wait is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl Links {
    /// Without a connection yet. To be called on the core's executor.
    pub(crate) fn start(config: PeerConfig, metrics: Arc<ShardMetrics>) -> Self {
        let links = Self { inner: Rc::new(Inner { config, metrics, links: RefCell::default() }) };
        glommio::spawn_local(drop_the_dead(links.clone())).detach();
        links
    }

    pub(super) fn config(&self) -> &PeerConfig {
        &self.inner.config
    }

    /// A connection to a core of a node: the one there is, or a new one.
    ///
    /// # Errors
    /// Why there is none; for a while it is the same reason, and nothing is tried.
    pub(super) async fn to(&self, node: u64, core: u16) -> Result<Asking, AskError> {
        let link = Rc::clone(self.inner.links.borrow_mut().entry((node, core)).or_default());
        if let Some(asking) = link.open() {
            return Ok(asking);
        }
        if link.waiting.get() >= limits::PEER_REQUESTS_MAX {
            return Err(AskError::Overloaded);
        }
        let _waiting = Waiting::new(&link.waiting);
        let _connecting = link.connecting.lock().await;
        if let Some(asking) = link.open() {
            return Ok(asking);
        }
        let table = self.inner.config.routes.load();
        let (version, route) = (table.version, table.nodes.get(&node).cloned());
        drop(table);
        let Some(route) = route.filter(|route| route.up) else {
            return Err(AskError::NotSent("it does not count as alive".to_owned()));
        };
        if let Some(reason) = link.still_failing(version) {
            return Err(AskError::NotSent(reason));
        }
        match Box::pin(connect(&self.inner.config, (node, core), &route.address)).await {
            Ok(connected) => Ok(self.begin(&link, (node, core), connected)),
            Err(reason) => {
                self.inner.metrics.peer_connect_failures.add(1);
                tracing::debug!(node, core, reason, "another node can't be reached");
                link.fail(reason.clone(), version);
                Err(AskError::NotSent(reason))
            }
        }
    }

    /// Serves a new connection until it ends.
    fn begin(
        &self,
        link: &Rc<Link>,
        (node, core): (u64, u16),
        (stream, decoder, version): (LinkStream, FrameDecoder, u16),
    ) -> Asking {
        let metrics = Arc::clone(&self.inner.metrics);
        let channel = Channel::new(Arc::clone(&metrics));
        let asking = Asking::new(channel.clone(), Arc::clone(&metrics), version);
        *link.asking.borrow_mut() = Some(asking.clone());
        let (link, side, routes) = (Rc::clone(link), asking.clone(), self.inner.config.routes.clone());
        glommio::spawn_local(async move {
            metrics.peer_connections.set(metrics.peer_connections.get() + 1);
            let reason = channel.run(stream, decoder, &side).await;
            metrics.peer_connections.set(metrics.peer_connections.get() - 1);
            tracing::debug!(node, core, reason, "a connection to another node ended");
            side.on_ended(&reason);
            // One that takes connections and answers nothing is not asked in a loop.
            if side.has_answered() {
                link.pause.set(Duration::ZERO);
            } else {
                link.fail(reason, routes.load().version);
            }
        })
        .detach();
        asking
    }

    /// Ends the connections to nodes that the newest table does not count as alive: what they were asked is given up.
    fn end_dead(&self) {
        let table = self.inner.config.routes.load();
        let is_dead = |node: &u64| table.nodes.get(node).is_none_or(|route| !route.up);
        self.inner.links.borrow_mut().retain(|(node, _), link| {
            if is_dead(node)
                && let Some(asking) = link.asking.borrow_mut().take()
            {
                asking.end("it does not count as alive any more");
            }
            // One that is on its way is found again by whoever waits for it.
            !is_dead(node) || Rc::strong_count(link) > 1
        });
    }
}

impl Link {
    /// Has the next attempt wait, longer each time.
    fn fail(&self, reason: String, version: u64) {
        let pause = (self.pause.get() * 2).clamp(limits::PEER_CONNECT_PAUSE_MIN, limits::PEER_CONNECT_PAUSE_MAX);
        self.pause.set(pause);
        *self.failure.borrow_mut() = Some(Failure { reason, until: Instant::now() + pause, version });
    }

    /// Why nothing is to be tried yet.
    fn still_failing(&self, version: u64) -> Option<String> {
        let failure = self.failure.borrow();
        let failure = failure.as_ref().filter(|failure| failure.version == version && Instant::now() < failure.until);
        failure.map(|failure| failure.reason.clone())
    }

    fn open(&self) -> Option<Asking> {
        self.asking.borrow().clone().filter(Asking::is_open)
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Looks at each new table for as long as the executor lives.
///
/// A node that stops counts as dead before it has answered all: its last answers have a moment to come.
async fn drop_the_dead(links: Links) {
    loop {
        let version = links.config().routes.load().version;
        links.end_dead();
        links.config().routes.newer_than(version).await;
        sleep(limits::PEER_LAST_ANSWERS_WAIT).await;
    }
}
