//! Stops of any kind, what a start makes of what they leave, and what must be true of that.

use shard_core::{
    format::offset_index::OffsetIndexFile,
    log::{LogRecovery, RecoveryStep, Segment},
};

use super::{
    Appender, BLOCK, Bytes, KnownLog, Lane, LeaderEpoch, LogExtent, Mutant, Offset, PARTITION, Random, RecoveredLog,
    SegmentEffect, SegmentLog, Stop, World, log_config, scan,
};

impl World {
    /// Stops the node at once and starts it again from what the disk holds.
    pub(crate) fn crash(&mut self, stop: Stop, seed: u64) {
        let mut random = Random::new(seed);
        self.leave_unfinished(&mut random);
        self.disk.stop(stop, &mut random);
        self.counts.crashes += 1;
        self.sealing.clear();
        self.in_flight.clear();
        (self.preparing, self.appending) = (None, None);
        (self.syncing, self.retaining) = (false, false);
        self.expected.clear();
        self.handed_over.clear();
        if random.below(3) == 0 {
            // A crash during the recovery itself: what it mends is torn, and it begins anew.
            self.recover(Some(&mut random));
        }
        let recovered = self.recover(None);
        let again = self.recover(None);
        let ends = |recovered: &RecoveredLog| (recovered.log_start, recovered.log_end, recovered.segments.clone());
        assert_eq!(ends(&again), ends(&recovered), "recovery is idempotent");
        assert!(again.cut.is_none_or(|cut| cut.torn.is_none()), "what was mended is whole");
        self.check(&recovered, stop);
        self.start_again(recovered);
    }

    /// What was about to happen that is neither a write nor a sync may have happened or not.
    fn leave_unfinished(&mut self, random: &mut Random) {
        let happened = random.below(2) == 0;
        match self.in_flight.get(&Lane::Retention) {
            Some(SegmentEffect::NoteStart { .. }) if happened => self.note(),
            Some(&SegmentEffect::Delete { segment }) if happened => self.disk.remove(segment.get()),
            Some(SegmentEffect::SyncDirectory) if happened => self.disk.sync_directory(),
            Some(_) | None => {}
        }
        if let (Some(&SegmentEffect::Undo { segment, length }), true) = (self.in_flight.get(&Lane::Append), happened) {
            self.disk.truncate(segment.get(), length);
        }
    }

    fn start_again(&mut self, recovered: RecoveredLog) {
        self.handed = recovered.segments.iter().map(|segment| (segment.base.get(), segment.end)).collect();
        self.epoch += 1;
        let extent = LogExtent { start: recovered.log_start, end: recovered.log_end, newest: recovered.newest() };
        self.appender = Appender::open(LeaderEpoch::new(self.epoch), self.config, extent);
        self.log = SegmentLog::open(log_config(self.epoch), recovered);
        // The log that was recovered is the log from now on.
        let (start, end) = (extent.start.get(), extent.end.get());
        self.appended.retain(|base, _| *base < end);
        (self.high_watermark, self.start, self.given_up) = (end, start, start);
        (self.acked, self.acked_durable) = (end, end);
    }

    /// Recovers as a driver does; with `random`, it dies while it mends.
    fn recover(&mut self, random: Option<&mut Random>) -> RecoveredLog {
        let known = match self.mutant {
            Some(Mutant::ForgetsStart) => KnownLog { log_start: None, ..self.noted },
            _ => self.noted,
        };
        let bases: Vec<_> = self.disk.segments().into_iter().map(Offset::new).collect();
        for expired in &bases[..known.expired_segments(&bases)] {
            self.disk.remove(expired.get());
        }
        if random.is_none() {
            self.disk.sync_directory();
        }
        let mut recovery = LogRecovery::new(PARTITION, known);
        let segments = self.disk.segments();
        for (at, &base) in segments.iter().enumerate() {
            let following: Vec<_> = segments[at + 1..].iter().map(|&base| Offset::new(base)).collect();
            self.recover_segment(&mut recovery, base, &following);
        }
        let mut recovered = recovery.finish().expect("a crash is not damage");
        if self.mutant == Some(Mutant::TrustsIndex) {
            self.believe_index(&mut recovered);
        }
        if let Some(cut) = recovered.cut.clone() {
            self.counts.torn += u64::from(cut.torn.is_some());
            self.mend(cut.segment.get(), cut.position, random);
            if self.mutant == Some(Mutant::CutsTooFar) && cut.torn.is_some() && cut.position > 8192 {
                let position = cut.position.next_multiple_of(4096) - 4096;
                self.disk.truncate(cut.segment.get(), position);
                return self.recover(None);
            }
        }
        recovered
    }

    fn recover_segment(&mut self, recovery: &mut LogRecovery, base: u64, following: &[Offset]) {
        let file = Bytes::from(self.disk.read(base).unwrap());
        let first_block = &file[..file.len().min(BLOCK)];
        let begun = recovery.begin(Offset::new(base), following.is_empty(), first_block);
        let mut step = begun.expect("a crash is not damage");
        let length = u64::try_from(file.len()).unwrap();
        if let Some(sooner) = recovery.use_index(self.disk.index(base), length, following) {
            self.counts.indexed += 1;
            step = sooner;
        }
        while let RecoveryStep::Read { position, bytes_min } = step {
            let start = usize::try_from(position).unwrap().min(file.len());
            let end = (start + bytes_min.max(5_000)).min(file.len());
            let piece = file.slice(start..end);
            step = recovery.feed(position, piece, end == file.len()).expect("a crash is not damage");
        }
        if step == RecoveryStep::Discard {
            self.disk.remove(base);
            self.disk.sync_directory();
        }
    }

    /// What a mutant does: takes the last segment to end where its index says.
    fn believe_index(&self, recovered: &mut RecoveredLog) {
        let Some(last) = recovered.segments.last_mut() else { return };
        let Ok(index) = OffsetIndexFile::decode(self.disk.index(last.base.get())) else { return };
        recovered.log_end = index.end_offset;
        *last = Segment::from_index(index, last.created);
        if let Some(cut) = &mut recovered.cut {
            cut.position = last.end;
        }
    }

    /// Zeroes what follows `position` in its block and cuts the file behind it.
    fn mend(&mut self, segment: u64, position: u64, random: Option<&mut Random>) {
        let cut = usize::try_from(position).unwrap();
        let block_start = cut / BLOCK * BLOCK;
        let mut block = self.disk.read(segment).unwrap();
        block.resize(block.len().max(block_start + BLOCK), 0);
        let mut block = block[block_start..block_start + BLOCK].to_vec();
        block[cut - block_start..].fill(0);
        let block_position = u64::try_from(block_start).unwrap();
        if let Some(random) = random {
            if cut > block_start {
                self.disk.start(segment, block_position, block);
            }
            self.disk.stop(Stop::PowerCut, random);
            return;
        }
        if cut > block_start {
            self.disk.overwrite(segment, block_position, &block);
        }
        self.disk.truncate(segment, position.next_multiple_of(u64::try_from(BLOCK).unwrap()));
    }

    /// What was acknowledged is there, what is there was appended, and nothing is missing in between.
    fn check(&self, recovered: &RecoveredLog, stop: Stop) {
        let kept = match stop {
            Stop::Kill => self.acked,
            Stop::PowerCut => self.acked_durable,
        };
        let end = recovered.log_end.get();
        assert!(end >= kept, "acknowledged up to {kept}, recovered up to {end}");
        let mut next = recovered.log_start.get();
        assert!(next >= self.start, "what retention gave up stays away: consumers saw {}, now {next}", self.start);
        assert!(next <= self.given_up, "nothing that retention keeps is gone");
        for segment in &recovered.segments {
            assert_eq!(segment.base.get(), next, "no gap between segments");
            let file = self.disk.read(next).unwrap();
            for batch in scan(u64::try_from(BLOCK).unwrap(), &file[BLOCK..]) {
                assert_eq!(Some(&batch), self.appended.get(&next), "what is there was appended there");
                next = batch.offsets().end.get();
            }
        }
        assert_eq!(next, end, "the log is dense to its end");
    }
}
