//! The changes of a partition's cursors on their way to its followers.
//!
//! They are no log: whoever has not followed from the beginning is sent all cursors as they are, and then what changes. A
//! leader counts its changes from 1, which is what it began with; counts of different leaders have nothing to do with each
//! other.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits;

/// The newest changes of a partition's cursors, for followers that are close behind.
#[derive(Debug)]
pub struct CursorFeed {
    /// The number of the newest change.
    newest: u64,
    /// The newest changes, encoded as entries of the cursor journal; the last one is `newest`.
    recent: VecDeque<Bytes>,
    bytes: usize,
}

/// What a follower has to be sent of the cursors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorNews {
    /// It has everything.
    None,
    /// These entries, behind those it has.
    Changes(Vec<Bytes>),
    /// All cursors as they are now.
    Snapshot,
}

impl Default for CursorFeed {
    fn default() -> Self {
        Self { newest: 1, recent: VecDeque::new(), bytes: 0 }
    }
}

impl CursorFeed {
    /// The cursors have changed by these entries; returns the number of the change.
    pub fn push(&mut self, entries: Bytes) -> u64 {
        self.newest += 1;
        self.bytes += entries.len();
        self.recent.push_back(entries);
        while self.bytes > limits::CURSOR_FEED_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.bytes -= oldest.len();
        }
        self.newest
    }

    /// The cursors were written anew as a whole, with what had changed meanwhile; returns the number of that change. Every
    /// follower is sent them as a whole.
    pub fn replace(&mut self) -> u64 {
        self.newest += 1;
        self.recent.clear();
        self.bytes = 0;
        self.newest
    }

    /// The number of the newest change.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// What a follower lacks that has everything up to change `known`.
    #[must_use]
    pub fn since(&self, known: u64) -> CursorNews {
        let Some(lacking) = self.newest.checked_sub(known).filter(|_| known > 0) else { return CursorNews::Snapshot };
        if lacking == 0 {
            return CursorNews::None;
        }
        let lacking = usize::try_from(lacking).unwrap_or(usize::MAX);
        match self.recent.len().checked_sub(lacking) {
            Some(skipped) => CursorNews::Changes(self.recent.iter().skip(skipped).cloned().collect()),
            None => CursorNews::Snapshot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_sent_what_it_lacks() {
        let mut feed = CursorFeed::default();
        assert_eq!(feed.since(0), CursorNews::Snapshot, "it has none");
        assert_eq!(feed.since(1), CursorNews::None);
        assert_eq!(feed.push(Bytes::from_static(b"a")), 2);
        assert_eq!(feed.push(Bytes::from_static(b"b")), 3);
        let changes =
            |parts: &[&'static [u8]]| CursorNews::Changes(parts.iter().map(|part| Bytes::from_static(part)).collect());
        assert_eq!(feed.since(1), changes(&[b"a", b"b"]));
        assert_eq!(feed.since(2), changes(&[b"b"]));
        assert_eq!(feed.since(3), CursorNews::None);
        assert_eq!(feed.since(4), CursorNews::Snapshot, "no change has that number");
    }

    #[test]
    fn cursors_that_were_written_anew_are_sent_as_a_whole() {
        let mut feed = CursorFeed::default();
        feed.push(Bytes::from_static(b"a"));
        assert_eq!(feed.replace(), 3);
        assert_eq!(
            [feed.since(1), feed.since(2), feed.since(3)],
            [CursorNews::Snapshot, CursorNews::Snapshot, CursorNews::None]
        );
        feed.push(Bytes::from_static(b"b"));
        assert_eq!(feed.since(3), CursorNews::Changes(vec![Bytes::from_static(b"b")]));
    }

    #[test]
    fn one_that_is_far_behind_begins_anew() {
        let mut feed = CursorFeed::default();
        let half = Bytes::from(vec![0; limits::CURSOR_FEED_BYTES_MAX / 2]);
        for _ in 0..3 {
            feed.push(half.clone());
        }
        assert_eq!(feed.since(1), CursorNews::Snapshot);
        assert_eq!(feed.since(2), CursorNews::Changes(vec![half.clone(), half]));
    }
}
