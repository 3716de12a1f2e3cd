//! E12: where keys are ordered, a message is delivered only when somebody has said that the earlier ones of its key are done.

use std::collections::BTreeMap;

use crate::history::{History, Place};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = Vec::new();
    let (dones, refused, dead) = (history.first_dones(), history.refused_dones(), history.dead());
    for subscription in history.run.subscriptions.iter().filter(|subscription| subscription.is_ordered) {
        let name = subscription.name.as_str();
        let open = opened(history, name, &dones, &dead);
        for (operation, delivery) in history.deliveries().filter(|(_, delivery)| delivery.subscription == name) {
            let (partition, offset) = (delivery.partition, delivery.record.offset);
            if let Some(&(from, before)) = open.get(&(partition, offset))
                && operation.end < from
                && !refused
                    .get(&(name, partition, before))
                    .is_some_and(|asked| asked.iter().any(|asked| asked.meets(operation)))
            {
                let (key, at) = (&delivery.record.key, operation.end);
                violations.push(format!(
                    "{name}: {partition}/{offset} of key {key:?} was delivered at {at} µs, before {before} was acked"
                ));
            }
        }
    }
    violations
}

/// From when on each message with a key may be delivered, and behind which one it has to wait for that.
fn opened(
    history: &History,
    name: &str,
    dones: &BTreeMap<Place<'_>, u64>,
    dead: &std::collections::BTreeSet<Place<'_>>,
) -> BTreeMap<(u32, u64), (u64, u64)> {
    let mut open = BTreeMap::new();
    for (partition, log) in history.logs() {
        let mut keys: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (offset, record) in log {
            let Some(key) = &record.key else { continue };
            if let Some(&after) = keys.get(key.as_str()) {
                open.insert((partition, offset), after);
            }
            let place = (name, partition, offset);
            // What is a dead letter in the end may have become one by itself, at a time that nobody knows.
            let done = if dead.contains(&place) { 0 } else { dones.get(&place).copied().unwrap_or(u64::MAX) };
            let after = keys.entry(key).or_insert((done, offset));
            if done > after.0 {
                *after = (done, offset);
            }
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::super::story::{GROUP, SHARED, Story, accepts, good, rejects};
    use super::check;
    use crate::history::{DeadLetter, Outcome, What};

    fn two_of_a_key(subscription: &str, first_is_acked: bool) -> Story {
        let mut story = Story::new();
        story.publish("a", Some("k"), 0);
        story.publish("b", Some("k"), 0);
        story.deliver(subscription, "eve", 0, 0);
        if first_is_acked {
            story.ack(subscription, "eve", 0, 0);
        }
        story.deliver(subscription, "eve", 0, 1);
        story.finish();
        story
    }

    #[test]
    fn a_message_that_overtakes_its_key_is_noticed() {
        accepts(check, &good());
        accepts(check, &two_of_a_key(SHARED, true));
        rejects(check, &two_of_a_key(SHARED, false), "0/1 of key Some(\"k\") was delivered");
        accepts(check, &two_of_a_key(GROUP, false));
    }

    #[test]
    fn an_ack_that_is_refused_in_the_end_may_have_held_before() {
        let mut story = two_of_a_key(SHARED, false);
        let delivered =
            story.history.deliveries().last().map(|(operation, _)| (operation.start, operation.end)).unwrap();
        story.ack(SHARED, "eve", 0, 0).outcome = Outcome::Fail("lease_expired".to_owned());
        rejects(check, &story, "before 0 was acked");
        let ack = story.history.operations.last_mut().unwrap();
        (ack.start, ack.end) = delivered;
        accepts(check, &story);
    }

    #[test]
    fn an_ack_that_comes_later_is_none_yet() {
        let mut story = two_of_a_key(SHARED, false);
        story.ack(SHARED, "eve", 0, 0);
        rejects(check, &story, "before 0 was acked");
    }

    #[test]
    fn a_dead_letter_holds_up_nobody() {
        let mut story = two_of_a_key(SHARED, false);
        let (subscription, payload) = (SHARED.to_owned(), "a".to_owned());
        story.then(What::DeadLetter(DeadLetter { subscription, partition: 0, offset: 0, payload }));
        accepts(check, &story);
    }
}
