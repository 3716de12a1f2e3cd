//! Recognises what is published a second time, so that a retry is safe: by message id, and by a producer's sequence.
//!
//! What it knows is in the log: after a restart it is learned anew from there, and what the store gave up is forgotten.
//! Batches in flight count as soon as they have their offsets.

mod fact;
mod ids;
mod places;
mod producers;
mod rebuild;

pub use fact::Fact;
pub use places::{Place, Repeats};
pub use producers::ProducerRefusal;
pub use rebuild::DedupRebuild;

use crate::{
    format::record_batch::{Producer, UnassignedBatch},
    limits,
    model::{Offset, Timestamp},
};
use ids::IdWindow;
use producers::Producers;

/// What a partition remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DedupConfig {
    /// For how many milliseconds an id is remembered; 0 is not at all.
    pub window_ms: u64,
    /// How many bytes it may take; the oldest ids are then forgotten before their time.
    pub bytes_max: usize,
}

/// What a partition knows of earlier publishes.
#[derive(Debug, Default)]
pub struct Dedup {
    config: DedupConfig,
    ids: IdWindow,
    producers: Producers,
}

/// Where and when a batch is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendPoint {
    /// The log's time: it never goes back.
    pub now: Timestamp,
    /// The offset of the next record.
    pub log_end: Offset,
    /// Everything below is in the store.
    pub stored_end: Offset,
}

/// What a batch is to those that came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing of it was there before.
    New,
    /// The same producer has sent the very same records before; the first of them is here.
    Repeated(Offset),
    /// Some of its messages were there before, or all; those that are new get the next offsets.
    Partly(Box<[Place]>),
}

impl Dedup {
    /// Knows nothing yet; `key` is secret, so that nobody can choose ids which collide.
    #[must_use]
    pub fn new(config: DedupConfig, key: [u8; 16]) -> Self {
        Self { config, ids: IdWindow::new(config.window_ms, key), producers: Producers::default() }
    }

    /// Takes a new configuration from now on.
    pub fn configure(&mut self, config: DedupConfig) {
        self.config = config;
        self.ids.set_window(config.window_ms);
    }

    /// May take so many bytes from the next batch on.
    pub const fn set_bytes_max(&mut self, bytes_max: usize) {
        self.config.bytes_max = bytes_max;
    }

    /// Takes at most so many bytes now: the oldest ids of the log are forgotten.
    pub fn shrink(&mut self, bytes_max: usize) {
        self.set_bytes_max(bytes_max.min(self.config.bytes_max));
        self.trim(Offset::new(u64::MAX));
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> DedupConfig {
        self.config
    }

    /// Looks a batch up and takes it down: what is new of it will be appended at `at.log_end`. If it is not,
    /// `roll_back` follows.
    ///
    /// # Errors
    /// The producer's sequence does not go on where it was; nothing was taken down.
    pub fn admit(&mut self, batch: &UnassignedBatch, at: AppendPoint) -> Result<Admission, ProducerRefusal> {
        if let Some(producer) = batch.producer() {
            return self.admit_producer(producer, batch.record_count(), at);
        }
        if self.config.window_ms == 0 || batch.given_ids().is_empty() {
            return Ok(Admission::New);
        }
        // More go than come, so that what is over does not pile up.
        let come = batch.given_ids().len();
        self.ids.forget_expired(at.now, come * 2 + limits::DEDUP_FORGET_PER_APPEND_MAX);
        let places = self.place(batch, at);
        self.trim(at.stored_end);
        Ok(places.map_or(Admission::New, Admission::Partly))
    }

    /// Nothing from `end` on is in the log: what was taken down of it is forgotten.
    pub fn roll_back(&mut self, end: Offset) {
        self.ids.roll_back(end);
        self.producers.roll_back(end);
    }

    /// Takes down something that the log holds; facts come in the log's order.
    pub fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Message { id, offset, taken } if self.config.window_ms > 0 => self.ids.learn(id, offset, taken),
            Fact::Message { .. } => {}
            Fact::Batch { producer, record_count, base_offset } => {
                let settled = base_offset.plus(u64::from(record_count));
                self.producers.add(producer, record_count, base_offset, settled);
            }
        }
        self.trim(Offset::new(u64::MAX));
    }

    /// Forgets ids whose time is over, at most so many; returns how many it were.
    pub fn forget_expired(&mut self, now: Timestamp, count_max: usize) -> usize {
        self.ids.forget_expired(now, count_max)
    }

    /// What it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ids.bytes() + self.producers.bytes()
    }

    /// How many ids were forgotten before their time, as there were too many.
    #[must_use]
    pub const fn forgotten_early(&self) -> u64 {
        self.ids.forgotten_early()
    }

    fn admit_producer(
        &mut self,
        producer: Producer,
        record_count: u32,
        at: AppendPoint,
    ) -> Result<Admission, ProducerRefusal> {
        if let Some(known) = self.producers.check(producer, record_count, at.stored_end)? {
            return Ok(Admission::Repeated(known));
        }
        self.producers.add(producer, record_count, at.log_end, at.stored_end);
        Ok(Admission::New)
    }

    /// Finds a place for each message; `None` if all are new, which then lie one behind the other.
    fn place(&mut self, batch: &UnassignedBatch, at: AppendPoint) -> Option<Box<[Place]>> {
        let mut places: Option<Vec<Place>> = None;
        let mut next = at.log_end;
        let mut looked_at = 0;
        for (ordinal, id) in batch.given_ids().iter() {
            // Messages without an id in between are new.
            let between = ordinal - looked_at;
            push_new(&mut places, &mut next, between);
            looked_at = ordinal + 1;
            match self.ids.sight(id, next, at.now) {
                None => push_new(&mut places, &mut next, 1),
                Some(offset) => {
                    let before = || new_places(at.log_end, ordinal);
                    places.get_or_insert_with(before).push(Place { offset, repeat: true });
                }
            }
        }
        push_new(&mut places, &mut next, batch.record_count() - looked_at);
        places.map(Vec::into_boxed_slice)
    }

    fn trim(&mut self, stored_end: Offset) {
        let spare = self.config.bytes_max.saturating_sub(self.producers.bytes());
        self.ids.trim(spare, stored_end);
    }
}

/// Goes on by so many new messages; they are written down only once a repeat has been found.
fn push_new(places: &mut Option<Vec<Place>>, next: &mut Offset, count: u32) {
    if let Some(places) = places {
        let start = *next;
        places.extend((0..u64::from(count)).map(|at| Place { offset: start.plus(at), repeat: false }));
    }
    *next = next.plus(u64::from(count));
}

fn new_places(start: Offset, count: u32) -> Vec<Place> {
    (0..u64::from(count)).map(|at| Place { offset: start.plus(at), repeat: false }).collect()
}

#[cfg(test)]
mod tests;
