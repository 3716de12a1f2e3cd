//! The small tasks beside the loop: each only waits for one thing and puts it into the mailbox.

use std::{cell::Cell, rc::Rc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use glommio::{channels::shared_channel::ConnectedReceiver, timer::sleep, yield_if_needed};
use shard_core::{
    log::{Dedup, Retention},
    model::{LeaderEpoch, Offset, Timestamp, TopicPartition},
};

use super::{
    learning::{Learner, dedup_config, find_lineage},
    reopening::open_when_there,
};
use crate::{
    command::{PartitionChange, ShardCommand},
    event::{Applying, OpenedLog, ShardEvent, StoreEvent},
    limits,
    mailbox::{Mailbox, OfferError},
    request::Request,
    store::{AnyPartition, AnyStore, MessageStore as _, ShardStore as _, StoreError},
};

/// Takes in what another core sends. The receiver is polled here alone: polled beside something else, it would count
/// up wakers until the executor gives up.
pub(super) fn receive_requests(peer: ConnectedReceiver<Request>, mailbox: Mailbox<ShardEvent>) {
    glommio::spawn_local(async move {
        while let Some(request) = peer.recv().await {
            // A request that finds the queue full is dropped; its reply is then cancelled, which says so.
            match mailbox.offer(ShardEvent::Request(request)) {
                Ok(()) => {}
                Err(OfferError::Full(dropped) | OfferError::Closed(dropped)) => drop(dropped),
            }
        }
    })
    .detach();
}

/// Takes in what the control thread says: its steps one after the other, and the stop at once, as a step may have to wait
/// for a store that is away.
pub(super) fn receive_commands(
    commands: flume::Receiver<ShardCommand>,
    mailbox: Mailbox<ShardEvent>,
    (store, key): (AnyStore, [u8; 16]),
) {
    let (steps, next_step) = flume::bounded(limits::STEPS_WAITING_MAX);
    let steps_mailbox = mailbox.clone();
    glommio::spawn_local(async move {
        while let Ok((changes, done)) = next_step.recv_async().await {
            apply(changes, &Applying::new(done), &steps_mailbox, (&store, key)).await;
        }
    })
    .detach();
    glommio::spawn_local(async move {
        while let Ok(command) = commands.recv_async().await {
            match command {
                ShardCommand::Apply { changes, done } => {
                    // The receiver lives as long as the executor.
                    let _ = steps.send_async((changes, done)).await;
                }
                ShardCommand::Tally { reply } => mailbox.push(ShardEvent::TallyAsked { reply }),
                ShardCommand::Stop { done } => {
                    mailbox.push(ShardEvent::Stop { done });
                    break;
                }
            }
        }
    })
    .detach();
}

/// Puts an event into the mailbox again and again.
pub(super) fn tick(
    mailbox: Mailbox<ShardEvent>,
    interval: Duration,
    stopped: Rc<Cell<bool>>,
    event: impl Fn() -> ShardEvent + 'static,
) {
    glommio::spawn_local(async move {
        while !stopped.get() {
            sleep(interval).await;
            mailbox.push(event());
        }
    })
    .detach();
}

/// Opens the partitions that are to be opened, several at a time, and passes the other changes on behind them.
async fn apply(
    changes: Vec<PartitionChange>,
    applying: &Rc<Applying>,
    mailbox: &Mailbox<ShardEvent>,
    (store, key): (&AnyStore, [u8; 16]),
) {
    let (opens, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(PartitionChange::opens);
    let mut opens = opens.into_iter();
    let mut opening = FuturesUnordered::new();
    loop {
        while opening.len() < limits::RECOVERIES_MAX {
            let Some(change) = opens.next() else { break };
            opening.push(open(change, (store, key), mailbox));
        }
        let Some((change, opened)) = opening.next().await else { break };
        let opened = Box::new(opened);
        mailbox.push(ShardEvent::Opened { change, opened, applying: Rc::clone(applying) });
    }
    for change in others {
        mailbox.push(ShardEvent::Change { change, applying: Rc::clone(applying) });
    }
}

async fn open(
    change: PartitionChange,
    (store, key): (&AnyStore, [u8; 16]),
    mailbox: &Mailbox<ShardEvent>,
) -> (PartitionChange, Result<OpenedLog, StoreError>) {
    let opened = match change {
        PartitionChange::Follow { partition, epoch, .. } => open_to_follow(store, partition, epoch).await,
        PartitionChange::Open { partition, epoch, settings, ref replicas } => {
            let delayed = |reason| {
                mailbox.push(ShardEvent::OpeningDelayed { partition, reason });
                true
            };
            let learner = Learner::new(partition, Dedup::new(dedup_config(&settings), key));
            let opened = open_when_there(store, (learner, epoch), delayed).await;
            let opened = opened.unwrap_or_else(|| Err(StoreError::new("it was given up")));
            match (opened, replicas) {
                (Ok(opened), Some(_)) => {
                    let lineage = find_lineage(&opened.opened).await;
                    lineage.map(|lineage| OpenedLog { lineage, ..opened })
                }
                (opened, _) => opened,
            }
        }
        PartitionChange::Configure { .. }
        | PartitionChange::FollowAnother { .. }
        | PartitionChange::SetReplicas { .. }
        | PartitionChange::Release { .. }
        | PartitionChange::Delete { .. }
        | PartitionChange::OpenSubscription { .. }
        | PartitionChange::Assign { .. }
        | PartitionChange::CloseSubscription { .. } => Err(StoreError::new("it is not to be opened")),
    };
    (change, opened)
}

/// Opens a partition that is to be followed, and learns of which epochs its batches are.
pub(super) async fn open_to_follow(
    store: &AnyStore,
    partition: TopicPartition,
    epoch: LeaderEpoch,
) -> Result<OpenedLog, StoreError> {
    let opened = store.open(partition, epoch).await?;
    let lineage = find_lineage(&opened).await?;
    Ok(OpenedLog { opened, dedup: Dedup::default(), lineage })
}

/// Has partitions let go of what they need not keep, several at a time, and tells which of them start elsewhere now.
pub(super) fn retain(
    partitions: Vec<((TopicPartition, u64), AnyPartition, Retention, Offset)>,
    now: Timestamp,
    mailbox: Mailbox<ShardEvent>,
) {
    glommio::spawn_local(async move {
        let retain = async |(place, store, keep, start): (_, AnyPartition, _, _)| {
            let event = match store.retain(now, keep).await {
                Ok(now) if now == start => None,
                Ok(now) => Some(StoreEvent::Start(now)),
                Err(error) => Some(StoreEvent::Failed(error)),
            };
            (place, event)
        };
        let mut partitions = partitions.into_iter();
        let mut retaining = FuturesUnordered::new();
        loop {
            while retaining.len() < limits::RETENTIONS_MAX {
                let Some(partition) = partitions.next() else { break };
                retaining.push(retain(partition));
            }
            let Some(((partition, opening), event)) = retaining.next().await else { break };
            if let Some(event) = event {
                mailbox.push(ShardEvent::Stored { partition, opening, event });
            }
            // Most have nothing to do, and ten thousand of them take a while all the same.
            yield_if_needed().await;
        }
        mailbox.push(ShardEvent::RetentionDone);
    })
    .detach();
}
