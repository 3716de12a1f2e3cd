//! What a shard tells of its topics and subscriptions when it is asked.

use futures_channel::oneshot;
use shard::{
    AckAction, Progress, Tally,
    command::{PartitionChange, ShardCommand},
};
use shard_core::model::TopicId;

use crate::harness::{Running, SUBSCRIPTION, cursor, directory, partition, with_memory_shard, with_shard};

/// More partitions than one turn of the shard counts, each with its subscription.
const MANY: u32 = 1_100;

async fn tally(shard: &Running) -> Tally {
    let (reply, told) = oneshot::channel();
    shard.commands.first().unwrap().send_async(ShardCommand::Tally { reply }).await.unwrap();
    told.await.unwrap()
}

fn progress(tally: &Tally) -> Progress {
    *tally.subscriptions.get(&SUBSCRIPTION).unwrap()
}

#[test]
fn what_was_appended_and_what_is_not_acked_is_told() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0, 1]).await;
        assert_eq!(tally(&shard).await.topics, [(TopicId::new(1), 0)]);
        shard.publish(0, &[b"a", b"b", b"c"]).await.unwrap();
        shard.publish(1, &[b"d", b"e"]).await.unwrap();
        let pulled = shard.pull(0, 2).await;
        let acked = pulled.leased.iter().take(1).map(|leased| (leased.offset, leased.lease)).collect();
        shard.handle.acknowledge(cursor(0), AckAction::Ack, acked).await.unwrap();
        let told = tally(&shard).await;
        assert_eq!(told.topics, [(TopicId::new(1), 5)]);
        assert_eq!(progress(&told), Progress { lag: 4, leased: 1 });
    });
}

#[test]
fn a_count_of_messages_does_not_fall_when_a_partition_goes_to_another_node() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0, 1]).await;
        shard.publish(0, &[b"a", b"b", b"c"]).await.unwrap();
        shard.publish(1, &[b"d"]).await.unwrap();
        shard.apply(vec![PartitionChange::Release { partition: partition(0) }]).await;
        let told = tally(&shard).await;
        assert_eq!(told.topics, [(TopicId::new(1), 4)]);
        assert_eq!(progress(&told), Progress { lag: 1, leased: 0 });
    });
}

#[test]
fn partitions_beyond_what_one_turn_counts_are_counted_too() {
    let directory = directory();
    with_memory_shard(directory.path(), 1 << 20, async |shard| {
        let all: Vec<u32> = (0..MANY).collect();
        shard.open(&all).await;
        for index in [0, MANY / 2, MANY - 1] {
            shard.publish(index, &[b"a"]).await.unwrap();
        }
        assert_eq!(progress(&tally(&shard).await), Progress { lag: 3, leased: 0 });
    });
}
