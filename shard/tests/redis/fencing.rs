//! Who may write: the owner of the newest epoch, since it opened the partition, and what it believes to be there.

use shard::redis::{OpenError, Refusal, WriteError, Written, accept_loss, delete, open, truncate};
use shard_core::model::{LeaderEpoch, Offset};

use crate::{
    fixture::{EPOCH, METADATA, PARTITION, append, batch, config, link, on_executor, open_new, range, read_all},
    proxy::Proxy,
    server::RedisServer,
};
use shard::redis::RedisLink;

#[test]
fn an_older_epoch_never_writes() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut old = open_new(&link).await;
        let (kept, _) = append(&mut old, 2).await;
        let newer = LeaderEpoch::new(6);
        let mut new = open(&link, PARTITION, newer, Offset::new(2)).await.unwrap();

        let refused = old.log.append(&[batch(2, 1, 1)]).await.unwrap_err();
        assert_eq!(refused, WriteError::Refused(Refusal::Fenced { current: newer }));
        assert_eq!(old.log.append(&[batch(2, 1, 1)]).await, Err(WriteError::Closed));
        let fenced = Err(OpenError::Refused(Refusal::Fenced { current: newer }));
        assert_eq!(open(&link, PARTITION, EPOCH, Offset::ZERO).await.map(|_| ()), fenced);
        assert_eq!(truncate(&link, PARTITION, EPOCH, Offset::ZERO).await.map(|_| ()), fenced);
        assert_eq!(accept_loss(&link, PARTITION, EPOCH, Offset::new(9)).await, fenced);
        assert_eq!(delete(&link, PARTITION, EPOCH).await, fenced);
        assert_eq!(read_all(&new.reader, 0).await, std::slice::from_ref(&kept));

        let (more, acknowledged) = append(&mut new, 1).await;
        assert_eq!(acknowledged.offsets, range(2, 3));
        assert_eq!(read_all(&new.reader, 0).await, [kept, more]);
    });
    drop(server);
}

#[test]
fn what_was_sent_before_a_partition_was_opened_anew_has_no_effect() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut before = open_new(&link).await;
        let after = open_new(&link).await;
        let refused = before.log.append(&[batch(0, 1, 1)]).await.unwrap_err();
        assert_eq!(refused, WriteError::Refused(Refusal::Fenced { current: EPOCH }));
        assert!(read_all(&after.reader, 0).await.is_empty());
    });
    drop(server);
}

#[test]
fn a_newer_epoch_takes_over_with_its_append() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 1).await;
        // As after a failover to a replica that had not heard of the newest owner.
        let _: u64 = server.command(&["HSET", METADATA, "epoch", "4", "session", "older"]);
        let (second, _) = append(&mut partition, 1).await;
        assert_eq!(read_all(&partition.reader, 0).await, [first, second]);
        assert_eq!(server.command::<String>(&["HGET", METADATA, "epoch"]), "5");
    });
}

#[test]
fn a_second_copy_of_an_append_is_told_from_a_first() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let link = RedisLink::start(config(proxy.port()));
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 3).await;
        proxy.lose_next_answer();
        let (second, acknowledged) = append(&mut partition, 4).await;
        assert_eq!((acknowledged.offsets, acknowledged.written), (range(3, 7), Written::Before));
        let (third, acknowledged) = append(&mut partition, 1).await;
        assert_eq!((acknowledged.offsets, acknowledged.written), (range(7, 8), Written::Now));
        assert_eq!(read_all(&partition.reader, 0).await, [first, second, third]);
        assert_eq!(link.connections(), 2);
    });
    drop(server);
}

#[test]
fn a_second_copy_of_a_cursor_write_is_told_from_a_first() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let link = RedisLink::start(config(proxy.port()));
        let mut partition = open_new(&link).await;
        let entry = crate::fixture::entries(&["a"]);
        for _ in 0..3 {
            proxy.lose_next_answer();
            partition.cursors.append(&entry).await.unwrap();
        }
        assert_eq!(partition.cursors.load().await.unwrap().len(), 3);
    });
    drop(server);
}

#[test]
fn a_log_that_is_not_where_it_was_left_is_not_written() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        for end in ["1", "3"] {
            let mut partition = open_new(&link).await;
            if partition.offsets.end == Offset::ZERO {
                append(&mut partition, 2).await;
            }
            let _: u64 = server.command(&["HSET", METADATA, "end", end]);
            let refused = partition.log.append(&[batch(2, 1, 1)]).await.unwrap_err();
            let stored_end = end.parse().unwrap();
            assert_eq!(refused, WriteError::Refused(Refusal::Elsewhere { stored_end }));
            let _: u64 = server.command(&["HSET", METADATA, "end", "2"]);
        }
        assert_eq!(open_new(&link).await.offsets, range(0, 2));
    });
}

#[test]
fn a_newer_format_is_left_alone() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 1).await;
        let _: u64 = server.command(&["HSET", METADATA, "version", "2"]);
        let version = Refusal::Version { version: "2".to_owned() };
        assert_eq!(partition.log.append(&[batch(1, 1, 1)]).await, Err(WriteError::Refused(version.clone())));
        let opened = open(&link, PARTITION, LeaderEpoch::new(9), Offset::ZERO).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Refused(version)));
        assert_eq!(server.command::<String>(&["HGET", METADATA, "epoch"]), "5");
    });
}
