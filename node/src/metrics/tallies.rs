//! Asks the shards how their topics and subscriptions stand, when somebody wants to know.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use futures_channel::oneshot;
use futures_util::future::join_all;
use prometheus::proto::MetricFamily;
use raft::metadata::ClusterState;
use shard::{Tally, command::ShardCommand};
use tokio::time::timeout;

use super::topics::{SeriesMax, TopicSeries};
use crate::limits;

/// What each shard has told last.
#[derive(Debug)]
pub(super) struct Tallies {
    shards: Vec<flume::Sender<ShardCommand>>,
    told: Mutex<Told>,
    /// When the shards were last asked; one question at a time.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Told {
    by_shard: Vec<Tally>,
    series: TopicSeries,
}

impl Tallies {
    pub(super) fn new(shards: Vec<flume::Sender<ShardCommand>>, max: SeriesMax) -> Self {
        let told = Told { by_shard: vec![Tally::default(); shards.len()], series: TopicSeries::new(max) };
        Self { shards, told: Mutex::new(told), asked: tokio::sync::Mutex::new(None) }
    }

    /// Asks every shard, unless that was done since this was called. One that does not answer in time stands as it did.
    pub(super) async fn refresh(&self) {
        let came = Instant::now();
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked >= came) {
            return;
        }
        *asked = Some(Instant::now());
        let answers = self.shards.iter().map(async |shard| {
            let (reply, told) = oneshot::channel();
            // One that has no room for a question is asked the next time.
            shard.try_send(ShardCommand::Tally { reply }).ok()?;
            timeout(limits::METRICS_TALLY_WAIT, told).await.ok()?.ok()
        });
        let answers = join_all(answers).await;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (known, answer) in told.by_shard.iter_mut().zip(answers) {
            if let Some(answer) = answer {
                *known = answer;
            }
        }
    }

    /// What was told, with the names that the metadata have.
    pub(super) fn collect(&self, cluster: &ClusterState) -> Vec<MetricFamily> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Told { by_shard, series } = &mut *told;
        series.collect(by_shard, cluster)
    }
}

#[cfg(test)]
mod tests {
    use shard_core::model::TopicId;
    use tokio::{join, task::yield_now};

    use super::*;

    const MAX: SeriesMax = SeriesMax { topics: 1, subscriptions: 1 };

    fn counted(count: u64) -> Tally {
        Tally { topics: vec![(TopicId::new(1), count)], ..Tally::default() }
    }

    /// Answers each question with one more than the last, and returns how many there were.
    async fn answer(questions: flume::Receiver<ShardCommand>) -> u64 {
        let mut count = 0;
        while let Ok(question) = questions.recv_async().await {
            count += 1;
            if let ShardCommand::Tally { reply } = question {
                drop(reply.send(counted(count)));
            }
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_does_not_answer_stands_as_it_did() {
        let ((quick, asked), (stuck, forgotten)) = (flume::bounded(1), flume::bounded(1));
        let tallies = Tallies::new(vec![quick, stuck], MAX);
        let answering = tokio::spawn(answer(asked));
        for round in 1..=3 {
            // The second question finds the queue of the shard that is stuck full.
            tallies.refresh().await;
            let told = tallies.told.lock().unwrap();
            assert_eq!(told.by_shard, [counted(round), Tally::default()]);
        }
        drop((tallies, forgotten));
        assert_eq!(answering.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn who_comes_while_others_wait_shares_their_answer() {
        let (shard, asked) = flume::bounded(4);
        let tallies = Tallies::new(vec![shard], MAX);
        let answering = tokio::spawn(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            answer(asked).await
        });
        // The first asks; the others came before or while that was answered, and one more question is for all of them.
        join!(tallies.refresh(), tallies.refresh(), tallies.refresh(), tallies.refresh());
        drop(tallies);
        assert_eq!(answering.await.unwrap(), 2);
    }
}
