//! What performs effects in this world: starts them on the disk, completes them in any order.

use super::{
    AppendEffect, AppendEvent, Duration, Fate, Lane, Monotonic, Mutant, Placed, Reached, SegmentEffect, SegmentEvent,
    Step, World,
};

impl World {
    /// Performs what the cores want, as far as it can be started.
    pub(crate) fn poll(&mut self) {
        loop {
            while let Some(effect) = self.appender.poll_effect() {
                self.perform_append(effect);
            }
            let mut started = false;
            for lane in [Lane::Append, Lane::Sync, Lane::Retention, Lane::Upkeep] {
                started |= !self.in_flight.contains_key(&lane) && self.poll_lane(lane);
            }
            if !started {
                return;
            }
        }
    }

    /// Completes one of the operations in flight; returns whether there was one.
    pub(crate) fn complete(&mut self, pick: usize) -> bool {
        let mut in_flight: Vec<_> = self.in_flight.keys().map(|&lane| Some(lane)).collect();
        in_flight.extend(self.preparing.map(|_| None));
        in_flight.extend(self.sealing.front().map(|_| Some(Lane::Upkeep)));
        let Some(&operation) = in_flight.get(pick % in_flight.len().max(1)) else { return false };
        let event = match operation {
            None => {
                let (segment, position) = self.preparing.take().unwrap();
                self.disk.complete(segment, position, true);
                SegmentEvent::Prepared
            }
            Some(Lane::Upkeep) => {
                let (segment, length, index) = self.sealing.pop_front().unwrap();
                self.disk.seal(segment, length);
                self.disk.write_index(segment, index);
                SegmentEvent::Sealed
            }
            Some(lane) => {
                let effect = self.in_flight.remove(&lane).unwrap();
                self.end(&effect)
            }
        };
        self.store_event(event);
        true
    }

    pub(super) fn perform_append(&mut self, effect: AppendEffect) {
        match effect {
            AppendEffect::Append { batches, durable } => {
                self.log.begin_append(&batches, durable);
                for batch in &batches {
                    self.handed_over.insert(batch.offsets().start.get());
                    self.appended.insert(batch.offsets().start.get(), batch.clone());
                }
                assert!(self.appending.replace(batches).is_none(), "one append at a time");
            }
            AppendEffect::Sync => {
                self.log.begin_sync();
                assert!(!std::mem::replace(&mut self.syncing, true), "one sync at a time");
            }
            AppendEffect::Acknowledge { request, placed: Placed { base_offset, .. }, reached, .. } => {
                self.acknowledged(request, base_offset.get(), reached);
            }
            AppendEffect::Refuse { request, fate } => {
                let base = *self.expected.iter().find(|(_, waiting)| waiting.0 == request).expect("answered once").0;
                self.expected.remove(&base);
                let handed_over = self.handed_over.remove(&base);
                assert!(fate == Fate::Unknown || !handed_over, "nobody knows what became of it");
            }
            AppendEffect::Undecided { .. } => panic!("there are no other replicas"),
            AppendEffect::Dropped { .. } => panic!("everybody waits to hear of it"),
            AppendEffect::HighWatermark(offset) => {
                assert!(offset.get() >= self.high_watermark, "the high watermark never falls");
                assert!(offset.get() <= self.acked, "consumers see what was acknowledged");
                self.high_watermark = offset.get();
            }
        }
    }

    /// Tells the appender, which is polled after that.
    pub(super) fn append_event(&mut self, event: AppendEvent) {
        self.appender.on_event(Monotonic::default().plus(Duration::from_millis(1)), event);
    }

    pub(super) fn store_event(&mut self, event: SegmentEvent) {
        self.log.on_event(event);
        self.acked_durable = self.acked_durable.max(self.log.durable_end().get().min(self.acked));
        self.poll();
    }

    /// Starts what is next in a lane; returns whether anything happened.
    fn poll_lane(&mut self, lane: Lane) -> bool {
        match self.log.poll(lane) {
            Step::Do(effect) => {
                self.start(lane, effect);
                true
            }
            Step::Wait => false,
            Step::Done => self.on_ended(lane, false),
            Step::Rejected { reason } => self.on_rejected(reason),
            Step::Failed => self.on_ended(lane, true),
        }
    }

    /// An operation has ended: the appender hears of it.
    fn on_ended(&mut self, lane: Lane, failed: bool) -> bool {
        let failure = || AppendEvent::Failed { reason: "EIO".into() };
        match lane {
            Lane::Append => {
                let Some(batches) = self.appending.take() else { return false };
                let end = batches.last().unwrap().offsets().end;
                let reached = if self.log.durable_end() >= end { Reached::Disk } else { Reached::Written };
                self.append_event(if failed { failure() } else { AppendEvent::Appended { reached } });
            }
            Lane::Sync => {
                if !std::mem::take(&mut self.syncing) {
                    return false;
                }
                self.append_event(if failed { failure() } else { AppendEvent::Synced });
            }
            Lane::Retention => {
                if !std::mem::take(&mut self.retaining) {
                    return false;
                }
                self.appender.on_log_start(self.log.log_start());
                let start = self.appender.readable().start.get();
                assert!(start >= self.start, "the start of a log never falls");
                self.start = start;
            }
            Lane::Upkeep => return false,
        }
        true
    }

    /// Nothing of an append is in the store: it is as if it had never been handed over.
    fn on_rejected(&mut self, reason: String) -> bool {
        for batch in self.appending.take().expect("an append is under way") {
            let base = batch.offsets().start.get();
            self.appended.remove(&base);
            self.handed_over.remove(&base);
        }
        self.append_event(AppendEvent::Rejected { reason });
        true
    }

    fn start(&mut self, lane: Lane, effect: SegmentEffect) {
        match &effect {
            SegmentEffect::Create { segment, header } => {
                self.counts.rolls += 1;
                let writes = |effect: &SegmentEffect| matches!(effect, SegmentEffect::Write { .. });
                let at_rest = !self.in_flight.values().any(writes) && self.preparing.is_none();
                assert!(at_rest, "the old segment is at rest");
                self.handed.insert(segment.get(), u64::try_from(header.len()).unwrap());
                self.disk.start(segment.get(), 0, header.clone());
            }
            &SegmentEffect::Prepare { segment, position, length } => {
                assert!(position >= self.handed[&segment.get()], "zeros land on batches");
                self.disk.start(segment.get(), position, vec![0; usize::try_from(length).unwrap()]);
                assert!(self.preparing.replace((segment.get(), position)).is_none());
                return;
            }
            &SegmentEffect::Write { segment, position, padded_bytes, .. } => {
                let creates = |effect: &SegmentEffect| matches!(effect, SegmentEffect::Create { .. });
                assert!(!self.in_flight.values().any(creates), "nothing is written to a segment that is not there");
                assert_eq!(position, self.handed[&segment.get()], "a write begins where the last one ended");
                let mut bytes = Vec::new();
                for batch in self.appending.iter().flatten() {
                    bytes.extend_from_slice(batch.bytes());
                }
                bytes.resize(padded_bytes, 0);
                self.handed.insert(segment.get(), position + u64::try_from(padded_bytes).unwrap());
                self.disk.start(segment.get(), position, bytes);
            }
            SegmentEffect::Sync { segment } => {
                self.disk.start_sync(segment.get());
            }
            SegmentEffect::Undo { .. } => assert!(self.preparing.is_none(), "zeros would land behind the cut"),
            SegmentEffect::Seal { segment, length, index } => {
                self.sealing.push_back((segment.get(), *length, index.clone()));
                return;
            }
            SegmentEffect::NoteStart { start } => {
                assert!(start.get() >= self.given_up, "retention goes on");
                self.given_up = start.get();
            }
            SegmentEffect::Delete { .. } | SegmentEffect::SyncDirectory => {}
        }
        assert!(self.in_flight.insert(lane, effect).is_none(), "one operation of a lane at a time");
    }

    /// Ends an operation on the disk.
    fn end(&mut self, effect: &SegmentEffect) -> SegmentEvent {
        match *effect {
            SegmentEffect::Create { segment, .. } => {
                self.disk.complete(segment.get(), 0, true);
                SegmentEvent::Created
            }
            SegmentEffect::Write { segment, position, durable, .. } => {
                let synced = durable && self.mutant != Some(Mutant::AcknowledgesBeforeSync);
                self.disk.complete(segment.get(), position, synced);
                SegmentEvent::Written
            }
            SegmentEffect::Undo { segment, length } => {
                if self.mutant != Some(Mutant::LeavesWhatHadNoRoom) {
                    self.disk.truncate(segment.get(), length);
                }
                SegmentEvent::Undone
            }
            SegmentEffect::Sync { segment } => {
                self.disk.complete_sync(segment.get());
                SegmentEvent::Synced
            }
            SegmentEffect::NoteStart { .. } => {
                if self.mutant != Some(Mutant::DeletesBeforeNoting) {
                    self.note();
                }
                SegmentEvent::StartNoted { durable: true }
            }
            SegmentEffect::Delete { segment } => {
                self.counts.deleted += 1;
                self.disk.remove(segment.get());
                SegmentEvent::Deleted
            }
            SegmentEffect::SyncDirectory => {
                self.disk.sync_directory();
                SegmentEvent::DirectorySynced
            }
            SegmentEffect::Prepare { .. } | SegmentEffect::Seal { .. } => panic!("{effect:?} has no lane"),
        }
    }
}
