//! Followers that are not in sync are sent what they lack at a bounded rate: publishers wait for those in sync, on the same
//! disks.

use std::{num::NonZeroU64, time::Duration};

use glommio::timer::sleep;
use shard_core::{
    format::record_batch::RecordBatch,
    model::{Monotonic, TopicPartition},
    replication::CatchUpBudget,
};

use super::Shard;
use crate::{event::ShardEvent, partition::Partition, replication::PeerKey};

/// What this core may send them.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) budget: CatchUpBudget,
    /// Whether `ShardEvent::CatchUpDue` is on its way.
    is_armed: bool,
}

impl CatchUp {
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { budget: CatchUpBudget::new(rate), is_armed: false }
    }
}

impl Shard {
    /// Whether a node has less of a partition than those in sync.
    pub(super) fn catches_up(&mut self, node: u64, partition: TopicPartition) -> bool {
        self.leading(partition).is_some_and(|leading| !leading.leader.replicas().isr.contains(&node))
    }

    /// Keeps something back, if too much was sent; whether it did.
    pub(super) fn hold(&mut self, now: Monotonic, (key, partition): (PeerKey, TopicPartition)) -> bool {
        let wait = self.catch_up.budget.wait(now);
        if wait.is_zero() {
            return false;
        }
        if let Some(peer) = self.sessions.get_mut(key) {
            peer.session.hold(partition);
        }
        if !std::mem::replace(&mut self.catch_up.is_armed, true) {
            let mailbox = self.mailbox.clone();
            glommio::spawn_local(async move {
                // Rounded up, so that the time has come when the event does.
                sleep(wait + Duration::from_millis(1)).await;
                mailbox.push(ShardEvent::CatchUpDue);
            })
            .detach();
        }
        true
    }

    /// Those that are not in sync lack these batches too.
    pub(super) fn note_lacking(&mut self, open: &Partition, batches: &[RecordBatch]) {
        let Some(leading) = &open.leading else { return };
        let replicas = leading.leader.replicas();
        let behind = replicas.replicas.len().saturating_sub(replicas.isr.len());
        if behind > 0 {
            let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
            self.catch_up.budget.credit(bytes.saturating_mul(behind));
        }
    }

    /// More may be sent.
    pub(super) fn on_catch_up_due(&mut self) {
        self.catch_up.is_armed = false;
        self.sessions.release_held();
    }
}
