//! Whose letters are found, and what they are like when they go back.

use super::*;
use crate::{
    format::record_batch::Codec,
    model::{LeaderEpoch, Timestamp},
};

const NOW: Timestamp = Timestamp::from_millis(1_000);
const SUBSCRIBER: SubscriptionId = SubscriptionId::new(5);

fn head(id: &str) -> RecordHead<'_> {
    let (id, key, content_type) = (MessageId::Text(id), Some("table-7"), "text/plain");
    RecordHead { id, key, content_type, priority: 7, ttl_ms: None, deliver_at: None }
}

/// A letter of `subscription` at `base` that comes from `partition`.
fn letter(base: u64, id: &str, subscription: &str, partition: &str) -> RecordBatch {
    let attributes = [
        ("colour", "red"),
        ("pubsub-dlq-topic", "orders"),
        ("pubsub-dlq-partition", partition),
        ("pubsub-dlq-subscription", subscription),
        ("pubsub-dlq-reason", "rejected"),
    ];
    let mut builder = BatchBuilder::new(0);
    let Ok(()) = builder.push(&head(id), &attributes, |out| {
        out.extend_from_slice(id.as_bytes());
        Ok::<_, Infallible>(())
    });
    let batch = builder.finish_relayed(Relay::Everyone).unwrap();
    batch.assign(Offset::new(base), LeaderEpoch::new(1), NOW)
}

fn log() -> Vec<RecordBatch> {
    vec![
        letter(0, "a", "mine", "0"),
        letter(1, "b", "another", "0"),
        letter(2, "c", "mine", "1"),
        letter(3, "d", "mine", "0"),
        letter(4, "a", "mine", "5"),
    ]
}

fn owner() -> LetterOwner {
    LetterOwner { subscription: "mine".to_owned(), topic: "orders".to_owned() }
}

fn found(ids: Option<&[&str]>, from: u64, count_max: usize) -> (Vec<u64>, Vec<u64>, u64) {
    let ids = ids.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
    let owner = owner();
    let search = LetterSearch { owner: &owner, ids: ids.as_ref(), from: Offset::new(from), count_max };
    let (gone, under_way) = (Offset::new(2), Offset::new(3));
    let found = FoundLetters::search(&log(), &search, |at| at == gone, |at| at == under_way).unwrap();
    let numbers = |offsets: Vec<Offset>| offsets.into_iter().map(Offset::get).collect();
    (numbers(found.letters), numbers(found.others), found.looked_to.get())
}

#[test]
fn a_subscription_finds_its_own_letters_that_are_still_there() {
    assert_eq!(found(None, 0, 9), (vec![0, 4], vec![3], 5));
    assert_eq!(found(None, 1, 9), (vec![4], vec![3], 5));
    assert_eq!(found(Some(&["a", "c", "d", "z"]), 0, 9), (vec![0, 4], vec![3], 5));
    assert_eq!(found(Some(&["d"]), 0, 9), (vec![], vec![0, 3, 4], 5));
}

#[test]
fn a_full_search_says_where_to_go_on() {
    assert_eq!(found(None, 0, 1), (vec![0], vec![], 1));
    assert_eq!(found(None, 1, 1), (vec![4], vec![3], 5));
}

#[test]
fn what_only_looks_like_a_letter_is_none() {
    let mut builder = BatchBuilder::new(0);
    let attributes = [("pubsub-dlq-topic", "orders"), ("pubsub-dlq-subscription", "mine")];
    let Ok(()) = builder.push(&head("forged"), &attributes, |_| Ok::<_, Infallible>(()));
    let forged = builder.finish(Codec::None, None).unwrap();
    let forged = forged.assign(Offset::ZERO, LeaderEpoch::new(1), NOW);
    let owner = owner();
    let search = LetterSearch { owner: &owner, ids: None, from: Offset::ZERO, count_max: 9 };
    let found = FoundLetters::search(&[forged], &search, |_| false, |_| false).unwrap();
    assert_eq!((found.letters, found.looked_to), (Vec::new(), Offset::new(1)));
}

#[test]
fn a_letter_goes_back_as_it_was_to_where_it_was() {
    let letters = [Offset::new(0), Offset::new(2), Offset::new(4)];
    let sent = SentBack::of(&log(), &letters, SUBSCRIBER, 2).unwrap();
    let places: Vec<_> = sent.iter().map(|sent| (sent.partition.get(), sent.letters.clone())).collect();
    // Partition 5 is not there; which one takes its place is always the same.
    assert_eq!(places, [(0, vec![Offset::new(0)]), (1, vec![Offset::new(2), Offset::new(4)])]);
    for sent in sent {
        assert!(sent.batch.given_ids().is_empty(), "its id is no repeat");
        let batch = sent.batch.assign(Offset::ZERO, LeaderEpoch::new(1), NOW);
        assert_eq!(batch.header().relay, Some(Relay::To(SUBSCRIBER)));
        batch
            .for_each_record(|record| {
                let MessageId::Text(id) = record.head.id else { panic!("{record:?}") };
                assert_eq!(record.head, head(id));
                assert_eq!(record.payload, id.as_bytes());
                assert_eq!(record.attributes.iter().collect::<Vec<_>>(), [("colour", "red")]);
            })
            .unwrap();
    }
}

#[test]
fn all_but_what_is_left_need_not_be_looked_at_again() {
    let done = |left: &[u64]| {
        let left = left.iter().map(|&offset| Offset::new(offset)).collect();
        let done = FoundLetters::done_with(Offset::new(2), Offset::new(6), &left);
        done.iter().map(|range| (range.start.get(), range.end.get())).collect::<Vec<_>>()
    };
    assert_eq!(done(&[]), [(2, 6)]);
    assert_eq!(done(&[0, 1, 6, 7]), [(2, 6)]);
    assert_eq!(done(&[2, 3]), [(4, 6)]);
    assert_eq!(done(&[3, 5]), [(2, 3), (4, 5)]);
}
