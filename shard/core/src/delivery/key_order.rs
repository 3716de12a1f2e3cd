//! Messages of one key, one behind the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Offset;

/// The unacked messages of each key that is known; only the first of each may be delivered.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyOrder {
    by_key: BTreeMap<u64, BTreeSet<Offset>>,
}

impl KeyOrder {
    /// Adds a message; whether it is the first of its key.
    pub(super) fn push(&mut self, key: u64, offset: Offset) -> bool {
        let messages = self.by_key.entry(key).or_default();
        messages.insert(offset);
        messages.first() == Some(&offset)
    }

    /// A message was acked; the one that is first now if that one was.
    pub(super) fn remove(&mut self, key: u64, offset: Offset) -> Option<Offset> {
        let messages = self.by_key.get_mut(&key)?;
        let was_first = messages.first() == Some(&offset);
        messages.remove(&offset);
        let next = messages.first().copied();
        if next.is_none() {
            self.by_key.remove(&key);
        }
        next.filter(|_| was_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_a_key_goes() {
        let (mut order, offset) = (KeyOrder::default(), Offset::new);
        assert!(order.push(1, offset(5)) && !order.push(1, offset(6)) && !order.push(1, offset(7)));
        assert!(order.push(2, offset(8)));
        assert_eq!(order.remove(1, offset(6)), None, "it was not the first");
        assert_eq!(order.remove(1, offset(5)), Some(offset(7)));
        assert_eq!((order.remove(1, offset(7)), order.remove(1, offset(7))), (None, None));
        assert!(order.push(1, offset(9)));
    }
}
