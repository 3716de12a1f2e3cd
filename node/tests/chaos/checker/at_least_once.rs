//! E8: every message was delivered, or is a dead letter, before it counts as done; at the end of a drained run, all were.

use std::collections::BTreeSet;

use crate::history::{History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = drained(history);
    violations.extend(floors(history));
    violations
}

/// Nothing is left out of what was drained.
fn drained(history: &History) -> Vec<String> {
    let delivered: BTreeSet<_> = history
        .deliveries()
        .map(|(_, delivery)| (delivery.subscription.as_str(), delivery.partition, delivery.record.offset))
        .collect();
    let (dead, logs) = (history.dead(), history.logs());
    let mut violations = Vec::new();
    for subscription in &history.run.subscriptions {
        let name = subscription.name.as_str();
        let is_it = |what: &What| matches!(what, What::Drained { subscription } if subscription == name);
        if !history.operations.iter().any(|operation| is_it(&operation.what)) {
            violations.push(format!("{name} was not drained"));
            continue;
        }
        let places = logs.iter().flat_map(|(partition, log)| log.keys().map(|offset| (*partition, *offset)));
        for (partition, offset) in places {
            let place = (name, partition, offset);
            if !delivered.contains(&place) && !dead.contains(&place) {
                violations.push(format!("{name} was never given {partition}/{offset}"));
            }
        }
    }
    violations
}

/// What a cursor has passed, somebody said is done, or it is a dead letter.
fn floors(history: &History) -> Vec<String> {
    let (dones, refused, dead) = (history.first_dones(), history.refused_dones(), history.dead());
    let mut violations = BTreeSet::new();
    for (operation, cursor) in history.cursors() {
        for offset in 0..cursor.ack_floor {
            let place = (cursor.subscription.as_str(), cursor.partition, offset);
            let is_done = dones.get(&place).is_some_and(|said| *said < operation.end);
            let is_asked = || refused.get(&place).is_some_and(|asked| asked.iter().any(|asked| asked.meets(operation)));
            if !is_done && !dead.contains(&place) && !is_asked() {
                let (name, partition) = (&cursor.subscription, cursor.partition);
                violations.insert(format!("{name} has passed {partition}/{offset}, and nobody acked that"));
            }
        }
    }
    violations.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::story::{GROUP, SHARED, accepts, good, rejects};
    use super::check;
    use crate::history::{DeadLetter, Outcome, What};

    #[test]
    fn a_message_that_was_never_delivered_is_noticed_unless_it_is_a_dead_letter() {
        let is_it = |what: &What| {
            matches!(what, What::Deliver(delivery) if delivery.subscription == GROUP && delivery.record.offset == 0
                && delivery.partition == 1)
        };
        let mut story = good().without(is_it);
        rejects(check, &story, "group was never given 1/0");
        let (subscription, payload) = (GROUP.to_owned(), "b".to_owned());
        story.then(What::DeadLetter(DeadLetter { subscription, partition: 1, offset: 0, payload }));
        accepts(check, &story);
    }

    #[test]
    fn a_subscription_that_was_not_drained_shows_nothing() {
        let story = good().without(|what| matches!(what, What::Drained { subscription } if subscription == SHARED));
        rejects(check, &story, "shared was not drained");
    }

    #[test]
    fn a_cursor_that_passes_what_nobody_acked_is_noticed() {
        let mut story = good();
        story.cursor(SHARED, 1, 2);
        accepts(check, &story);
        story.cursor(SHARED, 1, 3);
        rejects(check, &story, "shared has passed 1/2");
        let mut story = good();
        story.cursor(SHARED, 1, 1).end = 0;
        rejects(check, &story, "shared has passed 1/0");
    }

    #[test]
    fn an_ack_that_may_have_been_heard_is_enough_and_one_that_was_refused_is_not() {
        let with = |outcome: Outcome<()>| {
            let mut story = good();
            story.publish("e", None, 1);
            story.ack(SHARED, "eve", 1, 2).outcome = outcome;
            story.deliver(GROUP, "bob", 1, 2);
            story.deliver(SHARED, "eve", 1, 2);
            story.cursor(SHARED, 1, 3);
            story
        };
        accepts(check, &with(Outcome::Info("no answer".to_owned())));
        rejects(check, &with(Outcome::Fail("lease_expired".to_owned())), "shared has passed 1/2");
    }

    #[test]
    fn an_ack_that_is_refused_in_the_end_may_have_been_seen_before() {
        let seen_after = |extra: u64| {
            let mut story = good();
            story.publish("e", None, 1);
            story.deliver(GROUP, "bob", 1, 2);
            story.deliver(SHARED, "eve", 1, 2);
            story.ack(SHARED, "eve", 1, 2).outcome = Outcome::Fail("lease_expired".to_owned());
            let refused_at = story.history.operations.last().unwrap().end;
            let seen = story.cursor(SHARED, 1, 3);
            (seen.start, seen.end) = (refused_at - 1 + extra, refused_at + extra);
            story
        };
        accepts(check, &seen_after(0));
        rejects(check, &seen_after(1), "shared has passed 1/2");
    }
}
