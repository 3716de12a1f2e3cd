//! Clients that publish, consume and look, each at any node, and write down what they see.

mod assigned;
mod dial;
mod line;
mod observer;
mod outcome;
mod producer;
mod pulling;
mod settling;
mod subscribing;
mod tailing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gateway_api::client::Endpoint;

use crate::{broker::Storage, network::Namespace, random::Random, recorder::Recorder};

pub(crate) use settling::{prepare, settle};

/// The topic that is published to.
pub(crate) const TOPIC: &str = "orders";
/// Where dead letters go.
pub(crate) const DEAD_TOPIC: &str = "orders-dead";
/// A subscription that any consumer gets messages of, with ordered keys.
pub(crate) const SHARED: &str = "shared";
/// A subscription whose partitions are assigned.
pub(crate) const GROUP: &str = "group";

/// What all clients of a run share.
pub(crate) struct Site {
    pub recorder: Recorder,
    pub nodes: Vec<Endpoint>,
    /// Where clients are.
    pub hub: Namespace,
    /// How many nodes keep each message, if that is for topics to say.
    pub replication_factor: Option<u16>,
    is_publishing: AtomicBool,
    is_consuming: AtomicBool,
}

/// The clients of a run.
pub(crate) struct Clients {
    site: Arc<Site>,
    producers: Vec<JoinHandle<()>>,
    consumers: Vec<JoinHandle<()>>,
}

impl Site {
    pub(crate) fn new(recorder: Recorder, (nodes, hub): (Vec<Endpoint>, Namespace), storage: Storage) -> Self {
        let replication_factor = (storage == Storage::Disks).then(|| u16::try_from(nodes.len()).unwrap());
        Self {
            recorder,
            nodes,
            hub,
            replication_factor,
            is_publishing: AtomicBool::new(true),
            is_consuming: AtomicBool::new(true),
        }
    }

    /// Runs a client in a thread of its own, where it can reach the nodes.
    pub(crate) fn spawn<C, F>(self: &Arc<Self>, client: C) -> JoinHandle<()>
    where
        C: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let site = Arc::clone(self);
        thread::spawn(move || {
            site.hub.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(client(site));
        })
    }

    pub(crate) fn is_publishing(&self) -> bool {
        self.is_publishing.load(Ordering::Relaxed)
    }

    pub(crate) fn is_consuming(&self) -> bool {
        self.is_consuming.load(Ordering::Relaxed)
    }
}

impl Clients {
    /// Starts all of them.
    pub(crate) fn start(site: &Arc<Site>) -> Self {
        let seed = site.recorder.run().seed;
        let mut producers = Vec::new();
        for kind in producer::KINDS {
            let client = u32::try_from(producers.len()).unwrap() + 1;
            producers
                .push(site.spawn(move |site| producer::run(site, client, *kind, Random::new(seed, client.into()))));
        }
        let mut consumers = Vec::new();
        for client in [11, 12] {
            consumers.push(site.spawn(move |site| pulling::run(site, client, Random::new(seed, client.into()))));
        }
        for client in [21, 22] {
            consumers.push(site.spawn(move |site| assigned::run(site, client, Random::new(seed, client.into()))));
        }
        for (client, subscription) in [(31, SHARED), (32, GROUP)] {
            let random = Random::new(seed, client.into());
            consumers.push(site.spawn(move |site| subscribing::run(site, client, subscription, random)));
        }
        consumers.push(site.spawn(move |site| observer::run(site, 41, Random::new(seed, 41))));
        consumers.push(site.spawn(move |site| tailing::run(site, 42, Random::new(seed, 42))));
        Self { site: Arc::clone(site), producers, consumers }
    }

    /// No more is published.
    pub(crate) fn stop_publishing(&mut self) {
        self.site.is_publishing.store(false, Ordering::Relaxed);
        self.producers.drain(..).for_each(|producer| producer.join().unwrap());
    }

    /// Nobody consumes any more.
    pub(crate) fn stop_consuming(&mut self) {
        self.site.is_consuming.store(false, Ordering::Relaxed);
        self.consumers.drain(..).for_each(|consumer| consumer.join().unwrap());
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // A run that fails in the middle ends them too; whether they panicked is told already.
        self.site.is_publishing.store(false, Ordering::Relaxed);
        self.site.is_consuming.store(false, Ordering::Relaxed);
        for client in self.producers.drain(..).chain(self.consumers.drain(..)) {
            drop(client.join());
        }
    }
}

/// The pace of a client.
pub(crate) async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
