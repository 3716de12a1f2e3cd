//! Servers that die, freeze, fill up, are demoted, or sit behind a network that goes silent.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use futures_lite::future;
use glommio::timer::sleep;
use shard::redis::{FailureKind, Outcome, RedisConfig, RedisLink, RedisTimeouts, WriteError, Written, open};
use shard_core::model::Offset;

use crate::{
    fixture::{
        EPOCH, PARTITION, append, batch, batch_of, config, impatient, link, on_executor, open_new, range, read_all,
    },
    proxy::Proxy,
    server::{RedisServer, free_port},
};

/// Longer than any single deadline of `impatient`, shorter than none.
const FREEZE: Duration = Duration::from_secs(3);

/// F45.
#[test]
fn a_server_killed_in_the_middle_of_appends_has_all_that_was_acknowledged() {
    let mut server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&link(port)).await;
        let mut sent = Vec::new();
        for _ in 0..5 {
            for _ in 0..20 {
                sent.push(append(&mut partition, 10).await.0);
            }
            // The append is on its way when the server dies; it is made again until it is answered.
            let restarted = future::zip(append(&mut partition, 10), async {
                server.kill();
                server.restart();
                Instant::now()
            });
            let ((batch, acknowledged), restarted) = restarted.await;
            println!("{:?}, {} ms after the restart", acknowledged.written, restarted.elapsed().as_millis());
            sent.push(batch);
        }
        assert_eq!(read_all(&partition.reader, 0).await, sent);
        assert_eq!(open_new(&link(port)).await.offsets, range(0, 1050));
    });
}

/// F46.
#[test]
fn a_frozen_server_is_given_up_in_time_and_what_it_does_late_harms_nothing() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = RedisLink::start(impatient(port));
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 3).await;
        server.freeze();
        let begun = Instant::now();
        let late = batch(3, 4, 3);
        let error = partition.log.append(std::slice::from_ref(&late)).await.unwrap_err();
        println!("{error}, after {} ms", begun.elapsed().as_millis());
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(partition.log.is_closed());
        sleep(FREEZE.saturating_sub(begun.elapsed())).await;
        // An outage that has lasted is answered at once, and surely nothing of this is written.
        let WriteError::Request(_) = error else { panic!("{error}") };
        let reread = partition.reader.read(Offset::ZERO, 1).await.unwrap_err();
        println!("meanwhile: {reread}");
        server.thaw();

        // The late append counts or it doesn't, for good: nothing changes once the partition is open again.
        let mut partition = reopen(&link).await;
        let expected = if partition.offsets.end == Offset::new(7) { vec![first, late] } else { vec![first] };
        assert_eq!(read_all(&partition.reader, 0).await, expected);
        let (next, _) = append(&mut partition, 1).await;
        assert_eq!(read_all(&partition.reader, 0).await, [expected, vec![next]].concat());
    });
}

/// F46.
#[test]
fn a_frozen_server_that_thaws_before_the_deadline_loses_and_doubles_nothing() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let patient = RedisTimeouts { operation: Duration::from_secs(30), ..impatient(port).timeouts };
        let link = RedisLink::start(RedisConfig { timeouts: patient, ..config(port) });
        let mut partition = open_new(&link).await;
        let mut sent = vec![append(&mut partition, 3).await.0];
        server.freeze();
        let thawed = RefCell::new(None);
        let ((batch, acknowledged), ()) = future::zip(append(&mut partition, 4), async {
            sleep(FREEZE).await;
            server.thaw();
            thawed.replace(Some(Instant::now()));
        })
        .await;
        let resumed = thawed.take().unwrap().elapsed().as_millis();
        println!("{:?}, {resumed} ms after the thaw, {} connections", acknowledged.written, link.connections());
        sent.push(batch);
        // Answers to what was asked before the freeze must not be taken for answers to this.
        for _ in 0..50 {
            sent.push(append(&mut partition, 1).await.0);
            assert_eq!(read_all(&partition.reader, 0).await, sent);
        }
    });
}

/// F46.
#[test]
fn a_connection_that_goes_silent_is_replaced() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let timeouts = RedisTimeouts { request: Duration::from_millis(300), ..config(1).timeouts };
        let link = RedisLink::start(RedisConfig { timeouts, ..config(proxy.port()) });
        let mut partition = open_new(&link).await;
        let (first, _) = append(&mut partition, 1).await;
        proxy.silence();
        let (second, _) = append(&mut partition, 1).await;
        assert_eq!(read_all(&partition.reader, 0).await, [first, second]);
        assert_eq!(link.connections(), 2);
    });
    drop(server);
}

#[test]
fn requests_that_share_a_connection_share_its_end_and_are_all_made_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    on_executor(async move || {
        let timeouts = RedisTimeouts { request: Duration::from_millis(300), ..config(1).timeouts };
        let link = RedisLink::start(RedisConfig { timeouts, ..config(proxy.port()) });
        let mut partition = open_new(&link).await;
        let sent: Vec<_> = (0..20).map(|base| batch(base, 1, 1)).collect();
        partition.log.append(&sent).await.unwrap();
        proxy.silence();
        let reads = (0..20).map(|offset| {
            let reader = partition.reader.clone();
            glommio::spawn_local(async move { reader.read(Offset::new(offset), 1).await })
        });
        // Each gets the answer to its own question.
        for (read, batch) in reads.collect::<Vec<_>>().into_iter().zip(&sent) {
            assert_eq!(read.await.unwrap(), std::slice::from_ref(batch));
        }
        assert_eq!(link.connections(), 2);
    });
    drop(server);
}

/// F45.
#[test]
fn without_a_server_nothing_is_applied_and_an_outage_that_lasts_is_told_at_once() {
    let port = free_port();
    on_executor(async move || {
        let link = RedisLink::start(impatient(port));
        for _ in 0..3 {
            let begun = Instant::now();
            let error = open(&link, PARTITION, EPOCH, Offset::ZERO).await.unwrap_err();
            println!("{error}, after {} ms", begun.elapsed().as_millis());
            let shard::redis::OpenError::Request(error) = error else { panic!("{error}") };
            assert_eq!((error.failure.kind(), error.outcome), (FailureKind::Unreachable, Outcome::NotApplied));
        }
    });
}

/// F45.
#[test]
fn publishing_resumes_by_itself_when_redis_comes_back() {
    let mut server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = RedisLink::start(impatient(port));
        let mut partition = open_new(&link).await;
        append(&mut partition, 1).await;
        server.kill();
        let refused = batch(1, 1, 1);
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            let Err(error) = partition.log.append(std::slice::from_ref(&refused)).await else { panic!() };
            outcomes.push(error.outcome());
            if partition.log.is_closed() {
                break;
            }
        }
        println!("while it was away: {outcomes:?}");
        server.restart();
        let restarted = Instant::now();
        let mut partition = reopen(&link).await;
        append(&mut partition, 1).await;
        println!("resumed {} ms after the restart", restarted.elapsed().as_millis());
    });
}

/// F49.
#[test]
fn a_full_server_refuses_whole_appends_and_takes_them_again_when_it_has_room() {
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let link = link(port);
        let mut partition = open_new(&link).await;
        let info: String = server.command(&["INFO", "memory"]);
        let used: u64 = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap();
        let () = server.command(&["CONFIG", "SET", "maxmemory", &(used + (8 << 20)).to_string()]);

        let mut sent = Vec::new();
        let refused = loop {
            let base = partition.log.offsets().end.get();
            let batches = [batch_of(base, 1, 1, 500_000), batch_of(base + 1, 1, 1, 500_000)];
            match partition.log.append(&batches).await {
                Ok(_) => sent.extend(batches),
                Err(error) => break (error, batches),
            }
        };
        let WriteError::Request(error) = &refused.0 else { panic!("{}", refused.0) };
        assert_eq!((error.failure.kind(), error.outcome), (FailureKind::OutOfMemory, Outcome::NotApplied));
        assert!(!sent.is_empty() && !partition.log.is_closed());
        assert_eq!(read_all(&partition.reader, 0).await, sent);

        // Retention goes on when it is full, and makes room.
        let end = partition.log.offsets().end;
        partition.log.trim(end).await.unwrap();
        partition.log.append(&refused.1).await.unwrap();
        assert_eq!(read_all(&partition.reader, end.get()).await, refused.1);
    });
}

/// F45.
#[test]
fn a_master_that_is_demoted_refuses_and_is_not_written_to() {
    let master = RedisServer::start();
    let server = RedisServer::start();
    let port = server.port();
    on_executor(async move || {
        let mut partition = open_new(&RedisLink::start(impatient(port))).await;
        let (first, _) = append(&mut partition, 1).await;
        // It keeps what it has, since there is no such master.
        let () = server.command(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
        let error = partition.log.append(&[batch(1, 1, 1)]).await.unwrap_err();
        let WriteError::Request(request) = &error else { panic!("{error}") };
        // On a slow machine a deadline may pass, and the new connection then finds a server that is no master.
        assert!(matches!(request.failure.kind(), FailureKind::ReadOnly | FailureKind::Unreachable), "{request:?}");
        assert_eq!(request.outcome, Outcome::NotApplied);
        assert!(!partition.log.is_closed());

        let () = server.command(&["REPLICAOF", "NO", "ONE"]);
        let second = batch(1, 1, 1);
        while partition.log.append(std::slice::from_ref(&second)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(read_all(&partition.reader, 0).await, [first, second]);
    });
    drop(master);
}

#[test]
fn replicas_are_waited_for_where_the_settings_say_so() {
    let master = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    let port = master.port();
    on_executor(async move || {
        let config = RedisConfig { wait_replicas: 1, ..config(port) };
        let link = RedisLink::start(config);
        // The replica copies everything first.
        let mut partition = reopen(&link).await;
        let (_, acknowledged) = append(&mut partition, 1).await;
        assert_eq!((acknowledged.written, acknowledged.replicas), (Written::Now, Some(1)));
        drop(replica);
        let error = partition.log.append(&[batch(1, 1, 1)]).await.unwrap_err();
        assert_eq!(error, WriteError::Replicas { reached: 0, wanted: 1 });
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(partition.log.append(&[batch(1, 1, 1)]).await, Err(WriteError::Closed));
    });
    drop(master);
}

/// Opens the partition as soon as the server allows it.
async fn reopen(link: &RedisLink) -> shard::redis::RedisPartition {
    loop {
        match open(link, PARTITION, EPOCH, Offset::ZERO).await {
            Ok(partition) => return partition,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
