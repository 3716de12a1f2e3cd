//! Partitions of another node, asked for as if they were here, over connections that fail.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod cores;
mod harness;
mod proxy;
mod tls;

use std::{rc::Rc, sync::mpsc, time::Duration};

use futures_lite::future::poll_once;
use futures_util::future::join_all;
use glommio::timer::sleep;
use harness::{
    Pair, SUBSCRIPTION, Traits, batch, batch_of, cursor, partition, pull_request, until, with_nodes, with_pair,
};
use shard::{
    AckAction, AckOutcome, PartitionUnavailable, PublishError, PullRequest, ReadFrom, ReadRequest, Repeats, SeekTo,
    SubscriptionError,
};
use shard_core::{
    delivery::DeliveryMode,
    format::{record::MessageId, record_batch::Producer},
    model::Offset,
};

#[test]
fn what_is_published_through_another_node_is_read_through_any() {
    with_pair(async |pair| {
        let first = pair.one.publish(1, b"through one").await.unwrap();
        let second = pair.two.publish(1, b"at the owner").await.unwrap();
        assert_eq!((first.base_offset, second.base_offset), (Offset::new(0), Offset::new(1)));
        let all = [b"through one".to_vec(), b"at the owner".to_vec()];
        assert_eq!(pair.one.read_all(1).await, all);
        assert_eq!(pair.two.read_all(1).await, all);
        // And the other way round.
        pair.two.publish(0, b"to one").await.unwrap();
        assert_eq!(pair.two.read_all(0).await, [b"to one".to_vec()]);
        let status = pair.one.handle.status(partition(1)).await.unwrap();
        assert_eq!(status.end_offset, Offset::new(2));
        assert_eq!(pair.proxy.accepted(), 1, "all of it went over one connection");
    });
}

#[test]
fn consumers_pull_and_ack_through_another_node() {
    with_pair(async |pair| {
        for payload in [b"a", b"b", b"c"] {
            pair.one.publish(1, payload).await.unwrap();
        }
        let pulled = pair.one.pull(1).await;
        let leases: Vec<_> = pulled.leased.iter().map(|message| (message.offset, message.lease)).collect();
        assert_eq!(leases.len(), 3);
        let acked = pair.one.handle.acknowledge(cursor(1), AckAction::Ack, leases[..1].to_vec()).await;
        assert_eq!(acked, Ok(vec![AckOutcome::Applied]));
        let back =
            pair.one.handle.acknowledge(cursor(1), AckAction::Nack { delay: Some(Duration::ZERO) }, leases).await;
        assert_eq!(back, Ok(vec![AckOutcome::LeaseExpired, AckOutcome::Applied, AckOutcome::Applied]));
        pair.one.handle.ack_up_to(cursor(1), Offset::new(1), None).await.unwrap();
        let status = pair.one.handle.cursor_status(cursor(1)).await.unwrap();
        assert_eq!((status.ack_floor, status.backlog), (Offset::new(2), 1));
        pair.one.handle.seek(cursor(1), SeekTo::Earliest).await.unwrap();
        assert_eq!(pair.one.pull(1).await.leased.len(), 3);
        // What a consumer that has gone held is for the next at once.
        pair.one.handle.release_consumer(cursor(1), pull_request().consumer);
        while pair.one.pull(1).await.leased.len() < 3 {
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn an_id_that_comes_again_through_another_node_is_recognised() {
    with_pair(async |pair| {
        let is_repeat = async |node: &harness::Node| {
            let batch = batch_of(&[b"once"], None, MessageId::Text("order-1"));
            node.handle.publish(partition(1), batch).await.unwrap().place(0).repeat
        };
        assert!(!is_repeat(&pair.one).await);
        assert!(is_repeat(&pair.two).await);
        assert!(is_repeat(&pair.one).await);
        assert_eq!(pair.one.read_all(1).await.len(), 1);
    });
}

#[test]
fn a_large_batch_crosses_whole() {
    with_pair(async |pair| {
        let payload = vec![b'x'; 20 << 20];
        pair.one.publish(1, &payload).await.unwrap();
        assert_eq!(pair.one.read_all(1).await, [payload]);
    });
}

#[test]
fn a_read_waits_at_the_owner_until_there_is_something() {
    with_pair(async |pair| {
        pair.connect().await;
        let read = ReadRequest { from: ReadFrom::Offset(Offset::ZERO), bytes_max: 1_000, wait: Duration::from_mins(1) };
        let mut waiting = Box::pin(pair.one.handle.read(partition(1), read));
        assert!(poll_once(&mut waiting).await.is_none());
        until(|| pair.two.metrics.peer_requests_served.get() == 2).await;
        pair.two.publish(1, b"now").await.unwrap();
        assert_eq!(waiting.await.unwrap().batches.len(), 1);
    });
}

#[test]
fn a_wait_at_several_nodes_ends_with_the_first_message() {
    with_pair(async |pair| {
        pair.connect().await;
        let all: Vec<_> = (0..8).map(partition).collect();
        for index in [0, 3] {
            let mut waiting = Box::pin(pair.one.handle.await_deliverable(SUBSCRIPTION, &all));
            let served = pair.two.metrics.peer_requests_served.get();
            assert!(poll_once(&mut waiting).await.is_none());
            until(|| pair.two.metrics.peer_requests_served.get() > served).await;
            pair.two.publish(index, b"now").await.unwrap();
            assert_eq!(waiting.await, Ok(()));
            pair.one.handle.seek(cursor(index), SeekTo::Latest).await.unwrap();
        }
    });
}

#[test]
fn a_wait_that_is_dropped_takes_no_wake_from_others() {
    with_pair(async |pair| {
        pair.connect().await;
        let at_owner = [partition(1)];
        let mut dropped = Box::pin(pair.one.handle.await_deliverable(SUBSCRIPTION, &at_owner));
        assert!(poll_once(&mut dropped).await.is_none());
        until(|| pair.two.metrics.peer_requests_served.get() == 2).await;
        let mut waiting = Box::pin(pair.two.handle.await_deliverable(SUBSCRIPTION, &at_owner));
        assert!(poll_once(&mut waiting).await.is_none());
        drop(dropped);
        // The one over this connection is answered behind the cancelling of the other.
        pair.one.handle.status(partition(1)).await.unwrap();
        pair.two.publish(1, b"for the one who waits").await.unwrap();
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(pair.one.metrics.peer_requests_in_flight.get(), 0);
    });
}

#[test]
fn a_partition_that_is_not_there_is_not_waited_for() {
    with_pair(async |pair| {
        let refused = pair.one.publish(9, b"nowhere").await;
        assert_eq!(refused, Err(PublishError::Unavailable(PartitionUnavailable::NotHere(partition(9)))));
        assert_eq!(pair.proxy.accepted(), 0);
    });
}

#[test]
fn a_publish_waits_for_the_next_owner() {
    with_pair(async |pair| {
        pair.give(1, None);
        let mut publishing = Box::pin(pair.one.publish(1, b"late"));
        assert!(poll_once(&mut publishing).await.is_none());
        pair.give(1, Some(2));
        assert_eq!(publishing.await.unwrap().base_offset, Offset::ZERO);
    });
}

#[test]
fn a_publish_follows_a_partition_that_has_moved() {
    with_pair(async |pair| {
        // Node 2 has given it up, node 1 has not heard of it.
        pair.connect().await;
        pair.two.close(1).await;
        let mut publishing = Box::pin(pair.one.publish(1, b"behind"));
        assert!(poll_once(&mut publishing).await.is_none());
        until(|| pair.two.metrics.peer_requests_served.get() > 1).await;
        pair.one.open(&[1]).await;
        pair.give(1, Some(1));
        publishing.await.unwrap();
        assert_eq!(pair.one.read_all(1).await, [b"behind".to_vec()]);
        assert_eq!(pair.two.read_all(1).await, [b"behind".to_vec()]);
    });
}

#[test]
fn a_batch_that_came_to_the_former_owner_goes_on_to_the_new_one() {
    with_pair(async |pair| {
        pair.one.close(0).await;
        let mut publishing = Box::pin(pair.one.publish(0, b"passed on"));
        assert!(poll_once(&mut publishing).await.is_none());
        pair.two.open(&[0]).await;
        pair.give(0, Some(2));
        publishing.await.unwrap();
        assert_eq!(pair.two.read_all(0).await, [b"passed on".to_vec()]);
    });
}

#[test]
fn a_read_follows_a_partition_that_has_moved() {
    with_pair(async |pair| {
        pair.one.close(0).await;
        let mut reading = Box::pin(pair.one.read_all(0));
        assert!(poll_once(&mut reading).await.is_none());
        pair.two.open(&[0]).await;
        pair.give(0, Some(2));
        assert_eq!(reading.await, Vec::<Vec<u8>>::new());
    });
}

#[test]
fn a_node_never_asks_on_for_another_one() {
    with_pair(async |pair| {
        // Node 1 believes that node 2 has it, and node 2 that node 1 has: neither has.
        pair.one.close(0).await;
        pair.two.close(1).await;
        let refused = pair.one.publish(1, b"to nobody").await;
        assert_eq!(refused, Err(PublishError::Unavailable(PartitionUnavailable::NotHere(partition(1)))));
        assert_eq!(pair.two.metrics.peer_requests.get(), 0);
    });
}

#[test]
fn a_pull_of_a_partition_without_an_owner_gives_nothing_at_first() {
    with_pair(async |pair| {
        pair.one.publish(1, b"a").await.unwrap();
        pair.give(1, None);
        assert_eq!(pair.one.pull(1).await.leased, []);
        assert_eq!(pair.one.handle.await_deliverable(SUBSCRIPTION, &[partition(1)]).await, Ok(()));
        pair.give(1, Some(2));
        assert_eq!(pair.one.pull(1).await.leased.len(), 1);
    });
}

/// Publishes and counts what is there of it.
async fn publish_once(pair: &Pair) -> (Result<shard::Published, PublishError>, usize) {
    let published = pair.one.publish(1, b"once").await;
    (published, pair.two.read_all(1).await.len())
}

#[test]
fn a_connection_that_ends_before_a_request_is_heard_costs_nothing() {
    with_pair(async |pair| {
        // In the preface, the Hello, the proof, and at their ends.
        for (round, cut) in [0, 1, 15, 16, 17, 60, 121, 122, 150, 181].into_iter().enumerate() {
            pair.proxy.cut_all();
            until(|| pair.one.metrics.peer_connections.get() == 0).await;
            pair.proxy.cut_next(cut, usize::MAX);
            let (published, there) = publish_once(&pair).await;
            published.unwrap_or_else(|error| panic!("cut after {cut} bytes: {error}"));
            assert_eq!(there, round + 1, "cut after {cut} bytes");
        }
    });
}

#[test]
fn an_answer_to_the_handshake_that_is_cut_costs_nothing() {
    with_pair(async |pair| {
        for (round, cut) in [0, 1, 28, 60, 105, 106, 120, 165].into_iter().enumerate() {
            pair.proxy.cut_all();
            until(|| pair.one.metrics.peer_connections.get() == 0).await;
            pair.proxy.cut_next(usize::MAX, cut);
            let (published, there) = publish_once(&pair).await;
            published.unwrap_or_else(|error| panic!("cut after {cut} bytes: {error}"));
            assert_eq!(there, round + 1, "cut after {cut} bytes");
        }
    });
}

/// Begins something, has it be heard and its answer be lost.
async fn lose_the_answer<T>(pair: &Rc<Pair>, asking: impl Future<Output = T>) -> T {
    // So that nothing of the handshake is held back.
    pair.connect().await;
    let served = pair.two.metrics.peer_requests_served.get();
    pair.proxy.hold(false, true);
    let mut asking = Box::pin(asking);
    assert!(poll_once(&mut asking).await.is_none());
    until(|| pair.two.metrics.peer_requests_served.get() > served).await;
    pair.proxy.cut_all();
    pair.proxy.hold(false, false);
    asking.await
}

#[test]
fn a_publish_whose_answer_is_lost_may_be_there() {
    with_pair(async |pair| {
        let lost = lose_the_answer(&pair, pair.one.publish(1, b"perhaps")).await;
        assert!(matches!(lost, Err(PublishError::Unknown { node: 2, .. })), "{lost:?}");
        assert_eq!(pair.two.read_all(1).await.len(), 1, "and it is there once");
    });
}

#[test]
fn a_publish_of_a_producer_is_made_again_and_stored_once() {
    with_pair(async |pair| {
        let producer = Some(Producer { id: 7, epoch: 0, first_sequence: 0 });
        let publishing = pair.one.handle.publish(partition(1), batch(&[b"once"], producer));
        let published = lose_the_answer(&pair, publishing).await.unwrap();
        assert_eq!((published.base_offset, published.repeats), (Offset::ZERO, Repeats::All));
        assert_eq!(pair.two.read_all(1).await.len(), 1);
    });
}

#[test]
fn reads_and_acks_whose_answers_are_lost_are_made_again() {
    with_pair(async |pair| {
        pair.two.publish(1, b"a").await.unwrap();
        assert_eq!(lose_the_answer(&pair, pair.one.read_all(1)).await.len(), 1);
        let pulled = pair.one.pull(1).await;
        let leases = vec![(pulled.leased[0].offset, pulled.leased[0].lease)];
        let acking = pair.one.handle.acknowledge(cursor(1), AckAction::Ack, leases);
        lose_the_answer(&pair, acking).await.unwrap();
        assert_eq!(pair.one.handle.cursor_status(cursor(1)).await.unwrap().backlog, 0);
        lose_the_answer(&pair, pair.one.handle.seek(cursor(1), SeekTo::Earliest)).await.unwrap();
        assert_eq!(pair.one.handle.cursor_status(cursor(1)).await.unwrap().backlog, 1);
    });
}

/// Made again it finds its own work done, and can't tell that from a lease that was over before.
#[test]
fn an_ack_that_counts_once_and_whose_answer_is_lost_may_have_counted() {
    with_pair(async |pair| {
        pair.two.deliver(1, DeliveryMode::ExactlyOnce).await;
        pair.two.publish(1, b"a").await.unwrap();
        let pulled = pair.one.pull(1).await;
        let leases = vec![(pulled.leased[0].offset, pulled.leased[0].lease)];
        let acking = pair.one.handle.acknowledge(cursor(1), AckAction::Ack, leases.clone());
        let lost = lose_the_answer(&pair, acking).await;
        let Err(SubscriptionError::StoreFailed { reason }) = lost else { panic!("{lost:?}") };
        assert!(reason.contains("node 2"), "{reason}");
        assert_eq!(pair.one.handle.cursor_status(cursor(1)).await.unwrap().backlog, 0, "it has counted");
        let late = pair.one.handle.acknowledge(cursor(1), AckAction::Ack, leases).await.unwrap();
        assert_eq!(late, [AckOutcome::LeaseExpired], "of one that was heard the answer is certain");
    });
}

#[test]
fn what_was_leased_for_a_consumer_that_has_gone_is_for_the_next() {
    with_pair(async |pair| {
        pair.two.publish(1, b"a").await.unwrap();
        pair.connect().await;
        pair.proxy.hold(false, true);
        let pull = PullRequest { ack_deadline: Some(Duration::from_hours(1)), ..pull_request() };
        let mut pulling = Box::pin(pair.one.handle.pull(cursor(1), pull));
        assert!(poll_once(&mut pulling).await.is_none());
        until(|| pair.two.metrics.messages_leased.get() == 1).await;
        drop(pulling);
        pair.proxy.hold(false, false);
        while pair.two.pull(1).await.leased.is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_flood_is_refused_and_not_queued() {
    with_pair(async |pair| {
        pair.connect().await;
        pair.proxy.hold(true, true);
        let mut publishes: Vec<_> = (0..5_000).map(|_| Box::pin(pair.one.publish(1, b"flood"))).collect();
        let mut refused = 0;
        let mut waiting = Vec::new();
        for mut publish in publishes.drain(..) {
            match poll_once(&mut publish).await {
                Some(Err(PublishError::Unavailable(PartitionUnavailable::Overloaded))) => refused += 1,
                Some(other) => panic!("{other:?}"),
                None => waiting.push(publish),
            }
        }
        assert_eq!((refused, waiting.len()), (5_000 - 1_024, 1_024));
        assert_eq!(pair.one.metrics.peer_requests_in_flight.get(), 1_024);
        pair.proxy.hold(false, false);
        assert!(join_all(waiting).await.into_iter().all(|published| published.is_ok()));
        assert_eq!(pair.two.read_all(1).await.len(), 1_024);
    });
}

#[test]
fn bytes_on_their_way_are_bounded() {
    with_pair(async |pair| {
        pair.connect().await;
        pair.proxy.hold(true, true);
        let payload = vec![b'x'; 15 << 20];
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let mut publish = Box::pin(pair.one.publish(1, &payload));
            assert!(poll_once(&mut publish).await.is_none());
            waiting.push(publish);
        }
        let refused = pair.one.publish(1, &payload).await;
        assert_eq!(refused, Err(PublishError::Unavailable(PartitionUnavailable::Overloaded)));
        pair.proxy.hold(false, false);
        assert!(join_all(waiting).await.into_iter().all(|published| published.is_ok()));
    });
}

#[test]
fn a_node_that_falls_silent_is_given_up() {
    with_pair(async |pair| {
        pair.connect().await;
        pair.proxy.hold(true, true);
        let lost = pair.one.publish(1, b"into the silence").await;
        assert!(matches!(lost, Err(PublishError::Unknown { node: 2, .. })), "{lost:?}");
        pair.proxy.hold(false, false);
        pair.one.publish(1, b"and back").await.unwrap();
    });
}

#[test]
fn what_a_dead_node_was_asked_is_given_up_at_once() {
    with_pair(async |pair| {
        pair.connect().await;
        pair.proxy.hold(true, true);
        let mut publishing = Box::pin(pair.one.publish(1, b"too late"));
        assert!(poll_once(&mut publishing).await.is_none());
        // Once it is written it may have been heard.
        until(|| pair.one.metrics.peer_sent_bytes.get() > 200).await;
        pair.set_up(false);
        let Err(PublishError::Unknown { node: 2, reason }) = publishing.await else { panic!("it may have been heard") };
        assert!(reason.contains("does not count as alive"), "not for its silence: {reason}");
        let away = pair.one.handle.status(partition(1)).await;
        assert!(matches!(away, Err(PartitionUnavailable::PeerAway { node: 2, .. })), "{away:?}");
        pair.proxy.hold(false, false);
        pair.set_up(true);
        pair.one.handle.status(partition(1)).await.unwrap();
    });
}

/// Why node 1 gets no answer of node 2.
fn refusal(traits: [Traits; 2]) -> String {
    let (told, reason) = mpsc::channel();
    with_nodes(traits, async move |pair| {
        let refused = pair.one.handle.status(partition(1)).await;
        let Err(PartitionUnavailable::PeerAway { node: 2, reason }) = refused else { panic!("{refused:?}") };
        assert_eq!(pair.two.metrics.peer_requests_served.get(), 0);
        told.send(reason).unwrap();
    });
    reason.recv().unwrap()
}

#[test]
fn nodes_of_different_clusters_do_not_speak() {
    let reason = refusal([Traits::default(), Traits { cluster: "billing", ..Traits::default() }]);
    assert!(reason.contains("different clusters"), "{reason}");
}

#[test]
fn nodes_with_different_secrets_do_not_speak() {
    let reason = refusal([Traits::default(), Traits { secret: Some(b"battery staple"), ..Traits::default() }]);
    assert!(reason.contains("secrets differ"), "{reason}");
    let reason = refusal([Traits { secret: None, ..Traits::default() }, Traits::default()]);
    assert!(reason.contains("has none"), "{reason}");
}

#[test]
fn nodes_without_a_secret_speak() {
    with_nodes([Traits { secret: None, ..Traits::default() }; 2], async |pair| {
        pair.one.publish(1, b"open").await.unwrap();
    });
}
