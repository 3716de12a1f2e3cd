//! How many messages each topic was given, as far as this shard has appended them.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use shard_core::model::TopicId;

/// A count for each topic. What was appended to a partition that has gone to another node still counts: a counter never falls.
#[derive(Debug, Default)]
pub(crate) struct TopicCounts {
    counts: BTreeMap<TopicId, Rc<Cell<u64>>>,
}

impl TopicCounts {
    /// The count of a topic; its partitions add to it.
    pub(crate) fn of(&mut self, topic: TopicId) -> Rc<Cell<u64>> {
        Rc::clone(self.counts.entry(topic).or_default())
    }

    /// Forgets topics that no partition here adds to, and that are not there any more.
    pub(crate) fn forget_gone(&mut self, is_there: impl Fn(TopicId) -> bool) {
        self.counts.retain(|&topic, count| Rc::strong_count(count) > 1 || is_there(topic));
    }

    /// Every count, by topic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TopicId, u64)> {
        self.counts.iter().map(|(&topic, count)| (topic, count.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: TopicId = TopicId::new(1);
    const LETTERS: TopicId = TopicId::new(2);

    #[test]
    fn partitions_of_a_topic_add_to_one_count() {
        let mut counts = TopicCounts::default();
        for messages in [2, 3] {
            let count = counts.of(ORDERS);
            count.set(count.get() + messages);
        }
        counts.of(LETTERS);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(ORDERS, 5), (LETTERS, 0)]);
    }

    #[test]
    fn a_count_stays_while_its_topic_is_there_or_somebody_adds_to_it() {
        let mut counts = TopicCounts::default();
        drop(counts.of(ORDERS));
        let of_letters = counts.of(LETTERS);
        counts.forget_gone(|topic| topic == ORDERS);
        assert_eq!(counts.iter().count(), 2);
        counts.forget_gone(|_| false);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(LETTERS, 0)]);
        drop(of_letters);
        counts.forget_gone(|_| false);
        assert_eq!(counts.iter().count(), 0);
    }
}
