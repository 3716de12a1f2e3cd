//! What one core fetches from one core of another node: one fetch at a time, of all partitions together.

use std::collections::{BTreeMap, BTreeSet};

use shard_core::model::{Monotonic, TopicPartition};

use super::PeerKey;
use crate::limits;

/// Everything this core fetches.
#[derive(Debug, Default)]
pub(crate) struct Fetchers {
    by_source: BTreeMap<PeerKey, Fetcher>,
    /// Sessions are numbered so that none is taken for another.
    last_session: u64,
}

/// The partitions that are fetched from one core of another node.
#[derive(Debug, Default)]
pub(crate) struct Fetcher {
    partitions: BTreeSet<TopicPartition>,
    /// Those that the next fetch has to speak of.
    moved: BTreeSet<TopicPartition>,
    forgotten: BTreeSet<TopicPartition>,
    /// Those that are left alone until then.
    resting: BTreeMap<TopicPartition, Monotonic>,
    /// The session, and the number of its last fetch.
    session: Option<(u64, u64)>,
    pub(crate) asking: bool,
    /// How many partitions are being stored of the last answer.
    pub(crate) storing: usize,
    rests_until: Option<Monotonic>,
}

/// What a fetch speaks of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) session: u64,
    pub(crate) number: u64,
    pub(crate) moved: Vec<TopicPartition>,
    pub(crate) forgotten: Vec<TopicPartition>,
    /// Whether there is more to speak of.
    pub(crate) more: bool,
}

impl Fetchers {
    /// Sessions of this run begin behind `first_session`.
    pub(crate) fn new(first_session: u64) -> Self {
        Self { by_source: BTreeMap::new(), last_session: first_session }
    }

    pub(crate) fn add(&mut self, source: PeerKey, partition: TopicPartition) {
        let fetcher = self.by_source.entry(source).or_default();
        fetcher.partitions.insert(partition);
        fetcher.moved.insert(partition);
        fetcher.forgotten.remove(&partition);
    }

    pub(crate) fn remove(&mut self, source: PeerKey, partition: TopicPartition) {
        let Some(fetcher) = self.by_source.get_mut(&source) else { return };
        fetcher.partitions.remove(&partition);
        fetcher.moved.remove(&partition);
        fetcher.resting.remove(&partition);
        if fetcher.session.is_some() {
            fetcher.forgotten.insert(partition);
        }
    }

    /// A partition is not fetched, or not any more, though it should be: the next fetch says so.
    pub(crate) fn leave(&mut self, source: PeerKey, partition: TopicPartition) {
        self.by_source.entry(source).or_default().forgotten.insert(partition);
        self.remove(source, partition);
    }

    pub(crate) fn get_mut(&mut self, source: PeerKey) -> Option<&mut Fetcher> {
        self.by_source.get_mut(&source)
    }

    /// The next fetch that is due, and from where.
    pub(crate) fn next(&mut self, now: Monotonic) -> Option<(PeerKey, Outline)> {
        // Whoever has nothing to fetch and nobody to tell so is done.
        self.by_source.retain(|_, fetcher| fetcher.asking || fetcher.storing > 0 || fetcher.has_something_to_say());
        let (source, fetcher) = self.by_source.iter_mut().find(|(_, fetcher)| fetcher.is_due(now))?;
        let outline = fetcher.begin(now, &mut self.last_session);
        Some((*source, outline))
    }
}

impl Fetcher {
    /// A partition has something to say.
    pub(crate) fn note_moved(&mut self, partition: TopicPartition) {
        if self.partitions.contains(&partition) {
            self.resting.remove(&partition);
            self.moved.insert(partition);
        }
    }

    /// A partition is left alone for a while.
    pub(crate) fn rest(&mut self, partition: TopicPartition, until: Monotonic) {
        if self.partitions.contains(&partition) {
            self.moved.remove(&partition);
            self.resting.insert(partition, until);
        }
    }

    /// A fetch has ended; whether it was the one under way.
    pub(crate) fn on_ended(&mut self, session: u64) -> bool {
        let is_current = self.session.is_some_and(|(current, _)| current == session);
        if is_current {
            self.asking = false;
        }
        is_current
    }

    /// A fetch came to nothing: another session begins after a while.
    pub(crate) fn on_failed(&mut self, now: Monotonic) {
        self.session = None;
        self.forgotten.clear();
        self.rests_until = Some(now.plus(limits::FETCH_PAUSE));
    }

    fn is_due(&self, now: Monotonic) -> bool {
        let rests = self.rests_until.is_some_and(|until| now < until);
        !self.asking && self.storing == 0 && !rests && self.has_something_to_say()
    }

    fn has_something_to_say(&self) -> bool {
        !self.partitions.is_empty() || !self.forgotten.is_empty()
    }

    fn begin(&mut self, now: Monotonic, last_session: &mut u64) -> Outline {
        self.asking = true;
        self.rests_until = None;
        let rested: Vec<_> =
            self.resting.iter().filter(|(_, until)| **until <= now).map(|(&rested, _)| rested).collect();
        for partition in rested {
            self.resting.remove(&partition);
            self.moved.insert(partition);
        }
        let (session, number) = if let Some((session, number)) = self.session {
            (session, number + 1)
        } else {
            *last_session += 1;
            self.moved = self.partitions.iter().copied().filter(|one| !self.resting.contains_key(one)).collect();
            (*last_session, 1)
        };
        self.session = Some((session, number));
        let moved: Vec<_> = self.moved.iter().copied().take(limits::FETCH_POSITIONS_MAX).collect();
        for partition in &moved {
            self.moved.remove(partition);
        }
        let forgotten: Vec<_> = self.forgotten.iter().copied().take(limits::FETCH_POSITIONS_MAX).collect();
        for partition in &forgotten {
            self.forgotten.remove(partition);
        }
        let more = !self.moved.is_empty() || !self.forgotten.is_empty();
        Outline { session, number, moved, forgotten, more }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shard_core::model::{PartitionIndex, TopicId};

    use super::*;

    const SOURCE: PeerKey = PeerKey { node: 2, core: 0 };

    fn partition(index: u32) -> TopicPartition {
        TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic::default().plus(Duration::from_millis(millis))
    }

    fn fetchers() -> Fetchers {
        let mut fetchers = Fetchers::new(100);
        fetchers.add(SOURCE, partition(0));
        fetchers.add(SOURCE, partition(1));
        fetchers
    }

    fn next(fetchers: &mut Fetchers, now: u64) -> Option<(u64, u64, Vec<TopicPartition>, Vec<TopicPartition>)> {
        let (_, Outline { session, number, moved, forgotten, .. }) = fetchers.next(at(now))?;
        Some((session, number, moved, forgotten))
    }

    fn end(fetchers: &mut Fetchers, session: u64) {
        assert!(fetchers.get_mut(SOURCE).unwrap().on_ended(session));
    }

    #[test]
    fn a_fetch_speaks_of_what_has_moved() {
        let mut fetchers = fetchers();
        assert_eq!(next(&mut fetchers, 0), Some((101, 1, vec![partition(0), partition(1)], vec![])));
        assert_eq!(next(&mut fetchers, 0), None, "one at a time");
        end(&mut fetchers, 101);
        fetchers.get_mut(SOURCE).unwrap().note_moved(partition(1));
        assert_eq!(next(&mut fetchers, 0), Some((101, 2, vec![partition(1)], vec![])));
        end(&mut fetchers, 101);
        fetchers.remove(SOURCE, partition(0));
        assert_eq!(next(&mut fetchers, 0), Some((101, 3, vec![], vec![partition(0)])));
    }

    #[test]
    fn one_that_leaves_is_spoken_of_even_if_nothing_else_is_fetched() {
        let mut fetchers = Fetchers::new(100);
        fetchers.leave(SOURCE, partition(0));
        assert_eq!(next(&mut fetchers, 0), Some((101, 1, vec![], vec![partition(0)])));
        end(&mut fetchers, 101);
        assert_eq!(next(&mut fetchers, 0), None, "it was said");
        fetchers.add(SOURCE, partition(0));
        next(&mut fetchers, 0).unwrap();
        fetchers.remove(SOURCE, partition(0));
        assert_eq!(next(&mut fetchers, 0), None, "it is being asked");
    }

    #[test]
    fn what_was_fetched_is_stored_first() {
        let mut fetchers = fetchers();
        next(&mut fetchers, 0).unwrap();
        end(&mut fetchers, 101);
        fetchers.get_mut(SOURCE).unwrap().storing = 1;
        assert_eq!(next(&mut fetchers, 0), None);
    }

    #[test]
    fn a_fetch_that_failed_is_followed_by_another_session_after_a_while() {
        let mut fetchers = fetchers();
        next(&mut fetchers, 0).unwrap();
        end(&mut fetchers, 101);
        fetchers.get_mut(SOURCE).unwrap().on_failed(at(0));
        assert_eq!(next(&mut fetchers, 1), None);
        let later = u64::try_from(limits::FETCH_PAUSE.as_millis()).unwrap();
        assert_eq!(next(&mut fetchers, later), Some((102, 1, vec![partition(0), partition(1)], vec![])));
        assert!(!fetchers.get_mut(SOURCE).unwrap().on_ended(101), "the end of the first comes late");
    }

    #[test]
    fn a_partition_that_rests_is_not_spoken_of() {
        let mut fetchers = fetchers();
        next(&mut fetchers, 0).unwrap();
        end(&mut fetchers, 101);
        fetchers.get_mut(SOURCE).unwrap().rest(partition(0), at(50));
        assert_eq!(next(&mut fetchers, 10), Some((101, 2, vec![], vec![])));
        end(&mut fetchers, 101);
        assert_eq!(next(&mut fetchers, 50), Some((101, 3, vec![partition(0)], vec![])));
    }

    #[test]
    fn a_source_of_nothing_is_forgotten() {
        let mut fetchers = fetchers();
        fetchers.remove(SOURCE, partition(0));
        fetchers.remove(SOURCE, partition(1));
        assert_eq!(next(&mut fetchers, 0), None);
        assert!(fetchers.get_mut(SOURCE).is_none());
    }
}
