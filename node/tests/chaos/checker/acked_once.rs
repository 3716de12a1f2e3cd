//! E10 again, message by message: what was acked, and that was answered, is not delivered any more.

use std::collections::BTreeMap;

use super::epochs;
use crate::history::{History, Place};

pub(super) fn check(history: &History) -> Vec<String> {
    // When it was known to be settled, and of which delivery.
    let mut settled: BTreeMap<Place<'_>, (u64, u32)> = BTreeMap::new();
    for (operation, ack) in history.acks().filter(|(_, ack)| ack.settles()) {
        let place = (ack.subscription.as_str(), ack.partition, ack.offset);
        let known = settled.entry(place).or_insert((operation.end, ack.attempt));
        if operation.end < known.0 {
            *known = (operation.end, ack.attempt);
        }
    }
    let moved = epochs::moved(history);
    let mut violations = Vec::new();
    for (operation, delivery) in history.deliveries() {
        let offset = delivery.record.offset;
        let Some(&(at, attempt)) = settled.get(&(delivery.subscription.as_str(), delivery.partition, offset)) else {
            continue;
        };
        // An ack does not count once there is a later lease: so no later one comes behind it, however long it travels. (What
        // came before may have a higher number: a node that is killed forgets deliveries that nobody has answered. And each
        // owner counts for itself.)
        let is_later = operation.end > at && delivery.attempt > attempt && !moved.contains(&delivery.partition);
        if operation.start > at || is_later {
            violations.push(format!(
                "{}: {}/{offset}, acked at {at} µs in delivery {attempt}, came again at {} µs in delivery {}",
                delivery.subscription, delivery.partition, operation.end, delivery.attempt
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{SHARED, accepts, good, rejects};
    use super::check;
    use crate::history::Outcome;

    #[test]
    fn a_message_that_comes_again_after_its_ack_is_noticed() {
        let mut story = good();
        story.deliver(SHARED, "eve", 0, 0);
        rejects(check, &story, "0/0, acked at");
        // A delivery that may have been on its way before.
        story.history.operations.last_mut().unwrap().start = 0;
        accepts(check, &story);
    }

    #[test]
    fn a_later_delivery_by_another_owner_may_have_been_sent_before() {
        let mut story = good();
        story.deliver(SHARED, "eve", 1, 0).attempt = 2;
        story.history.operations.last_mut().unwrap().start = 0;
        rejects(check, &story, "in delivery 2");
        story.layout(1, 1, 1, 1);
        story.layout(1, 2, 2, 1);
        accepts(check, &story);
    }

    #[test]
    fn a_later_delivery_than_the_one_that_was_acked_is_noticed_whenever_it_was_sent() {
        let mut story = good();
        story.deliver(SHARED, "eve", 1, 0).attempt = 2;
        story.history.operations.last_mut().unwrap().start = 0;
        rejects(check, &story, "in delivery 2");
        story.history.operations.last_mut().unwrap().end = 0;
        accepts(check, &story);
    }

    #[test]
    fn what_was_refused_or_not_answered_may_come_again() {
        for outcome in [Outcome::Fail("lease_expired".to_owned()), Outcome::Info("no answer".to_owned())] {
            let mut story = good();
            story.publish("e", None, 0);
            story.deliver(SHARED, "eve", 0, 2);
            story.ack(SHARED, "eve", 0, 2).outcome = outcome;
            story.deliver(SHARED, "eve", 0, 2).attempt = 2;
            accepts(check, &story);
        }
    }
}
