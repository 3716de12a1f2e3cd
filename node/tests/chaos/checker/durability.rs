//! E1: what was acknowledged is at its place in the end, byte for byte, whichever node is asked.

use crate::history::History;

pub(super) fn check(history: &History) -> Vec<String> {
    let finals = history.finals();
    let mut violations = Vec::new();
    for (operation, publish, placed) in history.published() {
        let place = format!("{}/{}", placed.partition, placed.offset);
        let acked = format!("`{}`, acknowledged by node {} at {} µs", publish.payload, operation.node, operation.end);
        let mut is_read = false;
        for ((node, _), log) in finals.iter().filter(|((_, partition), _)| *partition == placed.partition) {
            is_read = true;
            match log.get(&placed.offset) {
                Some(record) if record.payload == publish.payload && record.key == publish.key => {}
                Some(record) => violations.push(format!("{place} is {record:?} at node {node}, not {acked}")),
                None => violations.push(format!("{place} is not there at node {node}: {acked}")),
            }
        }
        if !is_read {
            violations.push(format!("partition {} was not read at the end", placed.partition));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{accepts, good, rejects};
    use super::check;
    use crate::history::{Outcome, What};

    #[test]
    fn what_was_acknowledged_and_is_gone_is_noticed() {
        let mut story = good();
        story.reads().last().unwrap().records.pop();
        rejects(check, &story, "1/1 is not there");
    }

    #[test]
    fn what_was_acknowledged_and_is_something_else_is_noticed() {
        let mut story = good();
        story.reads().last().unwrap().records[1].payload = "e".to_owned();
        rejects(check, &story, "1/1 is");
        let mut story = good();
        story.reads().last().unwrap().records[1].key = Some("k".to_owned());
        rejects(check, &story, "1/1 is");
    }

    #[test]
    fn a_second_node_has_to_have_it_too() {
        let mut story = good();
        story.read(1, 0).is_final = true;
        story.history.operations.last_mut().unwrap().node = 2;
        accepts(check, &story);
        story.reads().last().unwrap().records.pop();
        rejects(check, &story, "at node 2");
    }

    #[test]
    fn a_partition_that_nobody_read_shows_nothing() {
        let story = good().without(|what| matches!(what, What::Read(read) if read.partition == 1));
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn what_was_not_acknowledged_may_be_there_or_not() {
        let mut story = good();
        story.publish_with("x", None, Outcome::Info("no answer".to_owned()));
        story.store("y", None, 0);
        accepts(check, &story);
    }
}
