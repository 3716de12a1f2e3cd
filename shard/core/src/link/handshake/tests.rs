//! Two nodes of one cluster come together, and everybody else is told why not.

use proptest::prelude::*;

use super::*;
use crate::{
    limits::LINK_CLUSTER_BYTES_MAX,
    link::{ClusterText, FrameDecoder, FrameLimits, begins_tls},
};

fn identity(node: u64) -> LinkIdentity {
    LinkIdentity { cluster: ClusterText::new("orders"), node: Some(node), incarnation: node * 10 }
}

fn expected(us: u64, peer: Option<u64>, secret: Option<&[u8]>) -> Expected {
    Expected {
        us: identity(us),
        peer,
        lane: Lane::Shard(1),
        secret: secret.map(LinkSecret::new),
        nonce: [u8::try_from(us).unwrap(); NONCE_BYTES],
    }
}

fn on_the_wire(frame: &OutFrame) -> Frame {
    let mut bytes = Vec::new();
    frame.encode_into(&mut bytes).unwrap();
    let mut decoder = FrameDecoder::new(FrameLimits::HANDSHAKE);
    decoder.push(&bytes);
    decoder.next_frame().unwrap().unwrap()
}

/// What became of both sides: who they found, or why not.
type Outcome = (Result<Peer, HandshakeError>, Result<Peer, HandshakeError>);

/// Carries frames to and fro until both sides are done.
fn meet(connecting: Expected, accepting: Expected) -> Outcome {
    let (mut connecting, hello) = Handshake::connect(connecting);
    let mut accepting = Handshake::accept(accepting);
    let mut under_way = vec![(Role::Accepting, hello)];
    let (mut connected, mut accepted) = (None, None);
    while let Some((receiver, frame)) = under_way.pop() {
        let (side, outcome) = match receiver {
            Role::Connecting => (&mut connecting, &mut connected),
            Role::Accepting => (&mut accepting, &mut accepted),
        };
        let sent = match side.on_frame(&on_the_wire(&frame)) {
            Ok(step) => {
                *outcome = step.established.map(Ok);
                step.send
            }
            Err(error) => {
                *outcome = Some(Err(error));
                error.refusal().into_iter().collect()
            }
        };
        under_way.extend(sent.into_iter().rev().map(|frame| (receiver.other(), frame)));
    }
    (connected.expect("the connecting side is done"), accepted.expect("the accepting side is done"))
}

/// Both sides know why: the accepting one has refused.
fn refused_by_acceptor(reason: RefusalReason) -> Outcome {
    (Err(HandshakeError::RefusedByPeer(reason)), Err(HandshakeError::Refused(reason)))
}

#[test]
fn members_come_together_with_and_without_a_secret() {
    for secret in [None, Some(b"correct horse".as_slice())] {
        let (connected, accepted) = meet(expected(1, Some(2), secret), expected(2, None, secret));
        assert_eq!(connected, Ok(Peer { version: VersionRange::OURS.highest, identity: identity(2) }));
        assert_eq!(accepted, Ok(Peer { version: VersionRange::OURS.highest, identity: identity(1) }));
    }
}

#[test]
fn another_cluster_is_refused() {
    let mut stranger = expected(1, None, None);
    stranger.us.cluster = ClusterText::new("billing");
    assert_eq!(meet(stranger, expected(2, None, None)), refused_by_acceptor(RefusalReason::OtherCluster));
}

#[test]
fn another_node_than_was_meant_is_refused() {
    let outcome = meet(expected(1, Some(3), None), expected(2, None, None));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::OtherNode));
    // The accepting side may also know whom it waits for.
    let outcome = meet(expected(1, None, None), expected(2, Some(4), None));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::OtherNode));
}

#[test]
fn the_connecting_side_refuses_as_well() {
    let (mut connecting, _) = Handshake::connect(expected(1, Some(3), None));
    let liar = Handshake::accept(expected(2, None, None)).ours;
    let refused = connecting.on_frame(&on_the_wire(&OutFrame::of_head(FrameKind::Hello, liar)));
    assert_eq!(refused, Err(HandshakeError::Refused(RefusalReason::OtherNode)));
}

#[test]
fn a_node_does_not_speak_with_itself() {
    let outcome = meet(expected(1, None, None), expected(1, None, None));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::Itself));
    // A copy of its data draws other bytes, and is a node of the same number.
    let copy = Expected { nonce: [9; NONCE_BYTES], ..expected(1, None, None) };
    assert_eq!(meet(copy, expected(1, None, None)), refused_by_acceptor(RefusalReason::Itself));
}

#[test]
fn who_is_no_member_reaches_the_control_lane_alone() {
    let no_member = LinkIdentity { cluster: None, node: None, incarnation: 0 };
    let joining = |lane| Expected { us: no_member.clone(), lane, ..expected(1, None, None) };
    let accepting = |lane| Expected { lane, ..expected(2, None, None) };
    let (connected, accepted) = meet(joining(Lane::Control), accepting(Lane::Control));
    assert_eq!(connected.unwrap().identity, identity(2));
    assert_eq!(accepted.unwrap().identity, no_member);
    let outcome = meet(joining(Lane::Shard(0)), accepting(Lane::Shard(0)));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::NoMember));
}

#[test]
fn a_secret_on_one_side_is_refused() {
    let secret = Some(b"correct horse".as_slice());
    let outcome = meet(expected(1, Some(2), secret), expected(2, None, None));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::SecretOnOneSide));
    let outcome = meet(expected(1, Some(2), None), expected(2, None, secret));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::SecretOnOneSide));
}

#[test]
fn a_wrong_secret_is_refused() {
    let outcome = meet(expected(1, Some(2), Some(b"correct horse")), expected(2, None, Some(b"battery staple")));
    assert_eq!(outcome, refused_by_acceptor(RefusalReason::WrongSecret));
}

/// Lets both sides come as far as the connecting side's proof.
fn until_proof(connecting: Expected, accepting: &mut Handshake) -> (Handshake, OutFrame) {
    let (mut connecting, hello) = Handshake::connect(connecting);
    let answer = accepting.on_frame(&on_the_wire(&hello)).unwrap();
    let step = connecting.on_frame(&on_the_wire(&answer.send[0])).unwrap();
    assert!(answer.established.is_none() && step.established.is_none());
    (connecting, step.send[0].clone())
}

const SECRET: Option<&[u8]> = Some(b"correct horse");

#[test]
fn a_proof_that_is_sent_back_proves_nothing() {
    let mut accepting = Handshake::accept(expected(2, None, SECRET));
    let (mut connecting, proof) = until_proof(expected(1, Some(2), SECRET), &mut accepting);
    let reflected = connecting.on_frame(&on_the_wire(&proof));
    assert_eq!(reflected, Err(HandshakeError::Refused(RefusalReason::WrongSecret)));
}

#[test]
fn a_proof_of_another_connection_proves_nothing() {
    let (_, proof) = until_proof(expected(1, Some(2), SECRET), &mut Handshake::accept(expected(2, None, SECRET)));
    let mut later = Handshake::accept(Expected { nonce: [77; NONCE_BYTES], ..expected(2, None, SECRET) });
    until_proof(expected(1, Some(2), SECRET), &mut later);
    let replayed = later.on_frame(&on_the_wire(&proof));
    assert_eq!(replayed, Err(HandshakeError::Refused(RefusalReason::WrongSecret)));
}

#[test]
fn a_proof_for_another_lane_proves_nothing() {
    let mut accepting = Handshake::accept(Expected { lane: Lane::Shard(2), ..expected(2, None, SECRET) });
    let (_, proof) = until_proof(expected(1, Some(2), SECRET), &mut accepting);
    let redirected = accepting.on_frame(&on_the_wire(&proof));
    assert_eq!(redirected, Err(HandshakeError::Refused(RefusalReason::WrongSecret)));
}

#[test]
fn a_connecting_side_that_skips_the_proof_is_refused() {
    let mut accepting = Handshake::accept(expected(2, None, SECRET));
    until_proof(expected(1, Some(2), SECRET), &mut accepting);
    let error = accepting.on_frame(&on_the_wire(&OutFrame::bare(FrameKind::Request, 1))).unwrap_err();
    assert_eq!(error, HandshakeError::OutOfTurn { found: FrameKind::Request });
    let refusal = on_the_wire(&error.refusal().unwrap());
    assert_eq!(RefusalReason::decode(&refusal.head), RefusalReason::Malformed);
}

#[test]
fn another_version_is_refused() {
    let hello = Hello {
        versions: VersionRange { lowest: VersionRange::OURS.highest + 1, highest: 9 },
        identity: identity(1),
        peer: Some(2),
        has_secret: false,
        nonce: [1; NONCE_BYTES],
    };
    let mut accepting = Handshake::accept(expected(2, None, None));
    let refused = accepting.on_frame(&on_the_wire(&OutFrame::of_head(FrameKind::Hello, hello.encode())));
    assert_eq!(refused, Err(HandshakeError::Refused(RefusalReason::Version)));
}

#[test]
fn every_reason_arrives_as_it_was_and_unknown_ones_are_refusals_too() {
    for reason in RefusalReason::KNOWN.into_iter().chain([RefusalReason::Unknown(200)]) {
        let (mut connecting, _) = Handshake::connect(expected(1, None, None));
        let refusal = HandshakeError::Refused(reason).refusal().unwrap();
        let error = connecting.on_frame(&on_the_wire(&refusal)).unwrap_err();
        assert_eq!(error, HandshakeError::RefusedByPeer(reason));
        assert_eq!(error.refusal(), None);
    }
}

#[test]
fn after_it_is_over_nothing_is_taken() {
    let (mut connecting, _) = Handshake::connect(expected(1, Some(2), None));
    let hello = on_the_wire(&OutFrame::of_head(FrameKind::Hello, Handshake::accept(expected(2, None, None)).ours));
    assert!(connecting.on_frame(&hello).unwrap().established.is_some());
    assert_eq!(connecting.on_frame(&hello), Err(HandshakeError::OutOfTurn { found: FrameKind::Hello }));
}

#[test]
fn no_hello_is_taken_for_tls() {
    for length in 0..=LINK_CLUSTER_BYTES_MAX {
        let us = LinkIdentity { cluster: ClusterText::new(&"c".repeat(length)), ..identity(1) };
        let (_, hello) = Handshake::connect(Expected { us, ..expected(1, None, None) });
        let mut bytes = Vec::new();
        hello.encode_into(&mut bytes).unwrap();
        assert!(!begins_tls(bytes[0]), "a cluster's name of {length} bytes");
    }
    assert!(begins_tls(22));
}

#[test]
fn a_secret_is_not_shown() {
    assert_eq!(format!("{:?}", LinkSecret::new(b"correct horse")), "LinkSecret(secret)");
}

#[test]
fn the_connecting_side_refuses_an_acceptor_without_the_secret() {
    let mut accepting = Handshake::accept(expected(2, None, SECRET));
    let (mut connecting, _) = until_proof(expected(1, Some(2), SECRET), &mut accepting);
    let guess = OutFrame::of_head(FrameKind::Proof, Bytes::from_static(&[0; 32]));
    let refused = connecting.on_frame(&on_the_wire(&guess));
    assert_eq!(refused, Err(HandshakeError::Refused(RefusalReason::WrongSecret)));
}

proptest! {
    #[test]
    fn any_frames_are_safe(kinds in prop::collection::vec(0_u8..3, 1..4), head: Vec<u8>, secret: bool) {
        let mut accepting = Handshake::accept(expected(2, None, secret.then_some(b"correct horse".as_slice())));
        for kind in kinds {
            let kind = [FrameKind::Hello, FrameKind::Proof, FrameKind::Refusal][usize::from(kind)];
            let head = Bytes::from(head.clone());
            let step = accepting.on_frame(&Frame { kind, id: 0, millis_left: 0, head, tail: Bytes::new() });
            prop_assert!(step.is_err(), "nobody comes in by chance");
        }
    }
}
