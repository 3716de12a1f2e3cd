//! Append, read, find, trim, cut, delete.

use shard::redis::{OpenError, PageError, Persistence, ReadError, RedisLink, Written, delete, open, truncate};
use shard_core::model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicPartition};

use crate::{
    fixture::{
        CURSORS, EPOCH, METADATA, PARTITION, append, batch, batch_of, config, entries, link, log_key, on_executor,
        open_new, range, read_all,
    },
    server::RedisServer,
};

#[test]
fn batches_come_back_byte_equal() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        assert_eq!((partition.offsets, partition.latest, partition.bytes), (range(0, 0), Timestamp::default(), 0));
        let sent = [batch(0, 1, 10), batch(1, 100, 20), batch_of(101, 1, 30, 3 << 20), batch(102, 7, 40)];
        let acknowledged = partition.log.append(&sent[..1]).await.unwrap();
        assert_eq!((acknowledged.offsets, acknowledged.written), (range(0, 1), Written::Now));
        assert_eq!(acknowledged.persistence, Persistence::Fsync);
        assert_eq!(partition.log.append(&sent[1..]).await.unwrap().offsets, range(1, 109));
        assert_eq!(read_all(&partition.reader, 0).await, sent);

        let again = open(&link(port), PARTITION, LeaderEpoch::new(6), Offset::new(109)).await.unwrap();
        let bytes: usize = sent.iter().map(|batch| batch.bytes().len()).sum();
        assert_eq!(again.offsets, range(0, 109));
        assert_eq!(again.latest, Timestamp::from_millis(40));
        assert_eq!(again.bytes, u64::try_from(bytes).unwrap());
        assert_eq!(read_all(&again.reader, 0).await, sent);
    });
    drop(server);
}

#[test]
fn a_read_begins_in_the_middle_of_a_batch_and_keeps_to_its_bytes() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        let sent: Vec<_> = (0..100).map(|index| batch(index * 10, 10, 1)).collect();
        partition.log.append(&sent).await.unwrap();

        let page = partition.reader.read(Offset::new(255), 1).await.unwrap();
        assert_eq!(page, sent[25..26]);
        let batch_bytes = sent[0].bytes().len();
        let page = partition.reader.read(Offset::new(255), 7 * batch_bytes).await.unwrap();
        assert_eq!(page, sent[25..32]);
        assert_eq!(partition.reader.read(Offset::new(1000), 1).await.unwrap(), []);
        let outside = partition.reader.read(Offset::new(1001), 1).await.unwrap_err();
        let expected = PageError::OutOfRange { offset: Offset::new(1001), log: range(0, 1000) };
        assert_eq!(outside, ReadError::Page(expected));
    });
    drop(server);
}

#[test]
fn a_time_is_found_even_where_the_clock_went_back() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        let times = [100, 200, 50, 200, 300];
        let sent: Vec<_> = (0_u64..).zip(times).map(|(index, time)| batch(index * 10, 10, time)).collect();
        partition.log.append(&sent).await.unwrap();
        let log = partition.log.offsets();
        for (time, first) in [(0, 0), (100, 0), (101, 10), (200, 10), (201, 40), (301, 50)] {
            let found = partition.reader.find_time(Timestamp::from_millis(time), log.end).await.unwrap();
            assert_eq!(found, Offset::new(first), "{time}");
        }
        let batch_bytes = u64::try_from(sent[0].bytes().len()).unwrap();
        for (bytes, first) in [(0, 0), (1, 10), (batch_bytes, 10), (batch_bytes + 1, 20), (6 * batch_bytes, 50)] {
            let found = partition.reader.find(log.end, |entry| entry.position >= bytes).await.unwrap();
            assert_eq!(found, Offset::new(first), "{bytes}");
        }
    });
    drop(server);
}

#[test]
fn a_trim_keeps_the_batch_that_holds_the_start() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let sent: Vec<_> = (0..10).map(|index| batch(index * 10, 10, 1)).collect();
        partition.log.append(&sent).await.unwrap();
        assert_eq!(partition.log.trim(Offset::new(35)).await.unwrap(), range(35, 100));
        assert_eq!(partition.log.trim(Offset::new(20)).await.unwrap(), range(35, 100));
        assert_eq!(read_all(&partition.reader, 35).await, sent[3..]);
        let before = partition.reader.read(Offset::new(34), 1).await.unwrap_err();
        assert!(matches!(before, ReadError::Page(PageError::OutOfRange { .. })), "{before}");

        let mut partition = open_new(&link).await;
        assert_eq!(partition.offsets, range(35, 100));
        assert_eq!(partition.bytes, u64::try_from(7 * sent[0].bytes().len()).unwrap());
        assert_eq!(partition.log.trim(Offset::new(100)).await.unwrap(), range(100, 100));
        let mut partition = open_new(&link).await;
        assert_eq!(
            (partition.offsets, partition.bytes, partition.latest),
            (range(100, 100), 0, Timestamp::from_millis(1))
        );
        let (batch, _) = append(&mut partition, 3).await;
        assert_eq!(read_all(&partition.reader, 100).await, [batch]);
    });
    drop(server);
}

#[test]
fn a_log_is_cut_and_written_on_at_the_same_offsets() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let sent: Vec<_> = (0..40).map(|index| batch(index * 10, 10, i64::try_from(index).unwrap())).collect();
        partition.log.append(&sent).await.unwrap();
        partition.log.trim(Offset::new(15)).await.unwrap();

        assert_eq!(truncate(&link, PARTITION, EPOCH, Offset::new(400)).await.unwrap().offsets, range(15, 400));
        let mut partition = truncate(&link, PARTITION, EPOCH, Offset::new(305)).await.unwrap();
        assert_eq!((partition.offsets, partition.latest), (range(15, 300), Timestamp::from_millis(29)));
        assert_eq!(partition.bytes, u64::try_from(29 * sent[0].bytes().len()).unwrap());
        assert_eq!(read_all(&partition.reader, 15).await, sent[1..30]);

        let (new, _) = append(&mut partition, 2).await;
        assert_eq!(partition.reader.read(Offset::new(300), 1).await.unwrap(), [new]);

        let expired = truncate(&link, PARTITION, EPOCH, Offset::new(14)).await.map(|_| ());
        assert_eq!(expired, Err(OpenError::Expired { end: Offset::new(14), start: Offset::new(15) }));
        let mut partition = truncate(&link, PARTITION, EPOCH, Offset::new(19)).await.unwrap();
        assert_eq!((partition.offsets, partition.bytes), (range(15, 15), 0));
        append(&mut partition, 1).await;
        assert_eq!(open_new(&link).await.offsets, range(15, 16));
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 2);
    });
}

#[test]
fn a_deleted_partition_leaves_no_key_and_begins_anew() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 3).await;
        partition.cursors.append(&entries(&["a"])).await.unwrap();
        assert_eq!(server.command::<u64>(&["EXISTS", &log_key(&server), METADATA, CURSORS]), 3);
        delete(&link, PARTITION, EPOCH).await.unwrap();
        delete(&link, PARTITION, EPOCH).await.unwrap();
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 0);
        let base = partition.log.offsets().end.get();
        assert!(partition.log.append(&[batch(base, 1, 1)]).await.is_err());
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 0);
        assert_eq!(open_new(&link).await.offsets, range(0, 0));
    });
}

#[test]
fn many_partitions_share_a_connection() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = RedisLink::start(config(port));
        let tasks = (0..50).map(|index| {
            let link = link.clone();
            glommio::spawn_local(async move {
                let id = TopicPartition::new(TopicId::new(1), PartitionIndex::new(index));
                let mut partition = open(&link, id, EPOCH, Offset::ZERO).await.unwrap();
                let mut sent = Vec::new();
                for _ in 0..20 {
                    sent.push(append(&mut partition, u64::from(index) + 1).await.0);
                }
                assert_eq!(read_all(&partition.reader, 0).await, sent);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await;
        }
        assert_eq!(link.connections(), 1);
    });
    drop(server);
}

#[test]
fn scripts_that_redis_forgot_are_sent_again() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        let (first, _) = append(&mut partition, 1).await;
        let () = server.command(&["SCRIPT", "FLUSH"]);
        let (second, _) = append(&mut partition, 1).await;
        assert_eq!(read_all(&partition.reader, 0).await, [first, second]);
    });
}
