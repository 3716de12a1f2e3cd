//! A shard on a real executor and a real disk: what it acknowledges is there after it is gone.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod assigned;
mod harness;
mod looking;
mod tally;

use std::{fs, time::Duration};

use harness::{cursor, directory, partition, with_memory_shard, with_shard, with_two_shards};
use shard::{
    AckAction, AckOutcome, Durability, PartitionUnavailable, PublishError, ReadError, ReadFrom, ReadRequest, SeekTo,
    command::PartitionChange,
};
use shard_core::model::{Offset, Timestamp};

#[test]
fn what_was_published_is_there_after_the_process_is_gone() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        for number in 0..50_u8 {
            let published = shard.publish(0, &[&[number], b"second"]).await.unwrap();
            assert_eq!(published.base_offset, Offset::new(u64::from(number) * 2));
            assert_eq!(published.durability, Durability::Leader);
        }
    });
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        let payloads = shard.read_all(0, 0).await;
        assert_eq!(payloads.len(), 100);
        assert!((0..50_u8).all(|number| payloads[usize::from(number) * 2] == [number]));
        let published = shard.publish(0, &[b"on"]).await.unwrap();
        assert_eq!(published.base_offset, Offset::new(100));
        assert_eq!(shard.read_all(0, 99).await.last().unwrap(), b"on");
    });
}

#[test]
fn segments_roll_and_are_read_across() {
    let directory = directory();
    let payload = vec![b'x'; 100_000];
    with_shard(directory.path(), {
        let payload = payload.clone();
        async move |shard| {
            shard.open(&[0]).await;
            for _ in 0..40 {
                shard.publish(0, &[&payload]).await.unwrap();
            }
            assert_eq!(shard.read_all(0, 0).await.len(), 40);
            shard.stop().await;
        }
    });
    let names = || {
        let entries = fs::read_dir(directory.path().join("partitions/1/0")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let count = |suffix: &str| names().iter().filter(|name| name.ends_with(suffix)).count();
    assert!(count(".log") > 3, "{:?}", names());
    assert_eq!(count(".index"), count(".log"), "every segment has its index after a clean stop");
    with_shard(directory.path(), async move |shard| {
        shard.open(&[0]).await;
        assert!(shard.read_all(0, 0).await.iter().all(|read| *read == payload));
    });
}

#[test]
fn acked_messages_stay_away_and_others_come_back_after_the_process_is_gone() {
    let directory = directory();
    let kept = with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[b"a", b"b", b"c"]).await.unwrap();
        let pulled = shard.pull(0, 10).await;
        assert_eq!(pulled.leased.len(), 3);
        assert_eq!(shard.pull(0, 10).await.leased, []);
        let second = pulled.leased[1];
        let acked = shard.handle.acknowledge(cursor(0), AckAction::Ack, vec![(second.offset, second.lease)]).await;
        assert_eq!(acked, Ok(vec![AckOutcome::Applied]));
        pulled.leased[0]
    });
    with_shard(directory.path(), async move |shard| {
        shard.open(&[0]).await;
        let leased = shard.pull(0, 10).await.leased;
        let offsets: Vec<_> = leased.iter().map(|message| message.offset.get()).collect();
        assert_eq!(offsets, [0, 2]);
        let late = vec![(kept.offset, kept.lease)];
        let outcome = shard.handle.acknowledge(cursor(0), AckAction::Ack, late).await;
        assert_eq!(outcome, Ok(vec![AckOutcome::LeaseExpired]));
        let forged = shard::LeaseId { tag: leased[0].lease.tag ^ 1, ..leased[0].lease };
        let outcome = shard.handle.acknowledge(cursor(0), AckAction::Ack, vec![(leased[0].offset, forged)]).await;
        assert_eq!(outcome, Ok(vec![AckOutcome::Unknown]));
    });
}

#[test]
fn a_nacked_message_is_announced_and_delivered_again() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[b"a"]).await.unwrap();
        let first = shard.pull(0, 1).await.leased[0];
        let nack = AckAction::Nack { delay: Some(Duration::ZERO) };
        shard.handle.acknowledge(cursor(0), nack, vec![(first.offset, first.lease)]).await.unwrap();
        shard.handle.await_deliverable(harness::SUBSCRIPTION, &[partition(0)]).await.unwrap();
        let second = shard.pull(0, 1).await.leased[0];
        assert_eq!((second.offset, second.delivery_attempt), (first.offset, 2));
    });
}

#[test]
fn a_seek_is_durable() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[b"a", b"b"]).await.unwrap();
        shard.handle.seek(cursor(0), SeekTo::Latest).await.unwrap();
    });
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        assert_eq!(shard.pull(0, 10).await.leased, []);
        shard.handle.seek(cursor(0), SeekTo::Offset(Offset::new(1))).await.unwrap();
        assert_eq!(shard.pull(0, 10).await.leased[0].offset, Offset::new(1));
        shard.handle.seek(cursor(0), SeekTo::Timestamp(Timestamp::from_millis(1))).await.unwrap();
        assert_eq!(shard.pull(0, 10).await.leased[0].offset, Offset::ZERO);
    });
}

#[test]
fn a_read_waits_for_the_next_message() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        let read =
            ReadRequest { from: ReadFrom::Offset(Offset::ZERO), bytes_max: 1_000, wait: Duration::from_hours(1) };
        let waiting = shard.handle.read(partition(0), read);
        let publishing = shard.publish(0, &[b"a"]);
        let (reply, published) = futures_lite::future::zip(waiting, publishing).await;
        published.unwrap();
        assert_eq!(reply.unwrap().batches.len(), 1);
        let read = ReadRequest { wait: Duration::from_millis(5), from: ReadFrom::Offset(Offset::new(1)), ..read };
        assert_eq!(shard.handle.read(partition(0), read).await.unwrap().batches, []);
    });
}

#[test]
fn a_position_outside_the_log_is_refused() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        let read = ReadRequest { from: ReadFrom::Offset(Offset::new(5)), bytes_max: 1_000, wait: Duration::ZERO };
        let refused = shard.handle.read(partition(0), read).await;
        assert_eq!(refused, Err(ReadError::PastEnd { offset: Offset::new(5), end: Offset::ZERO }));
        let elsewhere = shard.handle.publish(partition(9), harness::batch(&[b"a"])).await;
        assert_eq!(elsewhere, Err(PublishError::Unavailable(PartitionUnavailable::NotHere(partition(9)))));
    });
}

/// F17.
#[test]
fn damage_below_what_was_durable_closes_that_partition_alone() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0, 1]).await;
        for index in [0, 1] {
            shard.publish(index, &[b"a"]).await.unwrap();
            shard.publish(index, &[b"b"]).await.unwrap();
        }
        shard.stop().await;
    });
    let path = directory.path().join("partitions/1/0/00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 80] ^= 1;
    fs::write(&path, bytes).unwrap();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0, 1]).await;
        let closed = shard.handle.status(partition(0)).await.unwrap().closed.unwrap();
        assert!(closed.contains("position 4096") && closed.contains("checksum"), "{closed}");
        let refused = shard.publish(0, &[b"c"]).await;
        assert!(matches!(refused, Err(PublishError::Unavailable(PartitionUnavailable::Closed { .. }))), "{refused:?}");
        assert_eq!(shard.read_all(1, 0).await, [b"a", b"b"]);
    });
}

/// F16.
#[test]
fn a_torn_tail_above_what_was_durable_is_cut_and_the_log_goes_on() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[b"a"]).await.unwrap();
        shard.publish(0, &[b"b"]).await.unwrap();
    });
    // Killed before anything was written down as durable: the last flush may be torn.
    let path = directory.path().join("partitions/1/0/00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[2 * 4096 + 80] ^= 1;
    fs::write(&path, bytes).unwrap();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        assert_eq!(shard.read_all(0, 0).await, [b"a"]);
        assert_eq!(shard.publish(0, &[b"c"]).await.unwrap().base_offset, Offset::new(1));
    });
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        assert_eq!(shard.read_all(0, 0).await, [b"a", b"c"]);
    });
}

#[test]
fn a_deleted_partition_leaves_nothing() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[b"a"]).await.unwrap();
        shard.apply(vec![PartitionChange::Delete { partition: partition(0) }]).await;
        assert!(shard.publish(0, &[b"b"]).await.is_err());
    });
    assert!(!directory.path().join("partitions/1/0").exists());
}

#[test]
fn many_publishers_share_flushes_and_keep_their_order() {
    let directory = directory();
    with_shard(directory.path(), async |shard| {
        shard.open(&[0]).await;
        let payloads: Vec<_> = (0..1_000_u32).map(u32::to_le_bytes).collect();
        let publish = |payload| shard.handle.publish(partition(0), harness::batch(&[payload]));
        let publishes = payloads.iter().map(|payload| publish(payload.as_slice()));
        let answers = futures_util::future::join_all(publishes).await;
        let offsets: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().base_offset.get()).collect();
        assert_eq!(offsets, (0..1_000).collect::<Vec<_>>());
        let read = shard.read_all(0, 0).await;
        assert!(read.iter().zip(&payloads).all(|(read, payload)| read == payload));
    });
}

#[test]
fn a_request_for_another_cores_partition_crosses_over() {
    let directory = directory();
    let used = with_two_shards(directory.path(), async |shard| {
        shard.open(&[0, 1, 2, 3]).await;
        for index in 0..4 {
            for _ in 0..10 {
                shard.publish(index, &[b"a"]).await.unwrap();
            }
            assert_eq!(shard.pull(index, 100).await.leased.len(), 10);
        }
        let mut owners = Vec::new();
        for index in 0..4 {
            owners.push(shard.handle.status(partition(index)).await.unwrap().shard);
        }
        assert_eq!(owners.iter().filter(|&&owner| owner == 0).count(), 2, "{owners:?}");
    });
    assert_eq!(used, [20, 20]);
}

/// F50.
#[test]
fn a_memory_store_serves_like_any_other_and_forgets() {
    let directory = directory();
    with_memory_shard(directory.path(), 1 << 20, async |shard| {
        shard.open(&[0]).await;
        let published = shard.publish(0, &[b"a", b"b"]).await.unwrap();
        assert_eq!((published.base_offset, published.durability), (Offset::ZERO, Durability::Memory));
        assert_eq!(shard.read_all(0, 0).await, [b"a", b"b"]);
        let pulled = shard.pull(0, 10).await;
        let acked = pulled.leased.iter().map(|message| (message.offset, message.lease)).collect();
        let outcomes = shard.handle.acknowledge(cursor(0), AckAction::Ack, acked).await.unwrap();
        assert_eq!(outcomes, [AckOutcome::Applied; 2]);
        assert_eq!(shard.pull(0, 10).await.leased, []);
        shard.stop().await;
    });
    with_memory_shard(directory.path(), 1 << 20, async |shard| {
        shard.open(&[0]).await;
        let read = ReadRequest { from: ReadFrom::Offset(Offset::ZERO), bytes_max: 100, wait: Duration::ZERO };
        let old = shard.handle.read(partition(0), read).await;
        assert!(matches!(old, Err(ReadError::Expired { .. })), "an old offset is never another message: {old:?}");
        let published = shard.publish(0, &[b"c"]).await.unwrap();
        assert_eq!(published.base_offset, Offset::new(1 << 40));
        assert_eq!(shard.pull(0, 10).await.leased.len(), 1);
    });
}

#[test]
fn a_store_that_is_full_refuses_and_stores_nothing() {
    let directory = directory();
    with_memory_shard(directory.path(), 10_000, async |shard| {
        shard.open(&[0]).await;
        shard.publish(0, &[&[b'x'; 6_000]]).await.unwrap();
        let full = shard.publish(0, &[&[b'x'; 6_000]]).await;
        assert!(matches!(full, Err(PublishError::Rejected { .. })), "{full:?}");
        let small = shard.publish(0, &[b"small"]).await.unwrap();
        assert_eq!(small.base_offset, Offset::new(1), "no offset is lost");
        assert_eq!(shard.read_all(0, 1).await, [b"small"]);
        assert_eq!(shard.handle.status(partition(0)).await.unwrap().closed, None);
    });
}
