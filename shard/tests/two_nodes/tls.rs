//! The same over TLS: what other nodes are asked and answer, and who is not spoken to.

use futures_util::future::join_all;
use shard_core::model::Offset;

use crate::{
    harness::{Traits, issuer, partition, until, with_nodes},
    refusal,
};

fn secured() -> Traits {
    Traits { issuer: Some(issuer()), ..Traits::default() }
}

#[test]
fn what_is_published_through_another_node_over_tls_is_read_through_any() {
    let nodes = secured();
    for traits in [nodes, Traits { secret: None, ..nodes }] {
        with_nodes([traits; 2], async |pair| {
            pair.one.publish(1, b"through one").await.unwrap();
            pair.two.publish(0, b"to one").await.unwrap();
            assert_eq!(pair.one.read_all(1).await, [b"through one".to_vec()]);
            assert_eq!(pair.two.read_all(0).await, [b"to one".to_vec()]);
            assert_eq!(pair.proxy.accepted(), 1, "all of it went over one connection");
        });
    }
}

/// More than any buffer holds, both ways at once.
#[test]
fn much_goes_both_ways_over_tls() {
    with_nodes([secured(); 2], async |pair| {
        let payload = vec![0x5a; 512 << 10];
        let published = join_all((0..40).map(|_| pair.one.publish(1, &payload))).await;
        assert!(published.iter().all(Result::is_ok));
        let status = pair.one.handle.status(partition(1)).await.unwrap();
        assert_eq!(status.end_offset, Offset::new(40));
        let (first, second) = futures_lite::future::zip(pair.one.read_all(1), pair.one.read_all(1)).await;
        assert_eq!(first.len(), 40);
        assert!(first == second && first.iter().all(|read| *read == payload));
    });
}

#[test]
fn a_connection_over_tls_that_was_cut_is_made_anew() {
    let nodes = secured();
    with_nodes([nodes; 2], async |pair| {
        pair.one.publish(1, b"before").await.unwrap();
        pair.proxy.cut_all();
        until(|| pair.one.metrics.peer_connections.get() == 0).await;
        pair.one.publish(1, b"after").await.unwrap();
        assert_eq!(pair.two.read_all(1).await, [b"before".to_vec(), b"after".to_vec()]);
        assert_eq!(pair.proxy.accepted(), 2);
    });
}

#[test]
fn a_node_of_another_issuer_is_not_spoken_to() {
    let reason = refusal([secured(), secured()]);
    assert!(reason.contains("of no issuer in cluster.tls.ca_file"), "{reason}");
}

#[test]
fn the_secret_is_proved_inside_of_tls() {
    let nodes = secured();
    let reason = refusal([nodes, Traits { secret: Some(b"battery staple"), ..nodes }]);
    assert!(reason.contains("secrets differ"), "{reason}");
}

#[test]
fn a_node_without_tls_is_not_spoken_to() {
    let reason = refusal([secured(), Traits::default()]);
    assert!(reason.contains("speaks no TLS") || reason.contains("closed the connection"), "{reason}");
    refusal([Traits::default(), secured()]);
}
