//! Partitions that this core leads: taking office, what the other replicas have, who is in sync.

use std::time::Duration;

use futures_channel::oneshot;
use shard_core::{
    log::{Acks, AppendConfig, Appender, FlushPolicy},
    model::{LeaderEpoch, TopicPartition},
    replication::{Leader, LeaderConfig, LeaderEffect, ProposalEnd, ReplicaSet},
};

use super::Shard;
use crate::{
    command::{PartitionChange, PartitionSettings},
    event::{Applying, OpenedLog, ShardEvent},
    limits,
    partition::{Partition, Slot},
    replication::{Assuming, IsrProposal, Leading},
    request::PartitionUnavailable,
};

impl Shard {
    /// A partition that several nodes keep was opened, to be led here.
    pub(super) fn begin_to_lead(
        &mut self,
        partition: TopicPartition,
        (epoch, settings, set): (LeaderEpoch, PartitionSettings, ReplicaSet),
        opened: OpenedLog,
    ) {
        let Some(replication) = &self.config.replication else {
            return self.close(partition, "this node does not keep partitions with others".to_owned());
        };
        let extent = opened.opened.found.extent;
        let config = LeaderConfig { node: replication.run.node, epoch, set, lag_max: replication.lag_max };
        let lineage = opened.lineage.clone();
        let leader = Leader::new(self.clock.monotonic(), config, lineage, (extent.start, extent.end));
        let assuming = Assuming { epoch, settings, leading: Leading::new(leader), opened, deferred: Vec::new() };
        self.partitions.insert(partition, Slot::Assuming(Box::new(assuming)));
        self.take_office(partition);
    }

    /// Begins to serve a partition, if all that it began with is committed.
    pub(super) fn take_office(&mut self, partition: TopicPartition) {
        self.perform_assuming(partition);
        match self.partitions.get(&partition) {
            Some(Slot::Assuming(assuming)) if assuming.leading.leader.is_in_office() => {}
            _ => return,
        }
        let Some(Slot::Assuming(assuming)) = self.partitions.remove(&partition) else { return };
        let Assuming { epoch, settings, leading, opened, deferred } = *assuming;
        let OpenedLog { opened, dedup, .. } = opened;
        // What is not synced here is not there for the others.
        let config = AppendConfig { flush: FlushPolicy::Always, ..self.append_config(&settings) };
        let log = Appender::open(epoch, config, opened.found.extent);
        let log = log.remembering(dedup, opened.store.found_reached()).answering(settings.acks).replicated();
        let opening = self.new_opening();
        let mut open = self.opened_partition((partition, opening, log, super::changes::retention(&settings)), opened);
        open.leading = Some(Box::new(leading));
        self.partitions.insert(partition, Slot::Open(Box::new(open)));
        tracing::debug!(%partition, %epoch, "a partition is led here");
        let _ = self.open(partition);
        for change in deferred {
            // Whoever waited for it to be made has been told that it will be.
            let (done, _) = oneshot::channel();
            self.on_change(change, Applying::new(done));
        }
    }

    /// Keeps a change for later if its partition is not served yet; gives it back if it need not wait.
    pub(super) fn defer(&mut self, change: PartitionChange) -> Option<PartitionChange> {
        let can_wait = matches!(
            change,
            PartitionChange::Configure { .. }
                | PartitionChange::OpenSubscription { .. }
                | PartitionChange::Assign { .. }
                | PartitionChange::CloseSubscription { .. }
        );
        match self.partitions.get_mut(&change.partition()) {
            Some(Slot::Assuming(assuming)) if can_wait => {
                assuming.deferred.push(change);
                None
            }
            _ => Some(change),
        }
    }

    /// The metadata have changed who keeps a partition that is led here.
    pub(super) fn on_replicas(&mut self, partition: TopicPartition, set: ReplicaSet) {
        let now = self.clock.monotonic();
        if let Some(leading) = self.leading(partition) {
            leading.leader.on_replicas(now, set);
        }
        self.take_office(partition);
    }

    /// A leader's proposal came to an end, and is not known to hold.
    pub(super) fn on_proposal_end(
        &mut self,
        (partition, epoch): (TopicPartition, LeaderEpoch),
        proposed: (u32, ProposalEnd),
    ) {
        let (partition_epoch, end) = proposed;
        if let Some(leading) = self.leading(partition).filter(|leading| leading.leader.epoch() == epoch) {
            leading.leader.on_proposal_end(partition_epoch, end);
        }
        self.take_office(partition);
    }

    /// Has leaders look for followers that are behind.
    pub(super) fn look_at_followers(&mut self) {
        let now = self.clock.monotonic();
        if now.since(self.followers_seen) < limits::FOLLOWERS_LOOK {
            return;
        }
        self.followers_seen = now;
        let (mut moved, mut lag_messages, mut lag) = (Vec::new(), 0, Duration::ZERO);
        for (&partition, slot) in &mut self.partitions {
            let leader = match slot {
                Slot::Open(open) => open.leading.as_deref_mut().map(|leading| &mut leading.leader),
                Slot::Assuming(assuming) => Some(&mut assuming.leading.leader),
                Slot::Opening(_) | Slot::Closed(_) | Slot::Following(_) => None,
            };
            let Some(leader) = leader else { continue };
            leader.on_tick(now);
            for (_, messages, behind) in leader.lags(now) {
                lag_messages = lag_messages.max(messages);
                lag = lag.max(behind);
            }
            // Most have nothing to do, and there may be thousands.
            if leader.has_effects() {
                moved.push(partition);
            }
        }
        self.metrics.replica_lag_messages.set(lag_messages);
        self.metrics.replica_lag_micros.set(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
        for partition in moved {
            let _ = self.leading(partition);
            self.take_office(partition);
        }
    }

    /// What a partition has that is led here, whether it is served already or not. It is looked at after this turn's events.
    pub(super) fn leading(&mut self, partition: TopicPartition) -> Option<&mut Leading> {
        match self.partitions.get_mut(&partition)? {
            Slot::Open(open) => {
                let leading = open.leading.as_deref_mut()?;
                if !open.touched {
                    open.touched = true;
                    self.touched.push(partition);
                }
                Some(leading)
            }
            Slot::Assuming(assuming) => Some(&mut assuming.leading),
            Slot::Opening(_) | Slot::Closed(_) | Slot::Following(_) => None,
        }
    }

    /// Performs what the leader of a partition that is served wants done.
    pub(super) fn perform_leading(&mut self, open: &mut Partition) {
        let Some(leading) = &mut open.leading else { return };
        for effect in leading.leader.take_effects() {
            match effect {
                LeaderEffect::Committed { high_watermark, .. } => {
                    open.log.on_committed(high_watermark);
                    self.sessions.on_news(open.id);
                }
                LeaderEffect::ProposeIsr { partition_epoch, isr, joining } => {
                    let proposal = Proposal { partition_epoch, isr, joining };
                    self.propose((open.id, leading.leader.epoch()), proposal);
                }
            }
        }
        if let Some(replace) = leading.take_committed_cursors()
            && open.journal.closed().is_none()
        {
            open.journal.on_stored(replace);
        }
    }

    fn perform_assuming(&mut self, partition: TopicPartition) {
        let Some(Slot::Assuming(assuming)) = self.partitions.get_mut(&partition) else { return };
        let epoch = assuming.epoch;
        for effect in assuming.leading.leader.take_effects() {
            match effect {
                // It is looked at whether that is everything.
                LeaderEffect::Committed { .. } => {}
                LeaderEffect::ProposeIsr { partition_epoch, isr, joining } => {
                    self.propose((partition, epoch), Proposal { partition_epoch, isr, joining });
                }
            }
        }
    }

    /// Has the control thread say to the metadata who is in sync.
    fn propose(&self, (partition, leader_epoch): (TopicPartition, LeaderEpoch), proposal: Proposal) {
        let Some(replication) = &self.config.replication else { return };
        let Proposal { partition_epoch, isr, joining } = proposal;
        tracing::debug!(%partition, ?isr, "who is in sync changes");
        let (answer, answered) = oneshot::channel();
        let proposal = IsrProposal { partition, leader_epoch, partition_epoch, isr, joining, answer };
        let is_sent = replication.proposals.try_send(proposal).is_ok();
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            // Too many are waiting: it is found out again.
            let end = if is_sent { answered.await.ok() } else { Some(ProposalEnd::Refused) };
            if let Some(end) = end {
                let place = (partition, leader_epoch);
                mailbox.push(ShardEvent::ProposalEnded { place, proposed: (partition_epoch, end) });
            }
        })
        .detach();
    }
}

/// What a leader wants to be said.
struct Proposal {
    partition_epoch: u32,
    isr: Vec<u64>,
    joining: Vec<shard_core::replication::NodeRun>,
}

impl Partition {
    /// Whether something new can be committed.
    pub(crate) fn check_replicas(&self) -> Result<(), PartitionUnavailable> {
        let Some(leading) = &self.leading else { return Ok(()) };
        leading.leader.check_sufficient().map_err(|few| PartitionUnavailable::NotEnoughReplicas {
            partition: self.id,
            insync: u32::try_from(few.insync).unwrap_or(u32::MAX),
            needed: few.needed.into(),
        })
    }

    /// Publishers hear of what they publish when `acks` says.
    pub(crate) fn set_acks(&mut self, acks: Acks) {
        self.log.set_acks(acks);
    }
}
