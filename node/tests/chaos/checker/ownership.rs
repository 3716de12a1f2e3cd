//! E9: in each generation a partition has one consumer, and once another has taken it over, the former one has no say.

use std::collections::{BTreeMap, BTreeSet};

use super::sweep::falls;
use crate::history::{History, Interval, Place};

/// A consumer that used a partition: it was given a message, or an ack of it was taken.
#[derive(Clone, Copy)]
struct Use<'a> {
    consumer: &'a str,
    generation: u64,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = told(history);
    violations.extend(used(history));
    violations
}

/// No two consumers were told that they have a partition in one generation.
fn told(history: &History) -> Vec<String> {
    let mut holders: BTreeMap<(&str, u64, u32), &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for (_, told) in history.memberships() {
        for &partition in &told.partitions {
            let place = (told.subscription.as_str(), told.generation, partition);
            let holder = holders.entry(place).or_insert(&told.consumer);
            if *holder != told.consumer {
                let (consumer, generation) = (&told.consumer, told.generation);
                violations
                    .push(format!("partition {partition} is {holder}'s and {consumer}'s in generation {generation}"));
            }
        }
    }
    violations
}

/// Nobody uses a partition in an older generation than another consumer has before.
fn used(history: &History) -> Vec<String> {
    let mut uses: BTreeMap<(&str, u32), Vec<Interval<Use<'_>>>> = BTreeMap::new();
    let mut settled: BTreeMap<Place<'_>, Vec<(u64, &str)>> = BTreeMap::new();
    for (operation, ack) in history.acks().filter(|(_, ack)| ack.settles()) {
        let place = (ack.subscription.as_str(), ack.partition, ack.offset);
        settled.entry(place).or_default().push((operation.start, &ack.consumer));
    }
    for (operation, ack) in history.acks().filter(|(_, ack)| ack.settles()) {
        let Some(generation) = ack.generation else { continue };
        // Whoever acks what another one has acked is told that it is, and changes nothing.
        let others = settled.get(&(ack.subscription.as_str(), ack.partition, ack.offset)).into_iter().flatten();
        if others.clone().any(|(start, consumer)| *start < operation.start && *consumer != ack.consumer) {
            continue;
        }
        let seen = Use { consumer: &ack.consumer, generation };
        let interval = Interval { start: operation.start, end: operation.end, seen };
        uses.entry((&ack.subscription, ack.partition)).or_default().push(interval);
    }
    for (operation, delivery) in history.deliveries() {
        let Some(generation) = delivery.generation else { continue };
        let seen = Use { consumer: &delivery.consumer, generation };
        let interval = Interval { start: operation.start, end: operation.end, seen };
        uses.entry((&delivery.subscription, delivery.partition)).or_default().push(interval);
    }
    let mut violations = Vec::new();
    for ((subscription, partition), uses) in uses {
        let consumers: BTreeSet<_> = uses.iter().map(|used| used.seen.consumer).collect();
        for consumer in consumers {
            for (earlier, later) in falls(of_one_and_others(&uses, consumer), |used| used.generation, false) {
                violations.push(format!(
                    "{subscription}: {consumer} used partition {partition} in generation {} at {} µs, after {} had in {}",
                    later.seen.generation, later.start, earlier.seen.consumer, earlier.seen.generation
                ));
            }
        }
    }
    violations
}

/// The uses of others as what was there before, those of one consumer as what came after: its own use in an older
/// generation is right as long as nobody else has had the partition.
fn of_one_and_others<'a>(uses: &[Interval<Use<'a>>], consumer: &str) -> Vec<Interval<Use<'a>>> {
    let mut ordered = uses.to_vec();
    for used in &mut ordered {
        if used.seen.consumer == consumer {
            used.end = u64::MAX;
        } else {
            used.start = u64::MAX;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::super::story::{GROUP, accepts, good, rejects};
    use super::check;
    use crate::history::Outcome;

    #[test]
    fn a_partition_with_two_consumers_in_a_generation_is_noticed() {
        let mut story = good();
        story.told("bob", 3, &[1]);
        accepts(check, &story);
        story.told("ann", 3, &[0, 1]);
        rejects(check, &story, "partition 1 is bob's and ann's in generation 3");
    }

    #[test]
    fn an_ack_of_a_former_consumer_that_is_taken_is_noticed() {
        let with = |outcome: Outcome<()>| {
            let mut story = good();
            story.publish("e", None, 1);
            let ack = story.ack(GROUP, "ann", 1, 2);
            (ack.generation, ack.outcome) = (Some(1), outcome);
            story
        };
        rejects(check, &with(Outcome::Ok(())), "ann used partition 1 in generation 1");
        accepts(check, &with(Outcome::Fail("stale_generation".to_owned())));
    }

    #[test]
    fn a_former_consumer_may_be_told_that_another_one_has_acked() {
        let mut story = good();
        story.ack(GROUP, "ann", 1, 0).generation = Some(1);
        accepts(check, &story);
    }

    #[test]
    fn a_delivery_to_a_former_consumer_is_noticed() {
        let mut story = good();
        story.deliver(GROUP, "ann", 1, 0).generation = Some(1);
        rejects(check, &story, "ann used partition 1 in generation 1");
        story.history.operations.last_mut().unwrap().start = 0;
        accepts(check, &story);
    }

    #[test]
    fn a_partition_that_came_back_does_not_make_what_was_before_right() {
        let mut story = good();
        story.told("ann", 3, &[0, 1]);
        story.deliver(GROUP, "ann", 1, 0);
        accepts(check, &story);
        story.publish("e", None, 1);
        story.ack(GROUP, "ann", 1, 2).generation = Some(1);
        rejects(check, &story, "ann used partition 1 in generation 1");
    }

    #[test]
    fn an_older_generation_of_ones_own_is_right() {
        let mut story = good();
        story.ack(GROUP, "ann", 0, 0).generation = Some(1);
        accepts(check, &story);
    }
}
