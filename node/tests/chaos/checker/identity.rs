//! E2: a place in a partition is one record, for every client, at every node, at any time.

use std::collections::BTreeMap;

use crate::history::{History, Record};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut first: BTreeMap<(u32, u64), Record> = BTreeMap::new();
    let mut violations = Vec::new();
    for (operation, partition, record) in history.seen() {
        let known = first.entry((partition, record.offset)).or_insert_with(|| record.clone());
        if *known != record {
            let (node, end) = (operation.node, operation.end);
            violations
                .push(format!("in partition {partition}: {known:?}, and {record:?} from node {node} at {end} µs"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{SHARED, accepts, good, rejects};
    use super::check;

    #[test]
    fn two_records_at_one_place_are_noticed() {
        let mut story = good();
        accepts(check, &story);
        story.deliver(SHARED, "eve", 0, 0).record.payload = "b".to_owned();
        rejects(check, &story, "in partition 0");
    }

    #[test]
    fn a_place_that_was_given_to_two_publishers_is_noticed() {
        let mut story = good();
        story.publish("e", None, 1);
        accepts(check, &story);
        let mut placed = story.history.published().last().unwrap().2;
        placed.offset = 0;
        story.publish_with("f", None, crate::history::Outcome::Ok(placed));
        rejects(check, &story, "payload: \"f\"");
    }
}
