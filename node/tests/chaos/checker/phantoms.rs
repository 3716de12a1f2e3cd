//! E3: whatever comes out was put in: as it was, not before, and not by a publish that surely failed.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Outcome};

pub(super) fn check(history: &History) -> Vec<String> {
    // The first attempt that may have taken effect, and the key, of each payload.
    let mut sent = BTreeMap::new();
    for (operation, publish) in history.publishes().filter(|(_, publish)| !matches!(publish.outcome, Outcome::Fail(_)))
    {
        let entry = sent.entry(publish.payload.clone()).or_insert((operation.start, publish.key.clone()));
        entry.0 = entry.0.min(operation.start);
    }
    let mut told = BTreeSet::new();
    let mut violations = Vec::new();
    for (operation, partition, record) in history.received() {
        let wrong = match sent.get(&record.payload) {
            None => "nobody published that, or only in vain",
            Some((start, _)) if *start > operation.end => "it was published later only",
            Some((_, key)) if *key != record.key => "it was published under another key",
            Some(_) => continue,
        };
        if told.insert((partition, record.offset)) {
            violations.push(format!("in partition {partition}: {record:?}: {wrong}"));
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
    fn what_nobody_published_is_noticed() {
        let mut story = good();
        story.store("x", None, 0);
        story.deliver(SHARED, "eve", 0, 2);
        rejects(check, &story, "nobody published that");
    }

    #[test]
    fn what_was_surely_not_stored_is_noticed_and_what_may_have_been_is_not() {
        let mut story = good();
        story.publish_with("x", None, Outcome::Fail("refused".to_owned()));
        story.store("x", None, 0);
        story.deliver(SHARED, "eve", 0, 2);
        rejects(check, &story, "in vain");
        let mut story = good();
        story.publish_with("x", None, Outcome::Fail("refused".to_owned()));
        story.publish_with("x", None, Outcome::Info("no answer".to_owned()));
        story.store("x", None, 0);
        story.deliver(SHARED, "eve", 0, 2);
        accepts(check, &story);
    }

    #[test]
    fn a_changed_key_and_an_effect_before_its_cause_are_noticed() {
        let mut story = good();
        story.deliver(SHARED, "eve", 0, 0).record.key = None;
        rejects(check, &story, "another key");
        let mut story = good();
        story.store("x", None, 0);
        story.deliver(SHARED, "eve", 0, 2);
        story.publish_with("x", None, Outcome::Info("no answer".to_owned()));
        rejects(check, &story, "later only");
    }
}
