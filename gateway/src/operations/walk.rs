//! Looking through a topic, one partition after the other and a bounded part at a time, as far as there is time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use gateway_api::{Code, CursorToken};
use shard::SubscriptionError;
use shard_core::model::{Offset, TopicPartition};

use super::deadline::{self, Ended};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    limits,
};

/// How far a look through a topic has come.
#[derive(Debug)]
pub(super) struct Walk {
    /// What is left: the first one is looked at.
    partitions: Vec<TopicPartition>,
    from: Offset,
    until: Instant,
}

impl Walk {
    /// Begins at the start, or where the token of an earlier page says.
    pub(super) fn begin(
        mut partitions: Vec<TopicPartition>,
        token: Option<&str>,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + limit;
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(Self { partitions, from: Offset::ZERO, until });
        };
        let refused = || error::invalid("page_token", "not a token that a page of this list gave");
        let token = CursorToken::decode(token).map_err(|_| refused())?;
        let &[(partition, offset)] = token.offsets() else { return Err(refused()) };
        let is_there = |candidate: &TopicPartition| {
            candidate.topic.get() == token.topic_id() && candidate.partition.get() == partition
        };
        let at = partitions.iter().position(is_there).ok_or_else(refused)?;
        partitions.drain(..at);
        Ok(Self { partitions, from: Offset::new(offset), until })
    }

    /// Where to look next; `None` at the end.
    pub(super) fn place(&self) -> Option<(TopicPartition, Offset)> {
        self.partitions.first().map(|partition| (*partition, self.from))
    }

    /// Goes on in the partition, or with the next one.
    pub(super) fn go_on(&mut self, next: Option<Offset>) {
        self.from = next.unwrap_or(Offset::ZERO);
        if next.is_none() {
            self.partitions.drain(..1);
        }
    }

    /// Whether there is time for another part.
    pub(super) fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Where the next page begins; `None` if there is none.
    pub(super) fn token(&self) -> Option<String> {
        let (partition, from) = self.place()?;
        let token = CursorToken::new(partition.topic.get(), vec![(partition.partition.get(), from.get())]);
        token.ok().map(|token| token.encode())
    }
}

/// Waits for the answer of a partition, as long as there is someone to wait for.
pub(super) async fn ask<T>(
    context: &Context,
    call: &Call<'_>,
    wanted: impl Future<Output = Result<T, SubscriptionError>>,
) -> Result<T, Failure> {
    match deadline::while_wanted(context, call, limits::OPERATION_TIMEOUT, wanted).await {
        Ok(answer) => answer.map_err(|error| error::of_subscription(&error)),
        Err(Ended::Elapsed) => Err(error::of_code(Code::Timeout, "the partition gave no answer in time")),
        Err(Ended::Stopping | Ended::Gone) => Err(error::of_code(Code::NodeUnavailable, "the node is stopping")),
    }
}

#[cfg(test)]
mod tests {
    use shard_core::model::{PartitionIndex, TopicId};

    use super::*;

    fn topic(id: u64) -> Vec<TopicPartition> {
        (0..3).map(|index| TopicPartition::new(TopicId::new(id), PartitionIndex::new(index))).collect()
    }

    #[test]
    fn pages_together_are_the_whole_walk() {
        let mut walk = Walk::begin(topic(7), None, Duration::ZERO).unwrap();
        let mut seen = Vec::new();
        // Each partition has two parts.
        while let Some((partition, from)) = walk.place() {
            seen.push((partition.partition.get(), from.get()));
            walk.go_on((from == Offset::ZERO).then_some(Offset::new(9)));
            if let Some(token) = walk.token() {
                walk = Walk::begin(topic(7), Some(&token), Duration::ZERO).unwrap();
            }
        }
        assert_eq!(seen, [(0, 0), (0, 9), (1, 0), (1, 9), (2, 0), (2, 9)]);
        assert_eq!(walk.token(), None);
        assert!(!walk.has_time());
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let of_another_topic = CursorToken::new(8, vec![(0, 1)]).unwrap().encode();
        let of_no_partition = CursorToken::new(7, vec![(3, 1)]).unwrap().encode();
        let of_many = CursorToken::new(7, vec![(0, 1), (1, 1)]).unwrap().encode();
        for token in ["x", &of_another_topic, &of_no_partition, &of_many] {
            let refused = Walk::begin(topic(7), Some(token), Duration::ZERO).unwrap_err();
            assert_eq!(refused.errors[0].field, "page_token", "{token}");
        }
        assert!(Walk::begin(topic(7), Some(""), Duration::ZERO).is_ok());
    }
}
