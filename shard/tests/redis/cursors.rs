//! The cursor journal.

use shard::redis::{Refusal, WriteError};

use crate::{
    fixture::{CURSORS, EPOCH, entries, link, on_executor, open_new, refused},
    server::RedisServer,
};

#[test]
fn entries_are_loaded_in_the_order_in_which_they_were_written() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        assert!(partition.cursors.load().await.unwrap().is_empty());
        partition.cursors.append(&entries(&["a", "\0\u{ff}"])).await.unwrap();
        partition.cursors.append(&entries(&["c"])).await.unwrap();
        let mut partition = open_new(&link).await;
        assert_eq!(partition.cursors.len(), 3);
        assert_eq!(partition.cursors.load().await.unwrap(), entries(&["a", "\0\u{ff}", "c"]));
        partition.cursors.replace(&entries(&["snapshot"])).await.unwrap();
        partition.cursors.append(&entries(&["d"])).await.unwrap();
        assert_eq!(open_new(&link).await.cursors.load().await.unwrap(), entries(&["snapshot", "d"]));
    });
    drop(server);
}

#[test]
fn many_and_large_entries_are_loaded_in_pieces() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let large = "x".repeat(1_500_000);
        let mut written = entries(&[&large, "small", &large, &large, &large]);
        written.extend((0..10_000).map(|number: u32| bytes::Bytes::from(number.to_string())));
        partition.cursors.replace(&written).await.unwrap();
        assert_eq!(open_new(&link).await.cursors.load().await.unwrap(), written);
    });
    drop(server);
}

/// F7.
#[test]
fn an_earlier_owner_changes_no_cursor() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut old = open_new(&link).await;
        let mut new = open_new(&link).await;
        new.cursors.append(&entries(&["new"])).await.unwrap();
        let error = old.cursors.replace(&entries(&["old"])).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Fenced { current: EPOCH }));
        assert_eq!(old.cursors.append(&entries(&["old"])).await, Err(WriteError::Closed));
        assert_eq!(new.cursors.load().await.unwrap(), entries(&["new"]));
    });
    drop(server);
}

/// F48.
#[test]
fn a_journal_that_vanished_is_noticed() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        partition.cursors.append(&entries(&["a", "b"])).await.unwrap();
        let _: u64 = server.command(&["DEL", CURSORS]);
        let error = partition.cursors.append(&entries(&["c"])).await.unwrap_err();
        assert_eq!(error, refused(Refusal::Incomplete { listed: 2, found: 0 }));
    });
}
