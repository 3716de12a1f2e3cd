//! E14: within a time after the last fault, every partition takes a publish and every subscription advances on each.

use std::collections::BTreeSet;

use crate::history::{History, Operation};

pub(super) fn check(history: &History) -> Vec<String> {
    let healed = history.healed();
    let limit = healed + history.run.heal_within_ms * 1_000;
    let in_time = |operation: &Operation| operation.start >= healed && operation.end <= limit;
    let took: BTreeSet<u32> = history
        .published()
        .filter(|(operation, ..)| in_time(operation))
        .map(|(_, _, placed)| placed.partition)
        .collect();
    let advanced: BTreeSet<(&str, u32)> = history
        .acks()
        .filter(|(operation, ack)| in_time(operation) && ack.settles())
        .map(|(_, ack)| (ack.subscription.as_str(), ack.partition))
        .collect();
    let mut violations = Vec::new();
    for partition in 0..history.run.partitions {
        if !took.contains(&partition) {
            violations.push(format!("partition {partition} took no publish from {healed} to {limit} µs"));
        }
        for subscription in &history.run.subscriptions {
            let name = subscription.name.as_str();
            if !advanced.contains(&(name, partition)) {
                violations.push(format!("{name} did not advance on partition {partition} from {healed} to {limit} µs"));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{GROUP, accepts, good, rejects};
    use super::check;
    use crate::history::What;

    #[test]
    fn a_partition_that_takes_nothing_after_the_faults_is_noticed() {
        accepts(check, &good());
        rejects(
            check,
            &good().without(|what| matches!(what, What::Publish(publish) if publish.payload == "d")),
            "partition 1 took no publish",
        );
    }

    #[test]
    fn a_subscription_that_stands_still_after_the_faults_is_noticed() {
        let story = good().without(
            |what| matches!(what, What::Ack(ack) if ack.subscription == GROUP && ack.partition == 0 && ack.offset == 1),
        );
        rejects(check, &story, "group did not advance on partition 0");
    }

    #[test]
    fn too_late_is_not_in_time() {
        let mut story = good();
        story.history.run.heal_within_ms = 0;
        assert_eq!(check(&story.history).len(), 6);
    }
}
