//! A leader as its driver runs it: what the cores want is done, and what came of it is told to them.

use bytes::Bytes;
use shard_core::{
    log::{AppendConfig, AppendEffect, AppendEvent, Appender, Dedup, DedupConfig, DedupRebuild, Fate, FlushPolicy},
    log::{LogExtent, Reached},
    model::{LeaderEpoch, Offset, OffsetRange, RequestId, Timestamp, TopicId},
    replication::{CursorFeed, CursorNews, FetchAnswer, FetchPosition, FetchVerdict, Fetched, NodeRun},
    replication::{Leader, LeaderEffect, ProposalEnd, ReplicaSet},
};

use super::{
    events::{Done, Message, Undecided, Waiter},
    mutant::Mutant,
    node::monotonic,
    replica::Role,
    world::World,
};
use crate::metadata::{self, Command, NodeId, PartitionTarget, PartitionTransition, TransitionRefusal};

const DEDUP: DedupConfig = DedupConfig { window_ms: 600_000, bytes_max: 1 << 20 };
/// How many batches a fetch is answered with.
const FETCH_BATCHES: usize = 3;
/// How long a leader waits to hear of what it has proposed.
const PATIENCE_MS: u64 = 600;

/// A partition that is led here.
#[derive(Debug)]
pub(super) struct Leading {
    pub(super) core: Leader,
    /// Once it is in office.
    pub(super) appender: Option<Appender>,
    feed: CursorFeed,
    /// The cursor as it is here, safe or not, and which changes made it so and are not committed.
    pub(super) cursor: u64,
    uncommitted: Vec<(u64, u64)>,
    /// The proposal under way, and until when it is waited for.
    proposal: Option<Proposed>,
}

/// What a leader has proposed.
#[derive(Clone, Copy, Debug)]
struct Proposed {
    number: u64,
    partition_epoch: u32,
    until: u64,
}

impl Leading {
    pub(super) fn new(core: Leader, cursor: u64) -> Self {
        let feed = CursorFeed::default();
        Self { core, appender: None, feed, cursor, uncommitted: Vec::new(), proposal: None }
    }
}

impl World {
    /// Does all that the cores of a leader want done.
    pub(super) fn lead_on(&mut self, place: usize, partition: usize) {
        while let Some(leading) = self.leading(place, partition) {
            let effects = leading.core.take_effects();
            let appends = leading.appender.as_mut().and_then(Appender::poll_effect);
            if effects.is_empty() && appends.is_none() {
                return;
            }
            for effect in effects {
                match effect {
                    LeaderEffect::Committed { high_watermark, cursors } => {
                        self.committed(place, partition, high_watermark, cursors);
                    }
                    LeaderEffect::ProposeIsr { partition_epoch, isr, joining } => {
                        self.propose_isr(place, partition, (partition_epoch, isr, joining));
                    }
                }
            }
            if let Some(effect) = appends {
                self.append_effect(place, partition, effect);
            }
        }
    }

    fn committed(&mut self, place: usize, partition: usize, high_watermark: Offset, cursors: u64) {
        self.note_committed(place, partition, high_watermark);
        self.nodes[place].disks[partition].checkpoint = high_watermark;
        let Some(leading) = self.leading(place, partition) else { return };
        let done: Vec<(u64, u64)> = leading.uncommitted.extract_if(.., |(change, _)| *change <= cursors).collect();
        match &mut leading.appender {
            Some(appender) => appender.on_committed(high_watermark),
            None if leading.core.is_in_office() => self.open_appender(place, partition),
            None => {}
        }
        for (_, value) in done {
            self.note_cursor(partition, value);
        }
    }

    pub(super) fn open_appender(&mut self, place: usize, partition: usize) {
        let disk = &self.nodes[place].disks[partition];
        let newest = disk.batches().last().map_or_else(Timestamp::default, |batch| batch.header().last_timestamp());
        let extent = LogExtent { start: disk.start(), end: disk.synced_end(), newest };
        self.oracles[partition].note_let_go(extent.start);
        let mut rebuild = DedupRebuild::new(Dedup::new(DEDUP, [7; 16]), OffsetRange::new(extent.start, extent.end));
        while let Some(wanted) = rebuild.wanted() {
            rebuild.take(&disk.read(wanted.start, wanted.end, usize::MAX));
        }
        while rebuild.settle() {}
        let config = AppendConfig { flush: FlushPolicy::Always, unflushed_bytes_max: 1 << 20, dedup: DEDUP };
        let Some(leading) = self.leading(place, partition) else { return };
        assert!(leading.core.end() == extent.end, "nothing is appended before the leader is in office");
        let appender = Appender::open(leading.core.epoch(), config, extent);
        let appender = appender.remembering(rebuild.finish(), Reached::Disk).replicated();
        leading.appender = Some(appender);
    }

    fn append_effect(&mut self, place: usize, partition: usize, effect: AppendEffect) {
        match effect {
            AppendEffect::Append { batches, durable } => {
                assert!(durable, "every append is synced");
                let is_full = self.nodes[place].full_until > self.now;
                // Room for it may have been set aside.
                let is_ahead = self.random.once_in(2);
                // With a copy that is lost elsewhere it would be one more than the promise bears.
                let fails = !self.healing && self.random.once_in(300) && !self.is_lost_elsewhere(place, partition);
                if is_full && !is_ahead {
                    return self.on_disk(place, partition, Done::Rejected);
                }
                let disk = &mut self.nodes[place].disks[partition];
                disk.write(batches);
                let end = disk.end();
                if is_ahead {
                    self.send_ahead(place, partition, end);
                    if self.mutant == Some(Mutant::TakesBackWhatWasSent) && self.random.once_in(20) {
                        return self.on_disk(place, partition, Done::Rejected);
                    }
                }
                if self.mutant == Some(Mutant::AcksBeforeSync) {
                    self.on_disk(place, partition, Done::Late(end));
                    self.appended(place, partition, end);
                } else {
                    self.on_disk(place, partition, if fails { Done::Failed } else { Done::Appended(end) });
                }
            }
            AppendEffect::Acknowledge { request, placed, .. } => self.acknowledge(place, partition, request, placed),
            AppendEffect::Refuse { request, fate } => self.refuse(place, request, fate),
            AppendEffect::Undecided { request, placed, end, .. } => {
                let epoch = LeaderEpoch::new(self.nodes[place].replicas[partition].epoch);
                self.leave_undecided(place, request, Undecided { epoch, end, placed });
            }
            AppendEffect::Sync | AppendEffect::HighWatermark(_) | AppendEffect::Dropped { .. } => {}
        }
    }

    /// Followers are sent what is on its way to the disk.
    fn send_ahead(&mut self, place: usize, partition: usize, end: Offset) {
        let takes_back = self.mutant == Some(Mutant::TakesBackWhatWasSent);
        self.counts.sent_ahead += 1;
        let Some(leading) = self.leading(place, partition) else { return };
        leading.core.on_sent_ahead(end);
        if let Some(appender) = leading.appender.as_mut().filter(|_| !takes_back) {
            appender.on_sent_ahead();
        }
    }

    fn appended(&mut self, place: usize, partition: usize, end: Offset) {
        let now = monotonic(self.now);
        let Some(leading) = self.leading(place, partition) else { return };
        if let Some(appender) = &mut leading.appender {
            appender.on_event(now, AppendEvent::Appended { reached: Reached::Disk });
        }
        leading.core.on_synced(now, end);
        self.lead_on(place, partition);
    }

    pub(super) fn done_for_leader(&mut self, place: usize, partition: usize, done: Done) {
        let now = monotonic(self.now);
        let reason = "the disk said so".to_owned();
        match done {
            Done::Appended(end) => {
                self.nodes[place].disks[partition].sync_to(end);
                return self.appended(place, partition, end);
            }
            Done::Late(end) => return self.nodes[place].disks[partition].sync_to(end),
            Done::Rejected => {
                let synced_end = self.nodes[place].disks[partition].synced_end();
                self.nodes[place].disks[partition].truncate(synced_end);
                self.tell_appender(place, partition, AppendEvent::Rejected { reason });
            }
            Done::Failed => {
                self.counts.io_errors += 1;
                self.nodes[place].disks[partition].settle(&mut self.random);
                self.tell_appender(place, partition, AppendEvent::Failed { reason });
                self.lead_on(place, partition);
                self.give_up_appends(place, partition);
                self.nodes[place].replicas[partition].role = Role::Failed;
            }
            Done::Cursors { change, value } => {
                let disk = &mut self.nodes[place].disks[partition];
                disk.cursor_synced = disk.cursor_synced.max(value);
                let Some(leading) = self.leading(place, partition) else { return };
                leading.core.on_cursors_synced(now, change);
            }
            Done::Stored | Done::Cut(_) | Done::Restarted(_) => {}
        }
        self.lead_on(place, partition);
    }

    fn tell_appender(&mut self, place: usize, partition: usize, event: AppendEvent) {
        let now = monotonic(self.now);
        let appender = self.leading(place, partition).and_then(|leading| leading.appender.as_mut());
        if let Some(appender) = appender {
            appender.on_event(now, event);
        }
    }

    /// What waits for others to store it too may be there, or not.
    pub(super) fn give_up_appends(&mut self, place: usize, partition: usize) {
        if let Some(appender) = self.leading(place, partition).and_then(|leading| leading.appender.as_mut()) {
            appender.give_up_uncommitted();
        }
        self.lead_on(place, partition);
    }

    /// A consumer has done with what lies below `end`.
    pub(super) fn move_cursor(&mut self, place: usize, partition: usize, end: u64) {
        let Some(leading) = self.leading(place, partition).filter(|leading| leading.appender.is_some()) else { return };
        if end <= leading.cursor {
            return;
        }
        leading.cursor = end;
        let change = leading.feed.push(Bytes::copy_from_slice(&end.to_le_bytes()));
        leading.uncommitted.push((change, end));
        self.nodes[place].disks[partition].cursor = end;
        self.on_disk(place, partition, Done::Cursors { change, value: end });
    }

    /// A follower fetches.
    pub(super) fn answer_fetch(
        &mut self,
        place: usize,
        partition: usize,
        (by, number): (usize, u64),
        (run, position): (NodeRun, FetchPosition),
    ) {
        let now = monotonic(self.now);
        let epoch = position.leader_epoch;
        let run = if self.mutant == Some(Mutant::NoNodeEpochCheck) { NodeRun { epoch: 1, ..run } } else { run };
        let (mut fetched, mut cursor) = (Fetched { batches: Vec::new(), cursors: None }, 0);
        let answer = match self.leading(place, partition) {
            None => FetchAnswer::Refused(shard_core::replication::FetchRefusal::NotLeader),
            Some(leading) => match leading.core.on_fetch(now, run, position) {
                Err(refusal) => FetchAnswer::Refused(refusal),
                Ok(FetchVerdict::Diverged(end)) => FetchAnswer::Diverged(end),
                Ok(FetchVerdict::Behind(start)) => FetchAnswer::Behind(start),
                Ok(FetchVerdict::Follows) => {
                    let (high_watermark, log_start) = (leading.core.high_watermark(), leading.core.log_start());
                    let news = leading.feed.since(position.cursors);
                    fetched.cursors = (news != CursorNews::None).then(|| leading.feed.newest());
                    cursor = leading.cursor;
                    let end = leading.core.tail();
                    fetched.batches = self.nodes[place].disks[partition].read(position.end, end, FETCH_BATCHES);
                    FetchAnswer::Follows { high_watermark, log_start }
                }
            },
        };
        self.counts.fenced_fetches += u64::from(matches!(answer, FetchAnswer::Refused(_)));
        self.send(place, by, Message::Fetched { partition, number, epoch, answer, fetched, cursor });
        self.lead_on(place, partition);
        self.check_members(partition);
    }
}

impl World {
    fn propose_isr(
        &mut self,
        place: usize,
        partition: usize,
        (partition_epoch, isr, joining): (u32, Vec<u64>, Vec<NodeRun>),
    ) {
        let (mutant, until, now) = (self.mutant, self.now + PATIENCE_MS, monotonic(self.now));
        let number = self.next_number();
        let Some(leading) = self.leading(place, partition) else { return };
        leading.proposal = Some(Proposed { number, partition_epoch, until });
        let epoch = leading.core.epoch();
        if mutant == Some(Mutant::ShrinksBeforeCommit) && joining.is_empty() {
            let set = ReplicaSet { isr: isr.clone(), ..leading.core.replicas().clone() };
            leading.core.on_replicas(now, set);
        }
        let joining = joining.iter().map(|run| metadata::NodeRun { node: NodeId::new(run.node), epoch: run.epoch });
        let to = PartitionTarget::InSync {
            isr: isr.iter().map(|node| NodeId::new(*node)).collect(),
            joining: joining.collect(),
        };
        let waiter = Waiter::Leader { place, partition, number };
        self.propose_change(place, partition, (epoch, partition_epoch, to), waiter);
    }

    /// A node has the leader of the metadata change a partition, if it reaches one.
    pub(super) fn propose_change(
        &mut self,
        place: usize,
        partition: usize,
        (leader_epoch, partition_epoch, to): (LeaderEpoch, u32, PartitionTarget),
        waiter: Waiter,
    ) {
        let Some(leader) = self.log.leader else { return };
        let partition = u32::try_from(partition).unwrap();
        let change = PartitionTransition { topic: TopicId::new(1), partition, leader_epoch, partition_epoch, to };
        let commands = vec![Command::ChangePartitions { changes: vec![change] }];
        // No copy of it may come later than what it came to: it is sent once.
        let event = super::events::Event::Arrive { place: leader, message: Message::Propose { commands, waiter } };
        self.over_the_line(place, leader, event);
    }

    /// What a leader has proposed is done or refused. That it came too late says nothing: an earlier copy may have held.
    pub(super) fn proposal_ended(
        &mut self,
        place: usize,
        partition: usize,
        number: u64,
        refusal: Option<TransitionRefusal>,
    ) {
        let Some(leading) = self.leading(place, partition) else { return };
        let ended = leading.proposal.take_if(|proposed| proposed.number == number);
        let Some(Proposed { partition_epoch, .. }) = ended else { return };
        match refusal {
            None => {}
            Some(TransitionRefusal::Stale { .. }) => {
                leading.core.on_proposal_end(partition_epoch, ProposalEnd::Unknown);
            }
            Some(_) => leading.core.on_proposal_end(partition_epoch, ProposalEnd::Refused),
        }
        self.lead_on(place, partition);
    }

    /// A leader looks who is behind, and whether it has waited in vain.
    pub(super) fn tick_leader(&mut self, place: usize, partition: usize) {
        let now = self.now;
        let Some(leading) = self.leading(place, partition) else { return };
        let late = leading.proposal.take_if(|proposed| proposed.until <= now);
        if let Some(Proposed { partition_epoch, .. }) = late {
            leading.core.on_proposal_end(partition_epoch, ProposalEnd::Unknown);
        }
        leading.core.on_tick(monotonic(now));
        let high_watermark = leading.core.high_watermark();
        let trims = leading.core.is_in_office();
        self.counts.unknown_isr += u64::from(late.is_some());
        if trims && self.random.once_in(60) {
            let start = self.trim(place, partition, high_watermark);
            self.oracles[partition].note_let_go(start);
            let Some(leading) = self.leading(place, partition) else { return };
            leading.core.on_log_start(start);
            if let Some(appender) = &mut leading.appender {
                appender.on_log_start(start);
            }
        }
        self.lead_on(place, partition);
    }

    /// Retention lets go of something that is committed.
    pub(super) fn trim(&mut self, place: usize, partition: usize, high_watermark: Offset) -> Offset {
        let back = self.random.below(30);
        let disk = &mut self.nodes[place].disks[partition];
        let to = Offset::new(high_watermark.get().saturating_sub(back));
        let before = disk.start();
        let start = disk.trim(to);
        self.counts.trimmed += u64::from(start > before);
        start
    }

    fn refuse(&mut self, place: usize, request: RequestId, fate: Fate) {
        self.answer_publisher(place, request, super::events::Answer::Refused(fate));
    }
}
