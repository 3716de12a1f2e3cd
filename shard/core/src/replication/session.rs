//! What a leader's core knows of one core of a follower's node, so that neither has to name what has not changed: a
//! fetch says what has moved, an answer what there is, and a thousand idle partitions cost nothing (KIP-227).

use std::collections::{BTreeMap, BTreeSet};

use super::NodeRun;
use crate::model::TopicPartition;

/// The partitions that one core of another node fetches from one core here.
#[derive(Debug)]
pub struct FetchSession {
    run: NodeRun,
    id: u64,
    /// The number of the fetch that came last.
    newest: u64,
    /// Each partition, and whether it was sent something that it has not answered for.
    partitions: BTreeMap<TopicPartition, bool>,
    /// Those for which there is something, which is worth an answer.
    ready: BTreeSet<TopicPartition>,
    /// Those for which there is something that is sent later: they are not to catch up too fast.
    held: BTreeSet<TopicPartition>,
    /// Those for which there is news that may wait for the next answer.
    news: BTreeSet<TopicPartition>,
}

/// Why a fetch can't go on with a session: it has to begin another, and name everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is not known, or a fetch of it is missing")]
pub struct SessionError;

impl FetchSession {
    /// A run of a node begins a session, which it has numbered.
    #[must_use]
    pub const fn new(run: NodeRun, id: u64) -> Self {
        Self {
            run,
            id,
            newest: 0,
            partitions: BTreeMap::new(),
            ready: BTreeSet::new(),
            held: BTreeSet::new(),
            news: BTreeSet::new(),
        }
    }

    /// A fetch of a session comes; they are numbered from 1 on.
    ///
    /// # Errors
    /// It is not of this one, or others are missing.
    pub fn check(&mut self, run: NodeRun, id: u64, number: u64) -> Result<(), SessionError> {
        if (run, id, number) != (self.run, self.id, self.newest + 1) {
            return Err(SessionError);
        }
        self.newest = number;
        Ok(())
    }

    /// A partition follows from here on, or has answered for what it was sent; `ready` says that there is more.
    pub fn follows(&mut self, partition: TopicPartition, ready: bool) {
        self.partitions.insert(partition, false);
        self.ready.remove(&partition);
        self.held.remove(&partition);
        if ready {
            self.ready.insert(partition);
        }
    }

    /// A partition is not fetched any more.
    pub fn forget(&mut self, partition: TopicPartition) {
        self.partitions.remove(&partition);
        self.ready.remove(&partition);
        self.held.remove(&partition);
        self.news.remove(&partition);
    }

    /// There are new batches or cursors of a partition. Whether that is worth an answer.
    pub fn on_data(&mut self, partition: TopicPartition) -> bool {
        match self.partitions.get(&partition) {
            Some(false) if !self.held.contains(&partition) => self.ready.insert(partition),
            Some(_) | None => false,
        }
    }

    /// More of a partition is committed, or its log starts later: that may wait for something else to be said.
    pub fn on_news(&mut self, partition: TopicPartition) {
        if self.partitions.contains_key(&partition) {
            self.news.insert(partition);
        }
    }

    /// Whether there is something that is worth an answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next partition for which there is something. It has to be sent, or else given back by `follows` or `hold`.
    pub fn take_ready(&mut self) -> Option<TopicPartition> {
        let partition = self.ready.pop_first()?;
        self.news.remove(&partition);
        self.partitions.insert(partition, true);
        Some(partition)
    }

    /// A partition that was taken is not sent before `release_held`.
    pub fn hold(&mut self, partition: TopicPartition) {
        self.partitions.insert(partition, false);
        self.held.insert(partition);
    }

    /// What was held may be sent. Whether there is any.
    pub fn release_held(&mut self) -> bool {
        let is_any = !self.held.is_empty();
        self.ready.append(&mut self.held);
        is_any
    }

    /// The next partition of which there is only news.
    pub fn take_news(&mut self) -> Option<TopicPartition> {
        self.news.pop_first()
    }

    /// Whose it is.
    #[must_use]
    pub const fn run(&self) -> NodeRun {
        self.run
    }

    /// The partitions that are fetched.
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.partitions.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    const RUN: NodeRun = NodeRun { node: 2, epoch: 7 };

    fn partition(index: u32) -> TopicPartition {
        TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
    }

    #[test]
    fn fetches_come_in_order_or_begin_anew() {
        let mut session = FetchSession::new(RUN, 5);
        assert_eq!(session.check(RUN, 5, 1), Ok(()));
        assert_eq!(session.check(RUN, 5, 1), Err(SessionError), "it came twice");
        assert_eq!(session.check(RUN, 5, 3), Err(SessionError), "one is missing");
        assert_eq!(session.check(RUN, 6, 2), Err(SessionError), "another session");
        assert_eq!(session.check(NodeRun { epoch: 8, ..RUN }, 5, 2), Err(SessionError), "another run");
        assert_eq!(session.check(RUN, 5, 2), Ok(()));
    }

    #[test]
    fn what_was_sent_is_not_sent_again_before_it_was_answered_for() {
        let mut session = FetchSession::new(RUN, 5);
        session.follows(partition(0), false);
        assert!(!session.is_ready());
        assert!(session.on_data(partition(0)) && session.is_ready());
        assert!(!session.on_data(partition(0)), "it is ready already");
        assert_eq!(session.take_ready(), Some(partition(0)));
        assert!(!session.on_data(partition(0)) && !session.is_ready(), "it is on its way");
        session.follows(partition(0), true);
        assert_eq!(session.take_ready(), Some(partition(0)));
    }

    #[test]
    fn what_there_was_nothing_to_send_of_does_not_keep_back_what_comes_next() {
        let mut session = FetchSession::new(RUN, 5);
        session.follows(partition(0), true);
        assert_eq!(session.take_ready(), Some(partition(0)));
        assert!(!session.on_data(partition(0)), "as if it had been sent");
        session.follows(partition(0), false);
        assert!(session.on_data(partition(0)) && session.is_ready());
    }

    #[test]
    fn what_is_held_is_ready_once_it_is_released() {
        let mut session = FetchSession::new(RUN, 5);
        session.follows(partition(0), true);
        session.follows(partition(1), true);
        assert_eq!(session.take_ready(), Some(partition(0)));
        session.hold(partition(0));
        assert!(!session.on_data(partition(0)), "more of it waits too");
        assert_eq!(session.take_ready(), Some(partition(1)));
        assert_eq!((session.take_ready(), session.is_ready()), (None, false));
        assert!(session.release_held() && session.is_ready());
        assert!(!session.release_held());
        assert_eq!(session.take_ready(), Some(partition(0)));
        session.hold(partition(0));
        session.forget(partition(0));
        assert!(!session.release_held(), "it is not fetched any more");
    }

    #[test]
    fn news_waits_for_an_answer_and_goes_with_data() {
        let mut session = FetchSession::new(RUN, 5);
        session.follows(partition(0), false);
        session.follows(partition(1), false);
        session.on_news(partition(0));
        session.on_news(partition(1));
        assert!(!session.is_ready());
        assert!(session.on_data(partition(1)));
        assert_eq!(session.take_ready(), Some(partition(1)));
        assert_eq!(session.take_news(), Some(partition(0)));
        assert_eq!(session.take_news(), None);
    }

    #[test]
    fn what_is_not_fetched_is_not_sent() {
        let mut session = FetchSession::new(RUN, 5);
        session.follows(partition(0), true);
        session.on_news(partition(0));
        session.forget(partition(0));
        assert!(!session.on_data(partition(0)) && session.take_ready().is_none());
        session.on_news(partition(0));
        assert_eq!(session.take_news(), None);
    }
}
