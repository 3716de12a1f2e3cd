//! Which of the files that are kept open is closed first, so that a budget holds whatever the number of partitions.

use std::collections::BTreeMap;

/// The files that are kept open, by how long ago each was used.
#[derive(Debug)]
pub struct OpenFiles<K> {
    kept_max: usize,
    by_use: BTreeMap<u64, K>,
    uses: BTreeMap<K, u64>,
    next: u64,
}

impl<K: Ord + Copy> OpenFiles<K> {
    /// No file is open; at most `kept_max` are to be kept so, and one at least.
    #[must_use]
    pub const fn new(kept_max: usize) -> Self {
        let kept_max = if kept_max == 0 { 1 } else { kept_max };
        Self { kept_max, by_use: BTreeMap::new(), uses: BTreeMap::new(), next: 0 }
    }

    /// A file is used, or about to be opened.
    pub fn note_use(&mut self, key: K) {
        let now = self.next;
        self.next += 1;
        if let Some(before) = self.uses.insert(key, now) {
            self.by_use.remove(&before);
        }
        self.by_use.insert(now, key);
    }

    /// A file is closed.
    pub fn forget(&mut self, key: K) {
        if let Some(used) = self.uses.remove(&key) {
            self.by_use.remove(&used);
        }
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.uses.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Whether more are open than are to be kept.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.len() > self.kept_max
    }

    /// The files, the one used longest ago first.
    pub fn oldest_first(&self) -> impl Iterator<Item = K> {
        self.by_use.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut files = OpenFiles::new(3);
        for key in ['a', 'b', 'c', 'd'] {
            files.note_use(key);
        }
        files.note_use('a');
        assert!(files.is_over());
        assert_eq!(files.oldest_first().collect::<String>(), "bcda");
        files.forget('b');
        files.forget('x');
        assert!(!files.is_over());
        assert_eq!((files.oldest_first().collect::<String>(), files.len()), ("cda".into(), 3));
    }

    #[test]
    fn one_file_may_always_be_open() {
        let mut files = OpenFiles::new(0);
        files.note_use(1);
        assert!(!files.is_over() && !files.is_empty());
        files.note_use(2);
        assert!(files.is_over());
    }
}
