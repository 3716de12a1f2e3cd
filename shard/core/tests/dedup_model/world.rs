//! A partition's appender over a store that takes, rejects, fails and forgets nothing it has taken.

use std::{collections::BTreeMap, convert::Infallible};

use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, Producer, RecordBatch, UnassignedBatch},
    },
    log::{
        AppendConfig, AppendEffect, AppendError, AppendEvent, Appender, Dedup, DedupConfig, DedupRebuild, FlushPolicy,
        LogExtent, Place, Placed, Reached,
    },
    model::{LeaderEpoch, Monotonic, Offset, OffsetRange, RequestId, Timestamp},
};

use crate::model::{Logged, Model};

const WINDOW_MS: u64 = 50;
const KEY: [u8; 16] = [3; 16];

/// What is published at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    /// Messages with the ids their publisher gave, if any.
    Messages(Vec<Option<u64>>),
    /// Numbered messages of a producer.
    Batch { producer: u64, epoch: u16, first_sequence: u32, count: u32 },
}

/// A core or a driver that does not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Recognises only what is stored.
    ForgetInFlight,
    /// Answers a repeat at once, whether or not the first try is stored.
    AnswerBeforeStored,
    WindowTooShort,
    WindowTooLong,
    /// Learns nothing from the log after a crash.
    NotRebuilt,
    /// Learns nothing from the log after the store was away.
    NotCaughtUp,
    /// Goes on counting what the store did not take.
    KeepRejected,
}

/// What a run has met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Repeats of what was stored, of what was in flight, of both or of only a part.
    pub(crate) known: u64,
    pub(crate) joined: u64,
    pub(crate) mixed: u64,
    pub(crate) refused: u64,
    pub(crate) rejected: u64,
    /// Repeats of what was learned from the log.
    pub(crate) learned: u64,
}

pub(crate) struct World {
    mutant: Option<Mutant>,
    appender: Appender,
    model: Model,
    store: Vec<RecordBatch>,
    in_flight: Vec<RecordBatch>,
    expected: BTreeMap<u64, Vec<Place>>,
    next_request: u64,
    now: i64,
    /// What lies below was learned from the log.
    learned_to: u64,
    pub(crate) counts: Counts,
}

impl Publish {
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Messages(ids) => u64::try_from(ids.len()).unwrap(),
            Self::Batch { count, .. } => u64::from(*count),
        }
    }

    /// Where the message of that id is, if this is at `base`.
    pub(crate) fn offset_of(&self, base: u64, wanted: u64) -> Option<u64> {
        let Self::Messages(ids) = self else { return None };
        ids.iter().position(|id| *id == Some(wanted)).map(|at| base + u64::try_from(at).unwrap())
    }
}

impl Mutant {
    pub(crate) const ALL: [Self; 7] = [
        Self::ForgetInFlight,
        Self::AnswerBeforeStored,
        Self::WindowTooShort,
        Self::WindowTooLong,
        Self::NotRebuilt,
        Self::NotCaughtUp,
        Self::KeepRejected,
    ];
}

impl Counts {
    pub(crate) const fn add(&mut self, other: Self) {
        self.known += other.known;
        self.joined += other.joined;
        self.mixed += other.mixed;
        self.refused += other.refused;
        self.rejected += other.rejected;
        self.learned += other.learned;
    }
}

impl World {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        let config = config(mutant);
        let appender = Appender::open(LeaderEpoch::new(1), config, LogExtent::default());
        let appender = appender.remembering(Dedup::new(config.dedup, KEY), Reached::Disk);
        Self {
            mutant,
            appender,
            model: Model::default(),
            store: Vec::new(),
            in_flight: Vec::new(),
            expected: BTreeMap::new(),
            next_request: 0,
            now: 1_000,
            learned_to: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn publish(&mut self, publish: &Publish) {
        self.next_request += 1;
        let request = RequestId::new(self.next_request);
        let (now, stored_end) = (self.now, self.stored_end());
        let window = i64::try_from(WINDOW_MS).unwrap();
        let expected = self.model.admit(publish, (now, window), stored_end);
        let told = self.appender.append(Timestamp::from_millis(now), request, batch(publish));
        match (expected, told) {
            (Ok(places), Ok(first)) => {
                assert_eq!(places[0].offset, first, "{publish:?} at {now}");
                self.count(&places, stored_end);
                let repeated = places.iter().any(|place| place.repeat);
                if self.mutant == Some(Mutant::AnswerBeforeStored) && repeated {
                    self.check_stored(&places);
                }
                self.expected.insert(request.get(), places);
            }
            (Err(expected), Err(AppendError::Producer(refusal))) => {
                self.counts.refused += 1;
                assert_eq!(refusal, expected, "{publish:?}");
            }
            (expected, told) => panic!("{publish:?} at {now}: {told:?}, not {expected:?}"),
        }
        if self.mutant == Some(Mutant::ForgetInFlight) {
            self.change_dedup(|dedup| dedup.roll_back(Offset::new(stored_end)));
        }
        self.poll();
    }

    /// The append in flight ends well.
    pub(crate) fn complete(&mut self) {
        if !self.in_flight.is_empty() {
            self.store.append(&mut self.in_flight);
            self.appender.on_event(Monotonic::default(), AppendEvent::Appended { reached: Reached::Disk });
        }
        self.poll();
    }

    /// The store does not take the append in flight.
    pub(crate) fn reject(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        self.in_flight.clear();
        self.counts.rejected += 1;
        let keeps = self.mutant == Some(Mutant::KeepRejected);
        let kept = keeps.then(|| self.appender.take_dedup());
        self.appender.on_event(Monotonic::default(), AppendEvent::Rejected { reason: String::new() });
        if let Some(kept) = kept {
            self.change_dedup(|dedup| *dedup = kept);
        }
        self.forget_unstored();
        self.poll();
    }

    /// The store is away in the middle of an append, of which it has taken some batches; then it is back.
    pub(crate) fn fail(&mut self, taken: u64) {
        self.appender.on_event(Monotonic::default(), AppendEvent::Failed { reason: String::new() });
        self.poll();
        assert!(self.expected.is_empty(), "nobody waits for a store that is away");
        let known_to = self.stored_end();
        self.take_of_flight(taken);
        self.forget_unstored();
        let mut dedup = self.appender.take_dedup();
        if self.mutant != Some(Mutant::NotCaughtUp) {
            dedup = self.learn(dedup, known_to);
        }
        self.appender.reopen(self.extent(), dedup);
        self.poll();
    }

    /// The process ends in the middle of an append, of which the store has taken some batches; a new one begins.
    pub(crate) fn crash(&mut self, taken: u64) {
        self.expected.clear();
        self.take_of_flight(taken);
        self.forget_unstored();
        let (config, extent) = (config(self.mutant), self.extent());
        let mut dedup = Dedup::new(config.dedup, KEY);
        let since = DedupRebuild::since(&dedup, &extent, Timestamp::from_millis(self.now));
        let from = since.map_or(self.stored_end(), |since| {
            let first = self.store.iter().find(|batch| batch.header().last_timestamp() >= since);
            first.map_or(self.stored_end(), |batch| batch.offsets().start.get())
        });
        if self.mutant != Some(Mutant::NotRebuilt) {
            dedup = self.learn(dedup, from);
        }
        self.model.remembered_from = self.model.remembered_from.max(from);
        self.learned_to = self.stored_end();
        self.appender = Appender::open(LeaderEpoch::new(2), config, extent).remembering(dedup, Reached::Disk);
        self.poll();
    }

    pub(crate) fn advance(&mut self, millis: u64) {
        self.now += i64::try_from(millis).unwrap();
        self.appender.forget_expired(Timestamp::from_millis(self.now), 100);
    }

    /// Lets everything end.
    pub(crate) fn settle(&mut self) {
        while !self.in_flight.is_empty() {
            self.complete();
        }
        assert!(self.expected.is_empty(), "{:?} were never answered", self.expected);
        assert!(self.appender.is_idle());
    }

    /// No id is there twice within the window.
    pub(crate) fn check_log(&self) {
        let mut last = BTreeMap::new();
        for batch in self.store.iter().filter(|batch| batch.header().producer.is_none()) {
            let taken = batch.header().base_timestamp.as_millis();
            let visited = batch.for_each_record(|record| {
                let MessageId::Text(id) = record.head.id else { return };
                let before = last.insert(id.to_owned(), taken);
                let window = i64::try_from(WINDOW_MS).unwrap();
                assert!(before.is_none_or(|before| before + window <= taken), "{id} is there twice");
            });
            visited.unwrap();
        }
    }

    pub(crate) fn next_of(&self, producer: u64) -> (u16, u32) {
        // Close to the end of the circle, so that sequences go round.
        self.model.next_of(producer).unwrap_or((1, u32::MAX - 3))
    }

    fn poll(&mut self) {
        while let Some(effect) = self.appender.poll_effect() {
            match effect {
                AppendEffect::Append { batches, .. } => self.in_flight = batches,
                AppendEffect::Acknowledge { request, placed, reached, .. } => {
                    assert_eq!(reached, Reached::Disk);
                    let expected = self.expected.remove(&request.get()).unwrap();
                    self.check_stored(&expected);
                    let Placed { base_offset, repeats } = placed;
                    let place = |ordinal| repeats.place(base_offset, u64::try_from(ordinal).unwrap());
                    assert_eq!((0..expected.len()).map(place).collect::<Vec<_>>(), expected);
                }
                AppendEffect::Refuse { request, .. } => {
                    self.expected.remove(&request.get()).unwrap();
                }
                AppendEffect::Undecided { .. } => panic!("there are no other replicas"),
                AppendEffect::Dropped { .. } => panic!("everybody waits to hear of it"),
                AppendEffect::Sync | AppendEffect::HighWatermark(_) => {}
            }
        }
    }

    fn check_stored(&self, places: &[Place]) {
        let stored_end = self.stored_end();
        assert!(places.iter().all(|place| place.offset.get() < stored_end), "{places:?} are not stored");
    }

    fn count(&mut self, places: &[Place], stored_end: u64) {
        let repeats = places.iter().filter(|place| place.repeat);
        let in_flight = repeats.clone().filter(|place| place.offset.get() >= stored_end).count();
        let learned = repeats.clone().any(|place| place.offset.get() < self.learned_to);
        match (repeats.count(), in_flight) {
            (0, _) => {}
            (repeats, 0) if repeats == places.len() => self.counts.known += 1,
            (repeats, in_flight) if repeats == in_flight && repeats == places.len() => self.counts.joined += 1,
            _ => self.counts.mixed += 1,
        }
        self.counts.learned += u64::from(learned);
    }

    fn stored_end(&self) -> u64 {
        self.store.last().map_or(0, |batch| batch.offsets().end.get())
    }

    fn extent(&self) -> LogExtent {
        let newest = self.store.last().map(|batch| batch.header().last_timestamp()).unwrap_or_default();
        LogExtent { start: Offset::ZERO, end: Offset::new(self.stored_end()), newest }
    }

    fn take_of_flight(&mut self, taken: u64) {
        let taken = usize::try_from(taken).unwrap();
        self.store.extend(std::mem::take(&mut self.in_flight).into_iter().take(taken));
    }

    fn forget_unstored(&mut self) {
        let stored_end = self.stored_end();
        self.model.log.retain(|batch: &Logged| batch.end() <= stored_end);
    }

    /// Reads the log from `from` on, a batch at a time.
    fn learn(&self, dedup: Dedup, from: u64) -> Dedup {
        let wanted = OffsetRange::new(Offset::new(from), Offset::new(self.stored_end()));
        let mut rebuild = DedupRebuild::new(dedup, wanted);
        while let Some(wanted) = rebuild.wanted() {
            let batch = self.store.iter().find(|batch| batch.offsets().end > wanted.start);
            let batch = batch.filter(|batch| batch.offsets().start < wanted.end);
            rebuild.take(batch.map(std::slice::from_ref).unwrap_or_default());
        }
        rebuild.finish()
    }

    fn change_dedup(&mut self, change: impl FnOnce(&mut Dedup)) {
        let stand_in = Appender::open(LeaderEpoch::new(9), config(None), LogExtent::default());
        let mut appender = std::mem::replace(&mut self.appender, stand_in);
        let mut dedup = appender.take_dedup();
        change(&mut dedup);
        self.appender = appender.remembering(dedup, Reached::Disk);
    }
}

fn config(mutant: Option<Mutant>) -> AppendConfig {
    let window_ms = match mutant {
        Some(Mutant::WindowTooShort) => WINDOW_MS - 1,
        Some(Mutant::WindowTooLong) => WINDOW_MS + 1,
        _ => WINDOW_MS,
    };
    let dedup = DedupConfig { window_ms, bytes_max: 1 << 20 };
    AppendConfig { flush: FlushPolicy::Always, unflushed_bytes_max: 1 << 20, dedup }
}

fn batch(publish: &Publish) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    let mut push = |id: MessageId<'_>| {
        let head =
            RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
    };
    match publish {
        Publish::Messages(ids) => {
            for id in ids {
                match id {
                    Some(id) => push(MessageId::Text(&format!("id-{id}"))),
                    None => push(MessageId::Uuid([1; 16])),
                }
            }
            builder.finish(Codec::None, None).unwrap()
        }
        Publish::Batch { producer, epoch, first_sequence, count } => {
            // Ids of a producer's batch are names only: they may be there before.
            (0..*count).for_each(|_| push(MessageId::Text("id-1")));
            let (id, epoch, first_sequence) = (*producer, *epoch, *first_sequence);
            builder.finish(Codec::None, Some(Producer { id, epoch, first_sequence })).unwrap()
        }
    }
}
