//! E6: what one producer sent one after the other is in that order; a key has one partition.

use std::collections::BTreeMap;

use super::sweep::falls;
use crate::history::{History, Interval};

/// A message of a producer, over all attempts to publish it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    start: u64,
    acked: u64,
    offset: u64,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = by_acks(history);
    violations.extend(by_sequences(history));
    violations.extend(keys(history));
    violations
}

fn by_acks(history: &History) -> Vec<String> {
    let mut starts: BTreeMap<&str, u64> = BTreeMap::new();
    for (operation, publish) in history.publishes() {
        let start = starts.entry(&publish.payload).or_insert(operation.start);
        *start = operation.start.min(*start);
    }
    let mut sent: BTreeMap<(u32, u32), BTreeMap<&str, Sent>> = BTreeMap::new();
    for (operation, publish, placed) in history.published() {
        let start = starts[publish.payload.as_str()];
        let acked = Sent { start, acked: operation.end, offset: placed.offset };
        let of_client = sent.entry((operation.client, placed.partition)).or_default();
        let first = of_client.entry(&publish.payload).or_insert(acked);
        if operation.end < first.acked {
            *first = acked;
        }
    }
    let mut violations = Vec::new();
    for ((client, partition), sent) in sent {
        let seen = sent.values().map(|sent| Interval { start: sent.start, end: sent.acked, seen: *sent }).collect();
        for (earlier, later) in falls(seen, |sent| sent.offset, true) {
            let (before, after) = (earlier.seen.offset, later.seen.offset);
            violations
                .push(format!("client {client} had {partition}/{before} acknowledged, then sent {partition}/{after}"));
        }
    }
    violations
}

fn by_sequences(history: &History) -> Vec<String> {
    let numbers: BTreeMap<_, _> = history
        .publishes()
        .filter_map(|(_, publish)| Some((publish.payload.as_str(), publish.producer?)))
        .map(|(payload, producer)| (payload, (producer.id, producer.sequence)))
        .collect();
    let mut violations = Vec::new();
    for (partition, log) in history.logs() {
        let mut last: BTreeMap<u64, u32> = BTreeMap::new();
        for record in log.values() {
            let Some(&(producer, number)) = numbers.get(record.payload.as_str()) else { continue };
            if let Some(before) = last.insert(producer, number)
                && before >= number
            {
                let offset = record.offset;
                violations
                    .push(format!("producer {producer} has number {number} at {partition}/{offset}, behind {before}"));
            }
        }
    }
    violations
}

fn keys(history: &History) -> Vec<String> {
    let mut homes: BTreeMap<String, u32> = BTreeMap::new();
    let mut violations = Vec::new();
    for (_, partition, record) in history.seen() {
        let Some(key) = record.key else { continue };
        let home = *homes.entry(key.clone()).or_insert(partition);
        if home != partition {
            violations.push(format!("key `{key}` is in the partitions {home} and {partition}"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, accepts, rejects};
    use super::check;
    use crate::history::{Outcome, Placed, Producer, What};

    fn at(offset: u64) -> Outcome<Placed> {
        Outcome::Ok(Placed { partition: 0, offset, is_duplicate: false })
    }

    #[test]
    fn a_message_behind_one_that_was_sent_later_is_noticed() {
        let mut story = Story::new();
        story.publish_with("a", None, at(5));
        story.publish_with("b", None, at(4));
        rejects(check, &story, "client 1 had 0/5");
    }

    #[test]
    fn messages_on_their_way_at_the_same_time_and_of_others_have_no_order() {
        let mut story = Story::new();
        story.publish_with("a", None, at(5));
        story.publish_with("b", None, at(4)).start = 0;
        story.publish_with("c", None, at(3)).client = 2;
        accepts(check, &story);
    }

    #[test]
    fn a_repeat_that_is_told_the_first_place_is_in_order() {
        let mut story = Story::new();
        story.publish_with("a", None, Outcome::Info("no answer".to_owned()));
        story.publish_with("b", None, at(1));
        story.publish_with("a", None, at(0));
        accepts(check, &story);
    }

    #[test]
    fn numbers_out_of_order_in_the_log_are_noticed() {
        let numbered = |first, second| {
            let mut story = Story::new();
            for (payload, sequence) in [("a", first), ("b", second)] {
                story.store(payload, None, 0);
                let what = &mut story.publish_with(payload, None, Outcome::Info("no answer".to_owned())).what;
                let What::Publish(publish) = what else { unreachable!() };
                publish.producer = Some(Producer { id: 7, sequence });
            }
            story.finish();
            story
        };
        accepts(check, &numbered(1, 2));
        rejects(check, &numbered(2, 1), "producer 7 has number 1 at 0/1");
        rejects(check, &numbered(1, 1), "producer 7");
    }

    #[test]
    fn a_key_in_two_partitions_is_noticed() {
        let mut story = Story::new();
        story.publish("a", Some("k"), 0);
        story.publish("b", Some("k"), 1);
        rejects(check, &story, "key `k` is in the partitions 0 and 1");
    }
}
