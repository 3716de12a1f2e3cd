//! The small tasks beside the loop: each only waits for one thing and puts it into the mailbox.

use std::{cell::Cell, rc::Rc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use glommio::{channels::shared_channel::ConnectedReceiver, timer::sleep};

use crate::{
    command::{PartitionChange, ShardCommand},
    config::ShardConfig,
    event::{Applying, ShardEvent},
    limits,
    mailbox::{Mailbox, OfferError},
    request::Request,
    store::{data_dir, open::open_partition},
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

/// Takes in what the control thread says, one step after the other.
pub(super) fn receive_commands(
    commands: flume::Receiver<ShardCommand>,
    mailbox: Mailbox<ShardEvent>,
    config: ShardConfig,
) {
    glommio::spawn_local(async move {
        while let Ok(command) = commands.recv_async().await {
            match command {
                ShardCommand::Apply { changes, done } => {
                    let applying = Applying::new(done);
                    apply(changes, &applying, &mailbox, &config).await;
                }
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

/// Recovers the partitions that are to be opened, several at a time, and passes the other changes on behind them.
async fn apply(
    changes: Vec<PartitionChange>,
    applying: &Rc<Applying>,
    mailbox: &Mailbox<ShardEvent>,
    config: &ShardConfig,
) {
    let (opens, others): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| matches!(change, PartitionChange::Open { .. }));
    let mut opens = opens.into_iter();
    let mut recovering = FuturesUnordered::new();
    loop {
        while recovering.len() < limits::RECOVERIES_MAX {
            let Some(change) = opens.next() else { break };
            recovering.push(recover(change, config));
        }
        let Some((change, recovered)) = recovering.next().await else { break };
        let recovered = Box::new(recovered);
        mailbox.push(ShardEvent::Opened { change, recovered, applying: Rc::clone(applying) });
    }
    for change in others {
        mailbox.push(ShardEvent::Change { change, applying: Rc::clone(applying) });
    }
}

async fn recover(
    change: PartitionChange,
    config: &ShardConfig,
) -> (PartitionChange, Result<crate::store::open::Recovered, String>) {
    let partition = change.partition();
    let directory = data_dir::partition_dir(&config.data_dir, partition);
    let ends = config.durable_ends.iter().filter(|end| end.partition == partition);
    let durable_end = ends.map(|end| end.durable_end).max().unwrap_or_default();
    (change, open_partition(directory, partition, durable_end).await)
}
