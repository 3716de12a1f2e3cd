//! E11: messages come again only for a reason, and no more of them than were held when it came.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{AckKind, Fault, History, Operation, Outcome};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut counts: BTreeMap<(&str, u32), BTreeMap<u64, u64>> = BTreeMap::new();
    let mut consumers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, delivery) in history.deliveries() {
        let of_partition = counts.entry((&delivery.subscription, delivery.partition)).or_default();
        let count = of_partition.entry(delivery.record.offset).or_default();
        *count = (*count + 1).max(u64::from(delivery.attempt));
        consumers.entry(&delivery.subscription).or_default().insert(&delivery.consumer);
    }
    let mut violations = Vec::new();
    for ((subscription, partition), offsets) in counts {
        let again: u64 = offsets.values().map(|count| count - 1).sum();
        let held = history.run.window * consumers[subscription].len() as u64;
        let reasons = disturbances(history, subscription);
        let bound = reasons * held + returned(history, subscription, partition);
        if again > bound {
            violations.push(format!(
                "{subscription}: {again} redeliveries on partition {partition}, for {reasons} reasons, allow {bound}"
            ));
        }
    }
    violations
}

/// Redeliveries that this history has, over all subscriptions.
pub(super) fn count(history: &History) -> usize {
    history.deliveries().filter(|(_, delivery)| delivery.attempt > 1).count()
}

/// What makes consumers lose all that they hold: faults, rebalances, pulls whose answer was lost.
fn disturbances(history: &History, subscription: &str) -> u64 {
    let faults: u64 = history.faults().map(|(operation, fault)| leases(history, operation, fault)).sum();
    let told = history.memberships().filter(|(_, told)| told.subscription == subscription);
    let generations = told.map(|(_, told)| told.generation).collect::<BTreeSet<_>>().len() as u64;
    let lost = history.pulls().filter(|(_, pull)| pull.subscription == subscription);
    let lost = lost.filter(|(_, pull)| !matches!(pull.outcome, Outcome::Fail(_))).count() as u64;
    faults + generations + lost
}

/// How often a lease may run out while a fault lasts and until it is over for everybody.
fn leases(history: &History, operation: &Operation, fault: &Fault) -> u64 {
    if matches!(fault.installed, crate::history::Installed::Skipped(_)) {
        return 0;
    }
    2 + (operation.end - operation.start) / (history.run.ack_deadline_ms * 1_000)
}

/// Messages that were given back, or whose ack nobody may have heard.
fn returned(history: &History, subscription: &str, partition: u32) -> u64 {
    let acks = history.acks().filter(|(_, ack)| ack.subscription == subscription && ack.partition == partition);
    let open = acks.filter(|(_, ack)| ack.kind == AckKind::Again || !matches!(ack.outcome, Outcome::Ok(())));
    open.count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::story::{SHARED, accepts, good, rejects};
    use super::check;
    use crate::history::{AckKind, Outcome, Pull, What};

    #[test]
    fn more_redeliveries_than_reasons_are_noticed() {
        let mut story = good();
        for attempt in 2..=3 {
            story.deliver(SHARED, "eve", 0, 0).attempt = attempt;
        }
        accepts(check, &story);
        story.deliver(SHARED, "eve", 0, 0).attempt = 4;
        rejects(check, &story, "3 redeliveries on partition 0, for 2 reasons, allow 2");
    }

    #[test]
    fn what_was_given_back_or_lost_on_the_way_is_a_reason() {
        let mut story = good();
        for attempt in 2..=4 {
            story.deliver(SHARED, "eve", 0, 0).attempt = attempt;
        }
        let mut nacked = story.clone();
        nacked.ack(SHARED, "eve", 0, 0).kind = AckKind::Again;
        accepts(check, &nacked);
        let (subscription, outcome) = (SHARED.to_owned(), Outcome::Info("no answer".to_owned()));
        story.then(What::Pull(Pull { subscription, outcome }));
        accepts(check, &story);
    }
}
