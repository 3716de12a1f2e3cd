//! What a dispatcher knows of the messages that it has not delivered yet.
//!
//! Most are plain: no priority of their own, no time, no key that matters. Of those it knows only that they are there, below
//! the offset that it has looked at. The others are tracked one by one: in a bitmap by priority once they may be delivered,
//! by their time before that, behind an earlier message of their key.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringTreemap;

use super::{Cursor, key_order::KeyOrder, priority_set::PrioritySet};
use crate::{
    limits,
    model::{Offset, OffsetRange, Timestamp},
};

/// What is known of a message beside its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    /// 0 to 9, 9 first.
    pub(super) priority: u8,
    /// When it may first be delivered.
    pub(super) deliver_at: Option<Timestamp>,
    /// When it may not be delivered any more.
    pub(super) expires_at: Option<Timestamp>,
    /// Stands for its key, where messages of one key are delivered in order.
    pub(super) key: Option<u64>,
}

/// A message that may be delivered next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) offset: Offset,
    pub(super) priority: u8,
}

/// The messages above the floor of one subscription, as far as it has looked.
#[derive(Debug)]
pub(super) struct Lookahead {
    /// Everything below was looked at.
    scanned_to: Offset,
    /// No plain message below it waits for its first delivery.
    plain: Offset,
    /// Tracked messages that `plain` has yet to pass.
    tracked: RoaringTreemap,
    /// May be delivered.
    ready: PrioritySet,
    /// Have their time before them.
    delayed: BTreeSet<(Timestamp, Offset)>,
    /// Of messages with a time or a key, until they are acked.
    details: BTreeMap<Offset, Detail>,
    keys: KeyOrder,
}

impl Detail {
    /// A message that states nothing.
    pub(super) const PLAIN: Self =
        Self { priority: limits::PRIORITY_DEFAULT, deliver_at: None, expires_at: None, key: None };

    fn needs_keeping(&self) -> bool {
        self.deliver_at.is_some() || self.expires_at.is_some() || self.key.is_some()
    }
}

impl Lookahead {
    /// Has looked at nothing from `floor` on.
    pub(super) fn new(floor: Offset) -> Self {
        Self {
            scanned_to: floor,
            plain: floor,
            tracked: RoaringTreemap::new(),
            ready: PrioritySet::default(),
            delayed: BTreeSet::new(),
            details: BTreeMap::new(),
            keys: KeyOrder::default(),
        }
    }

    /// Everything below was looked at.
    pub(super) const fn scanned_to(&self) -> Offset {
        self.scanned_to
    }

    /// Whether it may look further: memory for what is tracked is bounded.
    pub(super) fn has_room(&self) -> bool {
        self.details.len() < limits::LOOKAHEAD_MAX
    }

    /// How many messages have their time before them.
    pub(super) fn delayed_count(&self) -> usize {
        self.delayed.len()
    }

    /// When the next of them may be delivered.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.delayed.first().map(|&(at, _)| at)
    }

    /// Everything below `to` was looked at now; what was not noted is plain.
    pub(super) fn on_scanned(&mut self, to: Offset) {
        self.scanned_to = self.scanned_to.max(to);
    }

    /// A message that is not acked, looked at for the first time.
    pub(super) fn note(&mut self, offset: Offset, detail: Detail, now: Timestamp) {
        if detail == Detail::PLAIN {
            return;
        }
        self.tracked.insert(offset.get());
        if detail.needs_keeping() {
            self.details.insert(offset, detail);
        }
        if detail.key.is_none_or(|key| self.keys.push(key, offset)) {
            self.admit(offset, detail, now);
        }
    }

    /// Lets those be delivered whose time has come.
    pub(super) fn on_clock(&mut self, now: Timestamp) {
        while let Some(&(at, offset)) = self.delayed.first().filter(|&&(at, _)| at <= now) {
            self.delayed.remove(&(at, offset));
            let priority = self.details.get(&offset).map_or(limits::PRIORITY_DEFAULT, |detail| detail.priority);
            self.ready.insert(priority, offset);
        }
    }

    /// The message that should be delivered next: of the highest priority the oldest, or the oldest of all.
    pub(super) fn candidate(&mut self, cursor: &Cursor, oldest: bool) -> Option<Candidate> {
        let plain = self.next_plain(cursor).map(|offset| Candidate { offset, priority: limits::PRIORITY_DEFAULT });
        let tracked = if oldest { self.ready.oldest() } else { self.ready.first() };
        let tracked = tracked.map(|(priority, offset)| Candidate { offset, priority });
        match (plain, tracked) {
            (Some(plain), Some(tracked)) => Some(if oldest { plain.older(tracked) } else { plain.before(tracked) }),
            (one, other) => one.or(other),
        }
    }

    /// When a message may not be delivered any more.
    pub(super) fn expires_at(&self, offset: Offset) -> Option<Timestamp> {
        self.details.get(&offset)?.expires_at
    }

    /// The candidate is delivered, or is done with.
    pub(super) fn take(&mut self, candidate: Candidate) {
        if !self.ready.remove(candidate.priority, candidate.offset) {
            self.plain = self.plain.max(candidate.offset.next());
        }
    }

    /// Messages were acked, delivered or not; those behind them of the same keys may be delivered now.
    pub(super) fn on_acked(&mut self, range: OffsetRange, now: Timestamp) {
        self.ready.remove_range(range);
        self.tracked.remove_range(range.start.get()..range.end.get());
        let mut next = Vec::new();
        while let Some((&offset, &detail)) = self.details.range(range.start..range.end).next() {
            self.details.remove(&offset);
            if let Some(at) = detail.deliver_at {
                self.delayed.remove(&(at, offset));
            }
            next.extend(detail.key.and_then(|key| self.keys.remove(key, offset)));
        }
        for offset in next.into_iter().filter(|offset| !range.contains(*offset)) {
            if let Some(&detail) = self.details.get(&offset) {
                self.admit(offset, detail, now);
            }
        }
    }

    /// Nothing of its key is before it: only its time may be.
    fn admit(&mut self, offset: Offset, detail: Detail, now: Timestamp) {
        match detail.deliver_at.filter(|&at| at > now) {
            Some(at) => {
                self.delayed.insert((at, offset));
            }
            None => self.ready.insert(detail.priority, offset),
        }
    }

    /// The first plain message that was never delivered; what it passes is never looked at again.
    fn next_plain(&mut self, cursor: &Cursor) -> Option<Offset> {
        loop {
            let next = cursor.next_unacked(self.plain);
            if next >= self.scanned_to {
                self.plain = self.plain.max(self.scanned_to);
                return None;
            }
            self.plain = next;
            if !self.tracked.remove(next.get()) {
                return Some(next);
            }
            self.plain = next.next();
        }
    }
}

impl Candidate {
    /// Whichever of the two should be delivered first.
    pub(super) fn before(self, other: Self) -> Self {
        let key = |candidate: &Self| (std::cmp::Reverse(candidate.priority), candidate.offset);
        if key(&self) <= key(&other) { self } else { other }
    }

    /// The older of the two.
    pub(super) fn older(self, other: Self) -> Self {
        if self.offset <= other.offset { self } else { other }
    }
}
