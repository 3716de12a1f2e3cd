//! What a server must be before anything is written to it, and what its acknowledgements are then worth.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use shard::redis::{
    Failure, FailureKind, OpenError, Outcome, Password, Persistence, RedisConfig, RedisLink, ServerFacts, check_server,
    open,
};
use shard_core::model::Offset;

use crate::{
    fixture::{EPOCH, PARTITION, append, batch, config, impatient, on_executor, open_new},
    server::{RedisServer, free_port},
};

/// The commands of the operations page, and no others.
const PERMISSIONS: &str = "+info +config|get +multi +exec +select +eval +evalsha +wait +exists +unlink +rename +hget +hmget +hset \
    +xadd +xinfo|stream +xlen +xrange +xrevrange +xtrim +llen +lrange +rpush";

fn check(config: RedisConfig) -> Result<ServerFacts, Failure> {
    on_executor(async move || check_server(&config).await)
}

fn refused(config: RedisConfig) -> (FailureKind, String) {
    let failure = check(config).unwrap_err();
    let line = failure.to_string();
    assert!(!line.contains('\n'), "{line}");
    (failure.kind(), line)
}

#[test]
fn a_durable_server_is_fit() {
    let server = RedisServer::start();
    let facts = check(config(server.port())).unwrap();
    assert_eq!((facts.persistence, facts.caveat), (Persistence::Fsync, None));
}

#[test]
fn acknowledgements_are_worth_what_the_settings_say() {
    for settings in [["--appendfsync", "everysec"], ["--appendonly", "no"], ["--no-appendfsync-on-rewrite", "yes"]] {
        let server = RedisServer::start_with(&settings);
        let port = server.port();
        let acknowledged =
            on_executor(async move || append(&mut open_new(&RedisLink::start(config(port))).await, 1).await.1);
        assert_eq!(acknowledged.persistence, Persistence::Buffered, "{settings:?}");
    }
}

/// F48.
#[test]
fn a_server_that_drops_keys_is_refused_and_nothing_is_written() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let (kind, line) = refused(config(server.port()));
    assert_eq!(kind, FailureKind::Unfit);
    assert!(line.contains("CONFIG SET maxmemory-policy noeviction"), "{line}");
    let port = server.port();
    let opened = on_executor(async move || {
        open(&RedisLink::start(config(port)), PARTITION, EPOCH, Offset::ZERO).await.map(|_| ())
    });
    let Err(OpenError::Request(error)) = opened else { panic!("{opened:?}") };
    assert_eq!((error.failure.kind(), error.outcome), (FailureKind::Unfit, Outcome::NotApplied));
    assert_eq!(server.command::<u64>(&["DBSIZE"]), 0);
}

#[test]
fn a_server_that_is_made_fit_is_used_without_a_restart() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let port = server.port();
    on_executor(async move || {
        let link = RedisLink::start(config(port));
        assert!(open(&link, PARTITION, EPOCH, Offset::ZERO).await.is_err());
        let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        // It looks again within half a second.
        while open(&link, PARTITION, EPOCH, Offset::ZERO).await.is_err() {
            glommio::timer::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_replica_is_refused() {
    let master = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    let (kind, line) = refused(config(replica.port()));
    assert_eq!(kind, FailureKind::ReadOnly);
    assert!(line.contains(&format!("a replica of 127.0.0.1:{}", master.port())), "{line}");
}

/// F45.
#[test]
fn a_member_of_a_redis_cluster_is_refused() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let (kind, line) = refused(config(server.port()));
    assert_eq!(kind, FailureKind::Unfit);
    assert!(line.contains("cluster"), "{line}");
}

#[test]
fn the_password_is_needed_and_never_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right-secret"]);
    let with =
        |password: &str| RedisConfig { password: Some(Password::new(password.to_owned())), ..config(server.port()) };
    assert_eq!(refused(config(server.port())).0, FailureKind::NotAuthenticated);
    let (kind, line) = refused(with("wrong-secret"));
    assert_eq!(kind, FailureKind::WrongPassword);
    assert!(!line.contains("secret"), "{line}");
    assert!(check(with("right-secret")).is_ok());
    assert!(!format!("{:?}", with("right-secret")).contains("secret"));
}

#[test]
fn a_user_with_the_listed_permissions_is_enough() {
    let server = RedisServer::start();
    let mut rule = vec!["ACL", "SETUSER", "pubsub", "on", ">secret", "~{pubsub:test:*"];
    rule.extend(PERMISSIONS.split_whitespace());
    let () = server.command(&rule);
    let user = RedisConfig {
        username: Some("pubsub".to_owned()),
        password: Some(Password::new("secret".to_owned())),
        database: 2,
        ..config(server.port())
    };
    on_executor(async move || {
        let link = RedisLink::start(user);
        let mut partition = open_new(&link).await;
        assert_eq!(append(&mut partition, 20).await.1.persistence, Persistence::Fsync);
        partition.log.trim(Offset::new(3)).await.unwrap();
        partition.reader.read(Offset::new(3), 1).await.unwrap();
        partition.cursors.replace(&crate::fixture::entries(&["a"])).await.unwrap();
        partition.cursors.load().await.unwrap();
        partition.log.append(&[batch(20, 1, 1), batch(21, 1, 1)]).await.unwrap();
        shard::redis::truncate(&link, PARTITION, EPOCH, Offset::new(20)).await.unwrap();
        shard::redis::accept_loss(&link, PARTITION, EPOCH, Offset::new(30)).await.unwrap();
        shard::redis::delete(&link, PARTITION, EPOCH).await.unwrap();
    });
    drop(server);
}

#[test]
fn the_operations_page_lists_these_permissions() {
    let page = include_str!("../../../docs/operations.md");
    for permission in PERMISSIONS.split_whitespace() {
        assert!(page.split_whitespace().any(|word| word == permission), "{permission}");
    }
}

#[test]
fn a_user_that_may_not_read_the_settings_gets_buffered() {
    let server = RedisServer::start();
    let () = server.command(&["ACL", "SETUSER", "pubsub", "on", ">secret", "~*", "+@all", "-config"]);
    let user = RedisConfig {
        username: Some("pubsub".to_owned()),
        password: Some(Password::new("secret".to_owned())),
        ..config(server.port())
    };
    let facts = check(user).unwrap();
    assert_eq!(facts.persistence, Persistence::Buffered);
    assert!(facts.caveat.unwrap().contains("+config|get"));
}

#[test]
fn a_closed_port_and_a_silent_one_are_told_in_time() {
    assert_eq!(refused(config(free_port())).0, FailureKind::Unreachable);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(refused(impatient(port)).0, FailureKind::Unreachable);
}

#[test]
fn a_name_is_looked_up() {
    let server = RedisServer::start();
    assert!(check(RedisConfig { host: "localhost".to_owned(), ..config(server.port()) }).is_ok());
    let unknown = RedisConfig { host: "no-such-host.invalid".to_owned(), ..config(server.port()) };
    assert_eq!(refused(unknown).0, FailureKind::Unreachable);
}

/// Answers one request with each of these, and then nothing.
fn hostile(answers: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        for answer in answers {
            let _ = client.read(&mut request);
            let _ = client.write_all(answer);
        }
        let _ = client.read(&mut request);
    });
    port
}

/// F51.
#[test]
fn a_hostile_answer_is_refused_before_it_takes_memory() {
    let answers: [&[&[u8]]; 7] = [
        &[b"$1099511627776\r\n"],
        &[b"*9223372036854775807\r\n"],
        &[b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"],
        &[b"%1\r\n+a\r\n+b\r\n"],
        &[b"HTTP/1.1 200 OK\r\n\r\n"],
        &[b"$18446744073709551617\r\n"],
        &[b"$-2\r\n"],
    ];
    for answer in answers {
        let (kind, line) = refused(config(hostile(answer)));
        assert_eq!(kind, FailureKind::Protocol, "{}: {line}", answer[0].escape_ascii());
    }
}

#[test]
fn an_answer_of_another_service_is_no_redis() {
    let (kind, line) = refused(config(hostile(&[b"$5\r\nhello\r\n", b"*0\r\n"])));
    assert_eq!(kind, FailureKind::Unfit, "{line}");
}
