//! What Redis loses is noticed, told with its offsets, and never served as if it were whole.

use shard::redis::{OpenError, PageError, ReadError, Refusal, accept_loss, open};
use shard_core::model::Offset;

use crate::{
    fixture::{
        EPOCH, METADATA, PARTITION, append, batch, link, log_key, on_executor, open_new, range, read_all, refusal,
        refused,
    },
    server::RedisServer,
};

/// F47.
#[test]
fn a_server_that_comes_back_empty_is_noticed_and_no_offset_is_used_twice() {
    let mut server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 10).await;
        server.kill();
        server.restart_empty();

        let error = partition.log.append(&[batch(10, 1, 1)]).await.unwrap_err();
        assert_eq!(refusal(error), Refusal::Missing);
        let read = partition.reader.read(Offset::ZERO, 1).await.unwrap_err();
        assert_eq!(read, ReadError::Page(PageError::Refused(Refusal::Missing)));
        let acknowledged_end = Offset::new(10);
        let lost = Err(OpenError::Lost { stored: range(0, 0), acknowledged_end });
        for _ in 0..2 {
            assert_eq!(open(&link, PARTITION, EPOCH, acknowledged_end).await.map(|_| ()), lost);
        }

        accept_loss(&link, PARTITION, EPOCH, acknowledged_end).await.unwrap();
        let mut partition = open(&link, PARTITION, EPOCH, acknowledged_end).await.unwrap();
        let read = partition.reader.read(Offset::new(4), 1).await.unwrap_err();
        assert_eq!(read, ReadError::Page(PageError::Lost { lost: range(4, 10) }));
        let (batch, acknowledged) = append(&mut partition, 1).await;
        assert_eq!(acknowledged.offsets, range(10, 11));
        let read = partition.reader.read(Offset::new(4), 1).await.unwrap_err();
        assert_eq!(read, ReadError::Page(PageError::Lost { lost: range(4, 10) }));
        assert_eq!(read_all(&partition.reader, 10).await, [batch]);
        assert_eq!(open_new(&link).await.offsets, range(0, 11));
    });
}

/// F47.
#[test]
fn a_tail_that_vanished_is_noticed() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 10).await;
        append(&mut partition, 5).await;
        let _: u64 = server.command(&["XDEL", &log_key(&server), "15-10"]);
        server.hang_up();
        let error = partition.log.append(&[batch(15, 1, 1)]).await.unwrap_err();
        assert_eq!(refusal(error), Refusal::Elsewhere { stored_end: 10 });
        let acknowledged_end = Offset::new(15);
        let opened = open(&link, PARTITION, EPOCH, acknowledged_end).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Lost { stored: range(0, 10), acknowledged_end }));

        let too_low = accept_loss(&link, PARTITION, EPOCH, Offset::new(14)).await;
        assert_eq!(too_low, Err(OpenError::Refused(Refusal::Elsewhere { stored_end: 15 })));
        accept_loss(&link, PARTITION, EPOCH, acknowledged_end).await.unwrap();
        let partition = open(&link, PARTITION, EPOCH, acknowledged_end).await.unwrap();
        assert_eq!(partition.reader.read(Offset::ZERO, 1 << 20).await.unwrap().len(), 1);
        let read = partition.reader.read(Offset::new(10), 1).await.unwrap_err();
        assert_eq!(read, ReadError::Page(PageError::Lost { lost: range(10, 15) }));
    });
}

#[test]
fn a_tail_that_vanished_before_an_opening_is_noticed_without_knowing_what_was_acknowledged() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        append(&mut open_new(&link).await, 10).await;
        append(&mut open_new(&link).await, 5).await;
        drop(open_new(&link).await);
        let _: u64 = server.command(&["XDEL", &log_key(&server), "15-10"]);
        let opened = open(&link, PARTITION, EPOCH, Offset::ZERO).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Refused(Refusal::Elsewhere { stored_end: 10 })));
    });
}

/// F48.
#[test]
fn a_hole_in_the_middle_is_told_with_its_offsets_and_what_is_around_it_is_served() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 10).await;
        append(&mut partition, 5).await;
        let (third, _) = append(&mut partition, 5).await;
        let _: u64 = server.command(&["XDEL", &log_key(&server), "15-10"]);
        assert_eq!(partition.reader.read(Offset::ZERO, 1 << 20).await.unwrap(), [first]);
        let read = partition.reader.read(Offset::new(12), 1).await.unwrap_err();
        assert_eq!(read, ReadError::Page(PageError::Lost { lost: range(12, 15) }));
        assert_eq!(partition.reader.read(Offset::new(15), 1).await.unwrap(), [third]);
    });
}

/// F47.
#[test]
fn an_older_state_is_noticed() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 10).await;
        let key = log_key(&server);
        let (log, metadata) = (dump(&server, &key), dump(&server, METADATA));
        append(&mut partition, 5).await;
        restore(&server, &key, &log);
        restore(&server, METADATA, &metadata);
        // Nothing goes back while a server runs; it is seen on the first connection to the one that has.
        server.hang_up();
        let error = partition.log.append(&[batch(15, 1, 1)]).await.unwrap_err();
        assert_eq!(refusal(error), Refusal::Elsewhere { stored_end: 10 });
        let opened = open(&link, PARTITION, EPOCH, Offset::new(15)).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Lost { stored: range(0, 10), acknowledged_end: Offset::new(15) }));
    });
}

/// F48.
#[test]
fn a_log_or_metadata_that_vanished_is_noticed() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        append(&mut partition, 10).await;
        let _: u64 = server.command(&["DEL", &log_key(&server)]);
        let error = partition.log.append(&[batch(10, 1, 1)]).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Missing));
        let opened = open(&link, PARTITION, EPOCH, Offset::ZERO).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Refused(Refusal::Missing)));
        accept_loss(&link, PARTITION, EPOCH, Offset::new(10)).await.unwrap();
        let mut partition = open_new(&link).await;
        assert_eq!(append(&mut partition, 1).await.1.offsets, range(10, 11));

        let _: u64 = server.command(&["DEL", METADATA]);
        let acknowledged_end = Offset::new(11);
        let opened = open(&link, PARTITION, EPOCH, acknowledged_end).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Lost { stored: range(0, 0), acknowledged_end }));
    });
}

#[test]
fn a_damaged_entry_is_not_served() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        append(&mut partition, 1).await;
        let _: u64 = server.command(&["XDEL", &log_key(&server), "1-0"]);
        let _: String =
            server.command(&["XADD", &log_key(&server), "1-1", "position", "0", "batch", "PSRB and then not"]);
        let read = partition.reader.read(Offset::ZERO, 1).await.unwrap_err();
        assert!(matches!(read, ReadError::Page(PageError::Damaged { .. })), "{read}");
    });
}

fn dump(server: &RedisServer, key: &str) -> Vec<u8> {
    server.bytes_command(redis::cmd("DUMP").arg(key))
}

fn restore(server: &RedisServer, key: &str, dump: &[u8]) {
    let () = server.bytes_command(redis::cmd("RESTORE").arg(key).arg(0).arg(dump).arg("REPLACE"));
}
