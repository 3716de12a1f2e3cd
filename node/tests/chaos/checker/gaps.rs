//! E4: what is read is dense: no offset is left out, none comes twice or out of turn, and the end is read from the start.

use std::collections::BTreeMap;

use crate::history::History;

pub(super) fn check(history: &History) -> Vec<String> {
    let mut violations = Vec::new();
    for (operation, read) in history.reads() {
        let offsets: Vec<_> = read.records.iter().map(|record| record.offset).collect();
        let expected: Vec<_> = (read.from..read.next).collect();
        if offsets != expected {
            let (partition, from, next, node) = (read.partition, read.from, read.next, operation.node);
            violations.push(format!("{partition}/{from} to {next} at node {node} gave the offsets {offsets:?}"));
        }
    }
    // How far each node's last pages follow on each other.
    let mut ends: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (operation, read) in history.reads().filter(|(_, read)| read.is_final) {
        let end = ends.entry((operation.node, read.partition)).or_default();
        if read.from != *end {
            violations.push(format!("the last pages of partition {} jump from {end} to {}", read.partition, read.from));
        }
        *end = read.next;
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{accepts, good, rejects};
    use super::check;

    #[test]
    fn an_offset_that_is_left_out_comes_twice_or_out_of_turn_is_noticed() {
        let mut story = good();
        story.reads().last().unwrap().records.remove(0);
        rejects(check, &story, "[1]");
        let mut story = good();
        story.reads().last().unwrap().records.swap(0, 1);
        rejects(check, &story, "[1, 0]");
        let mut story = good();
        let read = story.reads().last().unwrap();
        read.records.push(read.records[1].clone());
        rejects(check, &story, "[0, 1, 1]");
    }

    #[test]
    fn a_page_that_says_that_it_went_further_is_noticed() {
        let mut story = good();
        story.reads().last().unwrap().next += 1;
        rejects(check, &story, "1/0 to 3");
    }

    #[test]
    fn pages_follow_on_each_other() {
        let mut story = good();
        story.read(0, 2).is_final = true;
        accepts(check, &story);
        story.read(0, 1).is_final = true;
        rejects(check, &story, "jump from 2 to 1");
    }

    #[test]
    fn a_read_in_the_middle_may_begin_anywhere() {
        let mut story = good();
        story.read(0, 1);
        accepts(check, &story);
    }
}
