//! Requests and replies come back as they were, frozen bytes stay what they are, and any bytes are refused or read.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    delivery::{AckOutcome, Claim, ClaimRefused, ConsumerId, LeaseId, LeasedMessage, LetterOwner, ScheduledMessage},
    format::{
        golden::assert_golden,
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    limits,
    log::{Acks, Place, ProducerRefusal, Repeats},
    model::{LeaderEpoch, Offset, OffsetRange, PartitionIndex, SubscriptionId, Timestamp, TopicId, TopicPartition},
    replication::{
        CursorUpdate, EpochEnd, FetchAnswer, FetchError, FetchPart, FetchPosition, FetchRefusal, FetchReply,
        FetchRequest, NodeRun,
    },
    request::{
        AckAction, CancelQuery, Cancelled, CursorStatus, Durability, FollowerLag, LetterQuery, Letters,
        PartitionStatus, PartitionSubscription, PartitionUnavailable, PublishError, Published, PullRequest, Pulled,
        ReadError, ReadFrom, ReadReply, ReadRequest, RedriveQuery, Redriven, Scheduled, ScheduledQuery, SeekTo,
        SubscriptionError,
    },
};

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(3), PartitionIndex::new(4));
const CURSOR: PartitionSubscription =
    PartitionSubscription { partition: PARTITION, subscription: SubscriptionId::new(5) };

fn offset(offset: u64) -> Offset {
    Offset::new(offset)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn batch(base: u64, payload: &[u8]) -> RecordBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "text/plain",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(0);
    let Ok(()) = builder.push(&head, &[], |out| {
        out.extend_from_slice(payload);
        Ok::<(), Infallible>(())
    });
    builder.finish(Codec::None, None).unwrap().assign(offset(base), LeaderEpoch::new(2), time(1_700_000_000_000))
}

fn letters() -> LetterQuery {
    let owner = LetterOwner { subscription: "billing".to_owned(), topic: "orders".to_owned() };
    LetterQuery { place: CURSOR, owner: Arc::new(owner), from: offset(7), count_max: 8 }
}

fn fetch() -> FetchRequest {
    let position =
        |last_epoch| FetchPosition { leader_epoch: LeaderEpoch::new(3), end: offset(9), last_epoch, cursors: 4 };
    FetchRequest {
        run: NodeRun { node: 2, epoch: 70 },
        core: 1,
        session: 5,
        number: 6,
        positions: vec![(PARTITION, position(None)), (PARTITION, position(Some(LeaderEpoch::new(2))))],
        forgotten: vec![PARTITION],
        waits: true,
    }
}

fn fetched() -> FetchReply {
    let part = |answer| FetchPart::bare(PARTITION, LeaderEpoch::new(3), answer);
    let follows = FetchAnswer::Follows { high_watermark: offset(8), log_start: offset(1) };
    let cursors = |entries: &'static [u8]| CursorUpdate {
        change: 7,
        replaces: true,
        bytes: u32::try_from(entries.len()).unwrap(),
        entries: Bytes::from_static(entries),
    };
    let end = EpochEnd { epoch: LeaderEpoch::new(2), end: offset(6) };
    let batches = vec![batch(7, b"one"), batch(8, b"two")];
    let parts = vec![
        FetchPart { batch_count: 2, batches, cursors: Some(cursors(b"entries")), ..part(follows) },
        part(FetchAnswer::Diverged(end)),
        part(FetchAnswer::Behind(offset(5))),
        FetchPart { batch_count: 1, batches: vec![batch(9, b"three")], cursors: Some(cursors(b"")), ..part(follows) },
        part(FetchAnswer::Refused(FetchRefusal::NotLeader)),
    ];
    FetchReply { parts }
}

/// One of each, and of each way to ask.
fn requests() -> Vec<PeerRequest> {
    let claim = Some(Claim { consumer: ConsumerId(6), generation: 7 });
    let lease = LeaseId { sequence: 8, tag: 9 };
    let acknowledge = |action| PeerRequest::Acknowledge {
        cursor: CURSOR,
        action,
        leases: vec![(offset(1), lease), (offset(2), lease)],
    };
    let read = |from| ReadRequest { from, bytes_max: 1_000, wait: Duration::from_millis(1_500) };
    let pull =
        PullRequest { messages_max: 10, bytes_max: 1_000, ack_deadline: None, consumer: ConsumerId(6), claim: None };
    let deadline = Some(Duration::from_secs(30));
    let ids = ["a".to_owned(), "b".to_owned()].into_iter().collect::<BTreeSet<_>>();
    let redrive = RedriveQuery { letters: letters(), ids: None, topic: TopicId::new(1), partitions: 12 };
    vec![
        PeerRequest::Publish { partition: PARTITION, acks: None },
        PeerRequest::Publish { partition: PARTITION, acks: Some(Acks::Leader) },
        PeerRequest::Read { partition: PARTITION, read: read(ReadFrom::Offset(offset(9))) },
        PeerRequest::Read { partition: PARTITION, read: read(ReadFrom::Timestamp(time(-1))) },
        PeerRequest::Status { partition: PARTITION },
        PeerRequest::Pull { cursor: CURSOR, pull },
        PeerRequest::Pull { cursor: CURSOR, pull: PullRequest { ack_deadline: deadline, claim, ..pull } },
        acknowledge(AckAction::Ack),
        acknowledge(AckAction::Nack { delay: None }),
        acknowledge(AckAction::Nack { delay: Some(Duration::from_millis(20)) }),
        acknowledge(AckAction::Reject),
        acknowledge(AckAction::Extend { deadline: Duration::from_secs(3) }),
        PeerRequest::AckUpTo { cursor: CURSOR, up_to: offset(9), claim },
        PeerRequest::AckUpTo { cursor: CURSOR, up_to: offset(9), claim: None },
        PeerRequest::Seek { cursor: CURSOR, to: SeekTo::Earliest },
        PeerRequest::Seek { cursor: CURSOR, to: SeekTo::Latest },
        PeerRequest::Seek { cursor: CURSOR, to: SeekTo::Timestamp(time(5)) },
        PeerRequest::Seek { cursor: CURSOR, to: SeekTo::Offset(offset(6)) },
        PeerRequest::CursorStatus { cursor: CURSOR },
        PeerRequest::AwaitDeliverable { subscription: SubscriptionId::new(5), partitions: vec![PARTITION, PARTITION] },
        PeerRequest::ReleaseConsumer { cursor: CURSOR, consumer: ConsumerId(6) },
        PeerRequest::Letters(letters()),
        PeerRequest::Redrive(redrive.clone()),
        PeerRequest::Redrive(RedriveQuery { ids: Some(Arc::new(ids)), ..redrive }),
        PeerRequest::Scheduled(ScheduledQuery { partition: PARTITION, from: offset(1), count_max: 10 }),
        PeerRequest::Cancel(CancelQuery { partition: PARTITION, id: "id".to_owned(), from: offset(1), one: true }),
        PeerRequest::Fetch(fetch()),
    ]
}

fn unavailable() -> Vec<PartitionUnavailable> {
    let reason = "why".to_owned();
    vec![
        PartitionUnavailable::NotHere(PARTITION),
        PartitionUnavailable::NoOwner(PARTITION),
        PartitionUnavailable::PeerAway { node: 7, reason: reason.clone() },
        PartitionUnavailable::Closed { partition: PARTITION, reason: reason.clone() },
        PartitionUnavailable::StoreAway { partition: PARTITION, reason },
        PartitionUnavailable::Overloaded,
        PartitionUnavailable::Stopping,
        PartitionUnavailable::NotEnoughReplicas { partition: PARTITION, insync: 1, needed: 2 },
    ]
}

fn publish_errors() -> Vec<PublishError> {
    let reason = "why".to_owned();
    let mut errors: Vec<_> = unavailable().into_iter().map(PublishError::Unavailable).collect();
    errors.extend([
        PublishError::Backpressure { unflushed_bytes: 1, unflushed_bytes_max: 2 },
        PublishError::Rejected { reason: reason.clone() },
        PublishError::Producer(ProducerRefusal::Stale { sent: 1, current: 2 }),
        PublishError::Producer(ProducerRefusal::Gap { sent: 1, expected: 2 }),
        PublishError::Producer(ProducerRefusal::Forgotten { sent: 1, expected: 2 }),
        PublishError::Unknown { node: 7, reason: reason.clone() },
        PublishError::StoreFailed { reason },
    ]);
    errors
}

fn read_errors() -> Vec<ReadError> {
    let reason = "why".to_owned();
    vec![
        ReadError::Unavailable(PartitionUnavailable::Stopping),
        ReadError::Expired { offset: offset(1), start: offset(2) },
        ReadError::PastEnd { offset: offset(2), end: offset(1) },
        ReadError::Corrupt { offset: offset(1), reason: reason.clone() },
        ReadError::Lost { lost: OffsetRange::new(offset(1), offset(2)) },
        ReadError::StoreAway { reason },
    ]
}

fn subscription_errors() -> Vec<SubscriptionError> {
    vec![
        SubscriptionError::Unavailable(PartitionUnavailable::Overloaded),
        SubscriptionError::NotHere(SubscriptionId::new(5)),
        SubscriptionError::Claim(ClaimRefused::Stale { generation: 9 }),
        SubscriptionError::Claim(ClaimRefused::Displaced),
        SubscriptionError::Read(ReadError::StoreAway { reason: "why".to_owned() }),
        SubscriptionError::StoreFailed { reason: "why".to_owned() },
    ]
}

/// One of each, and of each way to be answered.
fn replies() -> Vec<PeerReply> {
    let published = |repeats, durability| {
        PeerReply::Publish(Ok(Published { base_offset: offset(9), repeats, timestamp: time(1), durability }))
    };
    let places = [Place { offset: offset(1), repeat: true }, Place { offset: offset(9), repeat: false }];
    let status = |closed| PartitionStatus {
        shard: 1,
        leader_epoch: LeaderEpoch::new(2),
        start_offset: offset(3),
        high_watermark: offset(4),
        end_offset: offset(5),
        bytes: 6,
        followers: vec![FollowerLag { node: 2, messages: 3, behind: Duration::from_millis(4) }],
        closed,
    };
    let leased = LeasedMessage { offset: offset(7), lease: LeaseId { sequence: 8, tag: 9 }, delivery_attempt: 1 };
    let batches = vec![batch(7, b"one"), batch(8, b"two")];
    let outcomes = [AckOutcome::Applied, AckOutcome::LeaseExpired, AckOutcome::StaleGeneration, AckOutcome::Unknown];
    let cursor =
        CursorStatus { ack_floor: offset(1), backlog: 2, oldest_unacked: Some(time(3)), ..CursorStatus::default() };
    let message = |key| ScheduledMessage { offset: offset(1), id: "id".to_owned(), key, deliver_at: time(2) };
    let failure = Some(PublishError::Rejected { reason: "why".to_owned() });
    let mut replies = vec![
        published(Repeats::None, Durability::Leader),
        published(Repeats::All, Durability::Buffered),
        published(Repeats::Some(Box::new(places)), Durability::Memory),
        published(Repeats::None, Durability::RedisFsync),
        published(Repeats::None, Durability::RedisBuffered),
        published(Repeats::None, Durability::Quorum),
        PeerReply::Read(Ok(ReadReply { from: offset(7), batches: batches.clone(), high_watermark: offset(9) })),
        PeerReply::Read(Ok(ReadReply { from: offset(9), batches: Vec::new(), high_watermark: offset(9) })),
        PeerReply::Status(Ok(status(None))),
        PeerReply::Status(Ok(status(Some("why".to_owned())))),
        PeerReply::Pull(Ok(Pulled { batches: batches.clone(), leased: vec![leased] })),
        PeerReply::Acknowledge(Ok(outcomes.to_vec())),
        PeerReply::AckUpTo(Ok(())),
        PeerReply::Seek(Ok(())),
        PeerReply::CursorStatus(Ok(cursor)),
        PeerReply::AwaitDeliverable(Ok(())),
        PeerReply::Letters(Ok(Letters { batches, letters: vec![offset(7)], next: Some(offset(9)) })),
        PeerReply::Redrive(Ok(Redriven { letters: 1, failure, next: None })),
        PeerReply::Scheduled(Ok(Scheduled {
            messages: vec![message(None), message(Some("k".to_owned()))],
            next: None,
        })),
        PeerReply::Cancel(Ok(Cancelled { messages: 1, next: Some(offset(2)) })),
        PeerReply::Fetch(Ok(fetched())),
        PeerReply::Fetch(Err(FetchError::Session)),
        PeerReply::Status(Err(PartitionUnavailable::Stopping)),
        PeerReply::Acknowledge(Err(SubscriptionError::NotHere(SubscriptionId::new(5)))),
    ];
    replies.extend(publish_errors().into_iter().map(|error| PeerReply::Publish(Err(error))));
    replies.extend(read_errors().into_iter().map(|error| PeerReply::Read(Err(error))));
    replies.extend(subscription_errors().into_iter().map(|error| PeerReply::Pull(Err(error))));
    replies.extend(unavailable().into_iter().map(PeerReply::Refused));
    replies
}

#[test]
fn peer_request_v1_is_frozen() {
    let mut bytes = Vec::new();
    for request in requests() {
        let head = request.encode().unwrap();
        assert_eq!(PeerRequest::decode(&head), Ok(request));
        bytes.extend_from_slice(&head);
    }
    assert_golden("peer_request.v1.hex", &bytes);
}

#[test]
fn peer_request_v2_is_frozen() {
    let traced = |acks| PeerRequest::PublishTraced { partition: PARTITION, acks, trace: [0xab; 24] };
    let mut bytes = Vec::new();
    for request in [traced(None), traced(Some(Acks::Quorum))] {
        let head = request.encode().unwrap();
        assert_eq!(PeerRequest::decode(&head), Ok(request));
        bytes.extend_from_slice(&head);
    }
    assert_golden("peer_request.v2.hex", &bytes);
}

#[test]
fn peer_reply_v1_is_frozen() {
    let mut bytes = Vec::new();
    for reply in replies() {
        let (head, tail) = reply.encode().unwrap();
        assert_eq!(PeerReply::decode(&head, tail.concat().into()), Ok(reply));
        bytes.extend_from_slice(&head);
    }
    assert_golden("peer_reply.v1.hex", &bytes);
}

#[test]
fn a_tail_where_none_belongs_is_refused() {
    let (head, _) = PeerReply::Seek(Ok(())).encode().unwrap();
    let refused = PeerReply::decode(&head, Bytes::from_static(b"tail"));
    assert_eq!(refused, Err(PeerWireError::Tail { bytes: 4 }));
}

#[test]
fn a_damaged_batch_in_the_tail_is_refused() {
    let read = ReadReply { from: offset(7), batches: vec![batch(7, b"one")], high_watermark: offset(9) };
    let (head, tail) = PeerReply::Read(Ok(read)).encode().unwrap();
    let tail = tail.concat();
    for at in 0..tail.len() {
        let mut changed = tail.clone();
        changed[at] ^= 0x10;
        assert!(matches!(PeerReply::decode(&head, changed.into()), Err(PeerWireError::Batch(_))), "byte {at}");
        let cut = Bytes::copy_from_slice(&tail[..at]);
        assert!(at == 0 || matches!(PeerReply::decode(&head, cut), Err(PeerWireError::Batch(_))), "{at} bytes");
    }
}

#[test]
fn what_does_not_fit_into_an_answer_is_fetched_again() {
    let size = |reply: &FetchReply| reply.tail().iter().map(Bytes::len).sum::<usize>();
    let whole = fetched();
    assert_eq!(fetched().within(size(&whole)), whole);
    let batches: usize = whole.parts[0].batches.iter().map(|batch| batch.bytes().len()).sum();
    let first = fetched().within(batches);
    assert_eq!(first.parts[0], FetchPart { cursors: None, ..whole.parts[0].clone() }, "its cursors come later");
    assert_eq!(first.parts[3].answer, FetchAnswer::Refused(FetchRefusal::Unreadable));
    assert_eq!(size(&first), batches);
}

#[test]
fn cursors_that_fit_into_no_answer_do_not_end_the_link() {
    let mut reply = fetched();
    reply.parts.truncate(1);
    reply.parts[0].batches.clear();
    reply.parts[0].batch_count = 0;
    let sent = reply.within(6);
    assert_eq!(sent.parts[0].answer, FetchAnswer::Refused(FetchRefusal::Unreadable));
    assert_eq!((&sent.parts[0].cursors, sent.tail()), (&None, Vec::<Bytes>::new()));
}

#[test]
fn what_comes_with_a_fetch_is_what_it_says() {
    let (head, tail) = PeerReply::Fetch(Ok(fetched())).encode().unwrap();
    let tail = tail.concat();
    for at in 0..tail.len() {
        let cut = Bytes::copy_from_slice(&tail[..at]);
        assert!(matches!(PeerReply::decode(&head, cut), Err(PeerWireError::Fetched(_))), "{at} bytes");
    }
    let longer = [&tail[..], b"more"].concat();
    assert!(matches!(PeerReply::decode(&head, longer.into()), Err(PeerWireError::Fetched(_))));
}

#[test]
fn a_request_asks_for_no_more_than_an_answer_holds() {
    let read = ReadRequest { from: ReadFrom::Offset(offset(0)), bytes_max: usize::MAX >> 33, wait: Duration::MAX };
    let request = PeerRequest::Read { partition: PARTITION, read };
    let Ok(PeerRequest::Read { read, .. }) = PeerRequest::decode(&request.encode().unwrap()) else { panic!("no read") };
    assert_eq!((read.bytes_max, read.wait), (limits::PEER_ANSWER_BYTES_MAX, limits::PEER_READ_WAIT_MAX));
    let greedy = LetterQuery { count_max: 1_000_000, ..letters() };
    let request = PeerRequest::Letters(greedy).bounded();
    assert!(matches!(request, PeerRequest::Letters(query) if query.count_max == limits::PEER_FOUND_MAX));
}

#[test]
fn the_largest_answers_fit_into_a_head() {
    let place = Place { offset: offset(u64::MAX), repeat: true };
    let repeats = Repeats::Some(vec![place; limits::BATCH_RECORDS_MAX].into());
    let published = Published { base_offset: offset(1), repeats, timestamp: time(1), durability: Durability::Leader };
    let leased = LeasedMessage { offset: offset(7), lease: LeaseId { sequence: 8, tag: 9 }, delivery_attempt: 1 };
    let leased = vec![leased; usize::try_from(limits::PEER_ANSWER_MESSAGES_MAX).unwrap()];
    let message = ScheduledMessage {
        offset: offset(1),
        id: "i".repeat(limits::MESSAGE_ID_BYTES_MAX),
        key: Some("k".repeat(limits::KEY_BYTES_MAX)),
        deliver_at: time(2),
    };
    let messages = vec![message; limits::PEER_FOUND_MAX];
    let largest = [
        PeerReply::Publish(Ok(published)),
        PeerReply::Pull(Ok(Pulled { batches: Vec::new(), leased })),
        PeerReply::Scheduled(Ok(Scheduled { messages, next: None })),
    ];
    for reply in largest {
        let (head, _) = reply.encode().unwrap();
        assert!(head.len() <= limits::LINK_HEAD_BYTES_MAX, "{} bytes", head.len());
    }
}

proptest! {
    #[test]
    fn any_request_comes_back_as_it_was(
        (topic, index, subscription) in any::<(u64, u32, u64)>(),
        leases in prop::collection::vec(any::<(u64, u64, u64)>(), 0..50),
        (from, count, id) in (any::<u64>(), 0_usize..200, ".{0,40}"),
        ids in prop::collection::btree_set(".{0,10}", 0..6),
    ) {
        let partition = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(index));
        let cursor = PartitionSubscription { partition, subscription: SubscriptionId::new(subscription) };
        let leases = leases.into_iter().map(|(at, sequence, tag)| (offset(at), LeaseId { sequence, tag })).collect();
        let letters = LetterQuery { place: cursor, from: offset(from), count_max: count, ..letters() };
        let requests = [
            PeerRequest::Acknowledge { cursor, action: AckAction::Ack, leases },
            PeerRequest::Cancel(CancelQuery { partition, id, from: offset(from), one: false }),
            PeerRequest::Redrive(RedriveQuery { letters, ids: Some(Arc::new(ids)), topic: TopicId::new(topic), partitions: 1 }),
        ];
        for request in requests {
            prop_assert_eq!(request.partition(), Some(partition));
            prop_assert_eq!(PeerRequest::decode(&request.encode().unwrap()), Ok(request));
        }
    }

    #[test]
    fn any_reply_comes_back_as_it_was(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5),
        leased in prop::collection::vec(any::<(u64, u64, u32)>(), 0..50),
    ) {
        let batches: Vec<_> = payloads.iter().zip(0..).map(|(payload, base)| batch(base, payload)).collect();
        let message = |(at, tag, delivery_attempt)| LeasedMessage {
            offset: offset(at),
            lease: LeaseId { sequence: at, tag },
            delivery_attempt,
        };
        let reply = PeerReply::Pull(Ok(Pulled { batches, leased: leased.into_iter().map(message).collect() }));
        let (head, tail) = reply.encode().unwrap();
        prop_assert_eq!(PeerReply::decode(&head, tail.concat().into()), Ok(reply));
    }

    #[test]
    fn any_bytes_are_refused_or_read(head in prop::collection::vec(any::<u8>(), 0..300), tail: Vec<u8>) {
        let _ = PeerRequest::decode(&head);
        let _ = PeerReply::decode(&head, tail.into());
    }

    #[test]
    fn a_damaged_head_is_refused_or_read(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut head = which.get(&requests()).encode().unwrap().to_vec();
        let mut other = which.get(&replies()).encode().unwrap().0.to_vec();
        for (at, value) in damage {
            let (at, at_other) = (at.index(head.len()), at.index(other.len()));
            head[at] = value;
            other[at_other] = value;
        }
        let _ = PeerRequest::decode(&head);
        let _ = PeerReply::decode(&other, Bytes::new());
    }
}
