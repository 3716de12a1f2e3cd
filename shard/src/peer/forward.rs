//! Finds the owner of a partition, asks it, and asks again where that is safe.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_lite::future;
use glommio::timer::sleep;
use shard_core::{
    model::{SubscriptionId, TopicPartition},
    peer_wire::{Attempts, Failed, PeerReply, PeerRequest, Repeat, Verdict, patience},
    replication::{FetchReply, FetchRequest},
};

use super::{
    Links, Outcome,
    asking::{Ask, AskError},
    outcome::Error,
    serving::wait_of,
};
use crate::{
    limits,
    placement::shard_of,
    request::{
        ConsumerId, DigestQuery, LogDigest, PartitionSubscription, PartitionUnavailable, Pulled, SubscriptionError,
    },
    routes::{Owner, Routes},
};

/// Asks the owners of partitions, wherever they are; clones share its links.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    links: Links,
    /// Partitions that a pull found nobody to ask for, since when, and when the last time.
    away: Rc<RefCell<BTreeMap<TopicPartition, (Instant, Instant)>>>,
}

/// What is asked, and what comes with it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: PeerRequest,
    /// The batch of a publish.
    pub(crate) tail: Option<Bytes>,
    pub(crate) repeat: Repeat,
    /// Whether an earlier attempt may have done it.
    pub(crate) may_be_done: bool,
    /// The same where the other node takes traces.
    pub(crate) traced: Option<PeerRequest>,
}

/// How one attempt ended without an answer that counts.
struct Attempt<E> {
    failed: Failed,
    error: E,
    node: u64,
}

/// Partitions that are asked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) owner: Owner,
    core: usize,
    pub(crate) partitions: Vec<TopicPartition>,
}

impl Forward {
    pub(crate) fn new(links: Links) -> Self {
        Self { links, away: Rc::default() }
    }

    /// Where the newest table says that a partition is.
    pub(crate) fn owner(&self, partition: TopicPartition) -> Owner {
        self.routes().load().owner(partition)
    }

    /// Asks until there is an answer, or no more sense in asking. `here` asks this node.
    pub(crate) async fn ask<T, E>(
        &self,
        partition: TopicPartition,
        question: Question,
        here: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: Error,
        Result<T, E>: Outcome,
    {
        let (repeat, began) = (question.repeat, Instant::now());
        let (mut attempts, mut lost_at) = (Attempts::new(repeat, patience(&question.request)), 0);
        if question.may_be_done && attempts.on_failed(Failed::Lost, Duration::ZERO) == Verdict::GiveUpUnknown {
            return Err(E::unknown(lost_at, "another node leads the partition now".to_owned()));
        }
        let ask = encode(question);
        loop {
            let table = self.routes().load();
            let (version, owner) = (table.version, table.owner(partition));
            drop(table);
            let attempted = match owner {
                Owner::Us => here().await.map_err(|error| refused(0, error)),
                Owner::Node(node) => self.ask_node(node, partition, (&ask, repeat)).await,
                Owner::Nobody => Err(not_done(0, PartitionUnavailable::NoOwner(partition).into())),
                Owner::Unknown => return Err(PartitionUnavailable::NotHere(partition).into()),
            };
            let Err(Attempt { failed, error, node }) = attempted else {
                let outcome = attempted.map_err(|failed| failed.error);
                if attempts.last_verdict() == Verdict::GiveUpUnknown && outcome.may_follow_from_itself() {
                    return Err(E::unknown(lost_at, "an earlier attempt was lost".to_owned()));
                }
                return outcome;
            };
            if failed == Failed::Lost {
                lost_at = node;
            }
            let lasts = failed == Failed::NotDone && !error.may_pass(owner == Owner::Us);
            let verdict = if lasts { attempts.last_verdict() } else { attempts.on_failed(failed, began.elapsed()) };
            match verdict {
                Verdict::Again { pause } => self.pause(version, pause).await,
                Verdict::GiveUpUnknown if failed == Failed::NotDone => {
                    return Err(E::unknown(lost_at, "an earlier attempt was lost".to_owned()));
                }
                Verdict::GiveUp | Verdict::GiveUpUnknown => return Err(error),
            }
        }
    }

    /// Waits at the owner of `group` until a pull on one of its partitions may give something; that there is nobody to ask, or
    /// not any more, is for the pull to find out.
    pub(crate) async fn await_deliverable(
        &self,
        subscription: SubscriptionId,
        group: Group,
    ) -> Result<(), PartitionUnavailable> {
        let Some(&first) = group.partitions.first() else { return Ok(()) };
        let version = self.routes().load().version;
        if let Owner::Node(node) = group.owner {
            let request = PeerRequest::AwaitDeliverable { subscription, partitions: group.partitions };
            let ask =
                encode(Question { request, tail: None, repeat: Repeat::Harmless, may_be_done: false, traced: None });
            match self.ask_node(node, first, (&ask, Repeat::Harmless)).await {
                Ok(()) => return Ok(()),
                Err(Attempt { error, .. }) if !Error::may_pass(&error, false) => return Err(error),
                Err(_) => {}
            }
        }
        self.pause(version, limits::PEER_AWAY_LOOK).await;
        Ok(())
    }

    /// A pull that found nobody to ask gives nothing for a while: another owner is on its way.
    pub(crate) fn settle_pull(
        &self,
        partition: TopicPartition,
        pulled: Result<Pulled, SubscriptionError>,
    ) -> Result<Pulled, SubscriptionError> {
        let mut away = self.away.borrow_mut();
        match pulled {
            Err(error) if error.may_pass() && self.owner(partition) != Owner::Unknown => {
                let now = Instant::now();
                if away.len() >= limits::PEER_AWAY_MAX {
                    away.retain(|_, (_, last)| now.duration_since(*last) <= limits::PEER_AWAY_FORGOTTEN);
                }
                let (since, last) = away.entry(partition).or_insert((now, now));
                if now.duration_since(*last) > limits::PEER_AWAY_FORGOTTEN {
                    *since = now;
                }
                *last = now;
                if since.elapsed() < shard_core::limits::PEER_PATIENCE { Ok(Pulled::default()) } else { Err(error) }
            }
            pulled => {
                if !away.is_empty() {
                    away.remove(&partition);
                }
                pulled
            }
        }
    }

    /// Tells the owner that a consumer has gone; best effort.
    pub(crate) fn release_consumer(&self, node: u64, cursor: PartitionSubscription, consumer: ConsumerId) {
        let forward = self.clone();
        glommio::spawn_local(async move {
            let Some(core) = forward.core_of(node, cursor.partition) else { return };
            let request = PeerRequest::ReleaseConsumer { cursor, consumer };
            if let (Ok(asking), Ok(head)) = (forward.links.to(node, core).await, request.encode()) {
                asking.tell(head);
            }
        })
        .detach();
    }

    /// Fetches from a core of another node, once.
    ///
    /// # Errors
    /// For people: it came to nothing, and is to be begun anew.
    pub(crate) async fn fetch(&self, (node, core): (u64, u16), fetch: FetchRequest) -> Result<FetchReply, String> {
        let ask = encode(Question {
            request: PeerRequest::Fetch(fetch),
            tail: None,
            repeat: Repeat::Harmless,
            may_be_done: false,
            traced: None,
        });
        let answered = match self.links.to(node, core).await {
            Ok(asking) => asking.ask(ask).await,
            Err(error) => Err(error),
        };
        let frame = answered.map_err(|error| format!("{error:?}"))?;
        match PeerReply::decode(&frame.head, frame.tail) {
            Ok(PeerReply::Fetch(fetched)) => fetched.map_err(|error| error.to_string()),
            Ok(_) => Err("its reply is to another request".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Asks a node what it holds of a partition, whoever leads; once.
    pub(crate) async fn digest(&self, node: u64, query: DigestQuery) -> Result<LogDigest, PartitionUnavailable> {
        let request = PeerRequest::Digest(query);
        let ask = encode(Question { request, tail: None, repeat: Repeat::Harmless, may_be_done: false, traced: None });
        self.ask_node(node, query.partition, (&ask, Repeat::Harmless)).await.map_err(|attempt| attempt.error)
    }

    /// Partitions by whom they are asked of: this node, or one core of another.
    pub(crate) fn groups(&self, partitions: &[TopicPartition]) -> Vec<Group> {
        let table = self.routes().load();
        let mut groups: Vec<Group> = Vec::new();
        for &partition in partitions {
            let owner = table.owner(partition);
            let count = match owner {
                Owner::Node(node) => table.nodes.get(&node).map_or(1, |route| route.shard_count.max(1)),
                Owner::Us | Owner::Nobody | Owner::Unknown => 1,
            };
            let core = shard_of(partition, count);
            match groups.iter_mut().find(|group| (group.owner, group.core) == (owner, core)) {
                Some(group) => group.partitions.push(partition),
                None => groups.push(Group { owner, core, partitions: vec![partition] }),
            }
        }
        groups
    }

    /// Waits a moment, or until the partitions may have other owners.
    pub(crate) async fn pause(&self, version: u64, pause: Duration) {
        let slept = async {
            sleep(pause).await;
        };
        future::or(self.routes().newer_than(version), slept).await;
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.links.config().routes
    }

    async fn ask_node<T, E>(
        &self,
        node: u64,
        partition: TopicPartition,
        (ask, repeat): (&Ask, Repeat),
    ) -> Result<T, Attempt<E>>
    where
        E: Error,
        Result<T, E>: Outcome,
    {
        let away = |reason| PartitionUnavailable::PeerAway { node, reason };
        let lost = |reason| Attempt {
            failed: Failed::Lost,
            error: if repeat == Repeat::Harmless { away(reason).into() } else { E::unknown(node, reason) },
            node,
        };
        let Some(core) = self.core_of(node, partition) else {
            return Err(not_done(node, away("it is not known".to_owned()).into()));
        };
        let answered = match self.links.to(node, core).await {
            Ok(asking) => asking.ask(ask.clone()).await,
            Err(error) => Err(error),
        };
        let frame = answered.map_err(|error| match error {
            AskError::NotSent(reason) => not_done(node, away(reason).into()),
            AskError::Overloaded | AskError::TooLarge => not_done(node, PartitionUnavailable::Overloaded.into()),
            AskError::Lost(reason) => lost(reason),
        })?;
        let reply = PeerReply::decode(&frame.head, frame.tail).map_err(|error| lost(error.to_string()))?;
        let outcome = Result::<T, E>::of_reply(reply);
        let outcome = outcome.ok_or_else(|| lost("its reply is to another request".to_owned()))?;
        outcome.map_err(|error| refused(node, error))
    }

    fn core_of(&self, node: u64, partition: TopicPartition) -> Option<u16> {
        let table = self.routes().load();
        let route = table.nodes.get(&node).filter(|route| route.shard_count > 0)?;
        u16::try_from(shard_of(partition, route.shard_count)).ok()
    }
}

fn encode(question: Question) -> Ask {
    let request = question.request.bounded();
    let wait = wait_of(&request);
    let leases_of = if let PeerRequest::Pull { cursor, .. } = &request { Some(*cursor) } else { None };
    // An empty head is no request: the other side says so.
    let head = request.encode().unwrap_or_default();
    let within = limits::PEER_ANSWER_TIMEOUT + wait.unwrap_or_default();
    let traced_head = question.traced.and_then(|request| request.encode().ok());
    Ask { head, traced_head, tail: question.tail, waits: wait.is_some(), within, leases_of }
}

/// An attempt that was answered by an error.
fn refused<E: Error>(node: u64, error: E) -> Attempt<E> {
    let failed = if error.is_undecided() { Failed::Lost } else { Failed::NotDone };
    Attempt { failed, error, node }
}

const fn not_done<E>(node: u64, error: E) -> Attempt<E> {
    Attempt { failed: Failed::NotDone, error, node }
}
