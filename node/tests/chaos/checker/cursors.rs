//! E10: no cursor is behind what was acked, and answered, before it was asked for. (What it shows beyond that may not be durable
//! yet, and may go back with its owner.)

use std::collections::BTreeMap;

use crate::history::History;

/// From when on everything below an offset is known to be acked: both rise.
type Acked = Vec<(u64, u64)>;

pub(super) fn check(history: &History) -> Vec<String> {
    let acked = acked(history);
    let mut violations = Vec::new();
    for (operation, cursor) in history.cursors() {
        let (subscription, partition, floor) = (&cursor.subscription, cursor.partition, cursor.ack_floor);
        let Some(acked) = acked.get(&(subscription.as_str(), partition)) else { continue };
        let known = acked.partition_point(|(since, _)| *since < operation.start);
        let Some(&(since, below)) = known.checked_sub(1).and_then(|last| acked.get(last)) else { continue };
        if floor < below {
            let at = operation.end;
            violations.push(format!(
                "{subscription} is at {floor} on partition {partition} at {at} µs, and all below {below} was acked at {since} µs"
            ));
        }
    }
    violations
}

fn acked(history: &History) -> BTreeMap<(&str, u32), Acked> {
    let mut first: BTreeMap<(&str, u32), BTreeMap<u64, u64>> = BTreeMap::new();
    for (operation, ack) in history.acks().filter(|(_, ack)| ack.settles()) {
        let of_cursor = first.entry((&ack.subscription, ack.partition)).or_default();
        let end = of_cursor.entry(ack.offset).or_insert(operation.end);
        *end = operation.end.min(*end);
    }
    let prefix = |offsets: BTreeMap<u64, u64>| {
        let dense = offsets.into_iter().zip(0..).take_while(|((offset, _), place)| offset == place);
        let mut since = 0;
        dense
            .map(|((offset, end), _)| {
                since = end.max(since);
                (since, offset + 1)
            })
            .collect()
    };
    first.into_iter().map(|(cursor, offsets)| (cursor, prefix(offsets))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::story::{GROUP, SHARED, accepts, good, rejects};
    use super::check;
    use crate::history::{Outcome, What};

    #[test]
    fn a_cursor_behind_what_was_acked_is_noticed() {
        let mut story = good();
        story.cursor(SHARED, 0, 2);
        accepts(check, &story);
        story.cursor(SHARED, 0, 1);
        rejects(check, &story, "shared is at 1 on partition 0");
        // It may have been asked for before the ack was answered.
        story.history.operations.last_mut().unwrap().start = 0;
        accepts(check, &story);
        story.cursor(GROUP, 1, 0);
        rejects(check, &story, "all below 2 was acked");
    }

    #[test]
    fn what_was_not_acked_or_not_answered_may_be_forgotten() {
        let mut story = good();
        story.publish("e", None, 1);
        story.ack(SHARED, "eve", 1, 2).outcome = Outcome::Info("no answer".to_owned());
        story.cursor(SHARED, 1, 3);
        story.cursor(SHARED, 1, 2);
        accepts(check, &story);
    }

    #[test]
    fn behind_what_is_missing_nothing_is_known() {
        let is_first = |what: &What| matches!(what, What::Ack(ack) if ack.subscription == SHARED && ack.partition == 1 && ack.offset == 0);
        let mut story = good().without(is_first);
        story.cursor(SHARED, 1, 0);
        accepts(check, &story);
    }
}
