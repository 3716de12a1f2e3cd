//! Who fetches from this core, and which fetches wait for something to send.

use std::collections::{BTreeMap, HashMap};

use shard_core::{
    model::{Monotonic, TopicPartition},
    replication::{FetchError, FetchPart, FetchReply, FetchRequest, FetchSession},
};

use crate::request::Reply;

/// One core of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerKey {
    pub(crate) node: u64,
    pub(crate) core: u16,
}

/// The sessions of all cores that fetch from this one.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    peers: BTreeMap<PeerKey, PeerSession>,
    /// Who fetches a partition.
    followers: HashMap<TopicPartition, Vec<PeerKey>>,
    /// Those for which there may be something to send.
    woken: Vec<PeerKey>,
}

/// The session of one core, and its fetch that waits.
#[derive(Debug)]
pub(crate) struct PeerSession {
    pub(crate) session: FetchSession,
    parked: Option<Parked>,
}

/// A fetch that waits for something to send.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) reply: Reply<FetchReply, FetchError>,
    pub(crate) until: Monotonic,
    /// What is to be sent in any case.
    pub(crate) parts: Vec<FetchPart>,
}

impl Sessions {
    /// A fetch comes: of a session that is known, or the first of one.
    pub(crate) fn begin(&mut self, fetch: &FetchRequest) -> Result<PeerKey, FetchError> {
        let key = PeerKey { node: fetch.run.node, core: fetch.core };
        let known = self.peers.get_mut(&key);
        if known.as_ref().is_some_and(|known| known.session.run().epoch > fetch.run.epoch) {
            return Err(FetchError::StaleRun);
        }
        let goes_on = fetch.number > 1;
        match known {
            Some(known) if goes_on => {
                known.session.check(fetch.run, fetch.session, fetch.number).map_err(|_| FetchError::Session)?;
            }
            _ if goes_on => return Err(FetchError::Session),
            _ => {
                self.end(key);
                let mut session = FetchSession::new(fetch.run, fetch.session);
                session.check(fetch.run, fetch.session, fetch.number).map_err(|_| FetchError::Session)?;
                self.peers.insert(key, PeerSession { session, parked: None });
            }
        }
        Ok(key)
    }

    /// A partition follows; `ready` says that there is something to send.
    pub(crate) fn follows(&mut self, key: PeerKey, partition: TopicPartition, ready: bool) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.session.follows(partition, ready);
        let followers = self.followers.entry(partition).or_default();
        if !followers.contains(&key) {
            followers.push(key);
        }
    }

    /// A partition is not fetched any more.
    pub(crate) fn forget(&mut self, key: PeerKey, partition: TopicPartition) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.session.forget(partition);
        }
        if let Some(followers) = self.followers.get_mut(&partition) {
            followers.retain(|follower| *follower != key);
            if followers.is_empty() {
                self.followers.remove(&partition);
            }
        }
    }

    /// A partition is not led here any more.
    pub(crate) fn forget_partition(&mut self, partition: TopicPartition) {
        for key in self.followers.remove(&partition).unwrap_or_default() {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.session.forget(partition);
            }
        }
    }

    /// A fetch waits; one that waited before is answered with nothing: whoever asked has asked again.
    pub(crate) fn park(&mut self, key: PeerKey, parked: Parked) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if let Some(earlier) = peer.parked.replace(parked) {
            let _ = earlier.reply.send(Ok(FetchReply { parts: earlier.parts }));
        }
        self.woken.push(key);
    }

    /// A fetch goes on waiting: all that there is to send is held.
    pub(crate) fn park_again(&mut self, key: PeerKey, parked: Parked) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.parked = Some(parked);
        }
    }

    /// What was held may be sent.
    pub(crate) fn release_held(&mut self) {
        let Self { peers, woken, .. } = self;
        woken.extend(peers.iter_mut().filter_map(|(&key, peer)| peer.session.release_held().then_some(key)));
    }

    /// There is more of a partition to send.
    pub(crate) fn on_data(&mut self, partition: TopicPartition) {
        let Self { peers, followers, woken } = self;
        for key in followers.get(&partition).into_iter().flatten() {
            if peers.get_mut(key).is_some_and(|peer| peer.session.on_data(partition)) {
                woken.push(*key);
            }
        }
    }

    /// More of a partition is committed.
    pub(crate) fn on_news(&mut self, partition: TopicPartition) {
        for key in self.followers.get(&partition).into_iter().flatten() {
            if let Some(peer) = self.peers.get_mut(key) {
                peer.session.on_news(partition);
            }
        }
    }

    /// The next fetch that waits and for which there is something now.
    pub(crate) fn take_woken(&mut self) -> Option<(PeerKey, Parked)> {
        while let Some(key) = self.woken.pop() {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            let is_worth = peer.session.is_ready();
            if let Some(parked) = peer.parked.take_if(|parked| is_worth || !parked.parts.is_empty()) {
                return Some((key, parked));
            }
        }
        None
    }

    /// The next fetch that has waited long enough.
    pub(crate) fn take_due(&mut self, now: Monotonic) -> Option<(PeerKey, Parked)> {
        self.peers.iter_mut().find_map(|(&key, peer)| {
            let due = peer.parked.take_if(|parked| parked.until <= now || parked.reply.is_canceled())?;
            Some((key, due))
        })
    }

    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut PeerSession> {
        self.peers.get_mut(&key)
    }

    /// Everyone has to look elsewhere.
    pub(crate) fn clear(&mut self) {
        for (_, peer) in std::mem::take(&mut self.peers) {
            if let Some(parked) = peer.parked {
                let _ = parked.reply.send(Err(FetchError::Stopping));
            }
        }
        self.followers.clear();
    }

    fn end(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else { return };
        for partition in peer.session.partitions() {
            if let Some(followers) = self.followers.get_mut(&partition) {
                followers.retain(|follower| *follower != key);
            }
        }
        // Whoever waited has begun another session, and does not wait any more.
        drop(peer.parked);
    }
}
