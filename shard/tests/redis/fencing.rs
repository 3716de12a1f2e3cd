//! Who may write: the owner of the newest epoch, since it opened the partition, and what it believes to be there.

use shard::redis::{
    OpenError, Outcome, RedisLink, RedisPartition, Refusal, WriteError, Written, accept_loss, delete, open, truncate,
};
use shard_core::model::{LeaderEpoch, Offset};

use crate::{
    fixture::{
        EPOCH, METADATA, PARTITION, append, batch, config, link, log_key, on_executor, open_new, range, read_all,
        refusal, refused,
    },
    proxy::Proxy,
    server::RedisServer,
};

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

        let error = old.log.append(&[batch(2, 1, 1)]).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Fenced { current: newer }));
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
        let error = before.log.append(&[batch(0, 1, 1)]).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Fenced { current: EPOCH }));
        assert!(read_all(&after.reader, 0).await.is_empty());
    });
    drop(server);
}

#[test]
fn an_opening_that_redis_forgot_is_noticed() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 1).await;
        // As after a failover to a replica that had not heard of the newest owner.
        let () = server.command(&["RENAME", &log_key(&server), "{pubsub:test:7:3}:log:older"]);
        let _: u64 = server.command(&["HSET", METADATA, "epoch", "4", "session", "older"]);
        assert_eq!(partition.log.append(&[batch(1, 1, 1)]).await, Err(refused(Refusal::Missing)));

        let mut partition = open(&link, PARTITION, EPOCH, Offset::new(1)).await.unwrap();
        let (second, _) = append(&mut partition, 1).await;
        assert_eq!(read_all(&partition.reader, 0).await, [first, second]);
        assert_eq!(server.command::<String>(&["HGET", METADATA, "epoch"]), "5");
    });
}

#[test]
fn an_owner_is_told_whether_it_is_one_still() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut old = open_new(&link).await;
        append(&mut old, 2).await;
        assert_eq!(old.log.confirm().await, Ok(()));
        old.log.trim(Offset::new(1)).await.unwrap();
        assert_eq!(old.log.confirm().await, Ok(()));
        // It has nothing to write, and so would not notice by itself.
        let newer = LeaderEpoch::new(6);
        let new = open(&link, PARTITION, newer, Offset::new(2)).await.unwrap();
        assert_eq!(old.log.confirm().await, Err(refused(Refusal::Fenced { current: newer })));
        assert_eq!(new.log.confirm().await, Ok(()));
        assert_eq!(new.log.offsets(), old.log.offsets());
    });
    drop(server);
}

/// F7.
#[test]
fn openings_at_the_same_time_leave_one_owner() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let openings = (0..20).map(|_| {
            let link = link.clone();
            glommio::spawn_local(async move { open(&link, PARTITION, EPOCH, Offset::ZERO).await })
        });
        let mut owners = 0;
        for opening in openings.collect::<Vec<_>>() {
            // Some may have been overtaken too often.
            let Ok(mut partition) = opening.await else { continue };
            let base = partition.log.offsets().end.get();
            owners += u32::from(partition.log.append(&[batch(base, 1, 1)]).await.is_ok());
        }
        assert_eq!(owners, 1);
        assert_eq!(open_new(&link).await.offsets, range(0, 1));
    });
    drop(server);
}

/// F46.
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
fn a_log_that_goes_further_than_it_was_left_is_not_written() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        append(&mut partition, 2).await;
        add_foreign(&server, "3-5");
        let error = partition.log.append(&[batch(2, 1, 2)]).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Elsewhere { stored_end: 3 }));
        assert!(partition.log.is_closed());
    });
}

#[test]
fn several_batches_behind_something_foreign_have_an_unknown_outcome() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        append(&mut partition, 2).await;
        add_foreign(&server, "3-5");
        let error = partition.log.append(&[batch(2, 1, 2), batch(3, 1, 3)]).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(refusal(error), Refusal::Elsewhere { stored_end: 4 });
    });
}

#[test]
fn a_log_that_changed_behind_a_lost_connection_is_not_written() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        append(&mut partition, 2).await;
        add_foreign(&server, "2-9");
        server.hang_up();
        let error = partition.log.append(&[batch(2, 1, 2)]).await.unwrap_err();
        assert_eq!(refusal(error), Refusal::Elsewhere { stored_end: 2 });
    });
}

#[test]
fn several_batches_are_told_from_their_second_copy_and_kept_together() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let link = RedisLink::start(config(proxy.port()));
        let mut partition = open_new(&link).await;
        let sent: Vec<_> = (0..30).map(|index| batch(index * 2, 2, 1)).collect();
        partition.log.append(&sent[..10]).await.unwrap();
        proxy.lose_next_answer();
        let acknowledged = partition.log.append(&sent[10..]).await.unwrap();
        assert_eq!((acknowledged.offsets, acknowledged.written), (range(20, 60), Written::Before));
        assert_eq!(read_all(&partition.reader, 0).await, sent);
    });
    drop(server);
}

#[test]
fn an_append_whose_first_try_was_applied_before_a_takeover_has_an_unknown_outcome() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let link = RedisLink::start(config(proxy.port()));
        let mut partition = open_new(&link).await;
        append(&mut partition, 1).await;
        proxy.lose_next_answer();
        // The takeover comes between the two tries, over a connection of its own.
        let direct = RedisLink::start(config(server.port()));
        let sent = [batch(1, 1, 1)];
        let append = partition.log.append(&sent);
        let takeover = async {
            while link.connections() < 2 {
                glommio::executor().yield_task_queue_now().await;
            }
            open(&direct, PARTITION, LeaderEpoch::new(6), Offset::ZERO).await.unwrap()
        };
        let (appended, mut taken) = futures_lite::future::zip(append, takeover).await;
        match appended {
            Ok(acknowledged) => assert_eq!(acknowledged.written, Written::Before),
            Err(error) => assert_eq!(error.outcome(), Outcome::Unknown, "{error}"),
        }
        // However it went, what is there stays there.
        assert_eq!(taken.offsets, range(0, 2));
        append_at_end(&mut taken).await;
    });
}

async fn append_at_end(partition: &mut RedisPartition) {
    let base = partition.log.offsets().end.get();
    assert_eq!(append(partition, 1).await.1.offsets, range(base, base + 1));
}

fn add_foreign(server: &RedisServer, id: &str) {
    let _: String = server.command(&["XADD", &log_key(server), id, "position", "0", "batch", "not ours"]);
}

/// F15.
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
        let cursors = partition.cursors.append(&crate::fixture::entries(&["a"])).await;
        assert_eq!(cursors, Err(refused(version.clone())));
        let opened = open(&link, PARTITION, LeaderEpoch::new(9), Offset::ZERO).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Refused(version)));
        assert_eq!(server.command::<String>(&["HGET", METADATA, "epoch"]), "5");
    });
}
