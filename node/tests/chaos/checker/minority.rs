//! A node that can reach neither the store nor a majority acknowledges nothing: it could not keep it.

use crate::history::{History, Operation};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = Vec::new();
    let dones = history.first_dones();
    for (fault, cut) in history.installed() {
        let during = |operation: &Operation| {
            cut.severed.contains(&operation.node) && operation.start > fault.start && operation.end < fault.end
        };
        for (operation, publish, placed) in history.published().filter(|(operation, ..)| during(operation)) {
            // What it knew to be stored it may say.
            if !placed.is_duplicate {
                let (node, name, payload) = (operation.node, &cut.name, &publish.payload);
                let place = format!("{}/{}", placed.partition, placed.offset);
                violations.push(format!("node {node} took `{payload}` at {place} during `{name}`"));
            }
        }
        for (operation, ack) in history.acks().filter(|(operation, ack)| during(operation) && ack.settles()) {
            let first = dones.get(&(ack.subscription.as_str(), ack.partition, ack.offset));
            if first == Some(&operation.start) {
                let (node, name, subscription) = (operation.node, &cut.name, &ack.subscription);
                let place = format!("{}/{}", ack.partition, ack.offset);
                violations.push(format!("node {node} took the ack of {place} for {subscription} during `{name}`"));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{SHARED, Story, accepts, rejects};
    use super::check;
    use crate::history::{Installed, Outcome, Placed, What};

    /// A message is published, delivered and acked, at node 1, while it is cut off.
    fn cut(severed: &[u32], installed: Installed) -> Story {
        let mut story = Story::new();
        story.then(What::Drained { subscription: SHARED.to_owned() });
        let start = story.now - 1;
        story.publish("a", None, 0);
        story.deliver(SHARED, "eve", 0, 0);
        let fault = story.fault("cut 1");
        fault.start = start;
        let What::Fault(fault) = &mut fault.what else { unreachable!() };
        (fault.severed, fault.installed) = (severed.to_vec(), installed);
        story
    }

    #[test]
    fn a_publish_that_a_minority_takes_is_noticed() {
        accepts(check, &cut(&[2], Installed::Yes));
        accepts(check, &cut(&[1], Installed::Skipped("no nft".to_owned())));
        rejects(check, &cut(&[1], Installed::Yes), "node 1 took `a` at 0/0 during `cut 1`");
    }

    #[test]
    fn a_publish_that_began_before_the_cut_may_end_in_it() {
        let mut story = cut(&[1], Installed::Yes);
        story.history.operations[1].start = 0;
        accepts(check, &story);
    }

    #[test]
    fn what_was_stored_before_may_be_said_again() {
        let mut story = cut(&[1], Installed::Yes);
        let What::Publish(publish) = &mut story.history.operations[1].what else { unreachable!() };
        publish.outcome = Outcome::Ok(Placed { partition: 0, offset: 0, is_duplicate: true });
        accepts(check, &story);
    }

    #[test]
    fn an_ack_that_a_minority_takes_is_noticed() {
        let mut story = cut(&[2, 1], Installed::Yes);
        story.history.operations.remove(1);
        accepts(check, &story);
        story.ack(SHARED, "eve", 0, 0);
        let end = story.now;
        let fault = story.history.operations.iter_mut().find(|operation| matches!(operation.what, What::Fault(_)));
        fault.unwrap().end = end;
        rejects(check, &story, "node 1 took the ack of 0/0 for shared");
    }
}
