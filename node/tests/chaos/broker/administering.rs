//! What operators ask of the nodes.

use std::{
    thread,
    time::{Duration, Instant},
};

use gateway_api::{
    client::{Client, ClientError},
    topics::TopicSettings,
};

use super::{Broker, disks::Disks};
use crate::{history::Installed, workload::TOPIC};

/// How long a node may take to be ready, to be emptied, or to count as gone.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to rest between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(50);

impl Broker {
    /// Has a node's partitions go to others, and ends it then.
    pub(crate) fn drain(&mut self, place: u32) -> Result<(), Installed> {
        let id = self.node(place).id;
        self.running(place)?;
        self.insist(&format!("node {id} was not emptied"), &[place], async |client| {
            Ok(client.drain_node(id, true).await?.owned == 0)
        })?;
        self.terminate(place)
    }

    /// Starts a node that was drained, and lets it have partitions again.
    pub(crate) fn start_drained(&mut self, place: u32) -> Result<(), Installed> {
        let id = self.node(place).id;
        self.start(place);
        let places: Vec<u32> = (1..=self.size()).collect();
        self.insist(&format!("node {id} stays drained"), &places, async |client| {
            client.drain_node(id, false).await.map(|_| true)
        })
    }

    /// Kills a node and takes its disks; it is another one from then on, and the former one is none any more.
    pub(crate) fn wipe(&mut self, place: u32) -> Result<(), Installed> {
        self.await_whole()?;
        self.kill(place)?;
        std::fs::remove_dir_all(self.home(place)).unwrap();
        self.node(place).disks = Some(Disks::new().map_err(Installed::Unknown)?);
        self.replace(place)
    }

    /// Kills a node that comes back as another one, and finds what the former one had kept.
    pub(crate) fn rejoin(&mut self, place: u32) -> Result<(), Installed> {
        self.await_whole()?;
        self.kill(place)?;
        self.node(place).rejoins = true;
        self.replace(place)
    }

    /// A node that does not run is another one from now on, and its former self is removed with all its replicas.
    fn replace(&mut self, place: u32) -> Result<(), Installed> {
        let (former, id) = (self.node(place).id, self.next_id);
        self.next_id += 1;
        self.node(place).id = id;
        let others: Vec<u32> = (1..=self.size()).filter(|other| *other != place).collect();
        self.insist(&format!("node {former} was not removed"), &others, async |client| {
            client.remove_node(former, true).await.map(|_| true)
        })
    }

    /// Has each partition on one node less, as long as two are left.
    pub(crate) fn narrow(&self) -> Result<(), Installed> {
        self.await_whole()?;
        self.replicate(self.size() - 1)
    }

    /// Has each partition on all nodes again.
    pub(crate) fn widen(&self) -> Result<(), Installed> {
        self.replicate(self.size())
    }

    fn replicate(&self, factor: u32) -> Result<(), Installed> {
        let factor = u16::try_from(factor).unwrap();
        let patch = TopicSettings { replication_factor: Some(factor), ..TopicSettings::default() };
        let places: Vec<u32> = (1..=self.size()).collect();
        self.insist(&format!("{TOPIC} did not get {factor} replicas"), &places, async |client| {
            client.update_topic(TOPIC, &patch, None).await.map(|_| true)
        })
    }

    /// Asks a node to end, starts it again, and waits until it is ready; so one after the other.
    pub(crate) fn restart_each(&mut self) -> Result<(), Installed> {
        for place in 1..=self.size() {
            self.terminate(place)?;
            self.start(place);
            self.insist(&format!("node {place} was not ready"), &[place], async |client| {
                client.readyz().await.map(|_| true)
            })?;
        }
        Ok(())
    }

    /// Asks these nodes, one after the other, until it is so.
    pub(super) fn insist(
        &self,
        failure: &str,
        places: &[u32],
        is_so: impl AsyncFn(&Client) -> Result<bool, ClientError> + Sync,
    ) -> Result<(), Installed> {
        let endpoints = Self::endpoints(self.size());
        let until = Instant::now() + DEADLINE;
        let insisting = async || {
            let mut last = "it takes its time".to_owned();
            for place in places.iter().cycle() {
                let endpoint = endpoints[usize::try_from(*place).unwrap() - 1].clone();
                let client = Client::new(endpoint, None).with_answer_timeout(ANSWER_TIMEOUT);
                match is_so(&client).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) => last = error.to_string(),
                }
                if Instant::now() > until {
                    break;
                }
                tokio::time::sleep(TRY_PAUSE).await;
            }
            Err(Installed::Unknown(format!("{failure} within {DEADLINE:?}: {last}")))
        };
        thread::scope(|scope| {
            let insister = scope.spawn(|| {
                self.network.hub.enter();
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(insisting())
            });
            insister.join().unwrap()
        })
    }
}
