//! E7: a message is stored at most as often as it was sent, and once where it says which one it is.

use std::collections::BTreeMap;

use crate::history::{History, Outcome};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, publish) in history.publishes().filter(|(_, publish)| !matches!(publish.outcome, Outcome::Fail(_))) {
        let allowed = allowed.entry(&publish.payload).or_default();
        *allowed = if publish.is_idempotent { 1 } else { *allowed + 1 };
    }
    let mut copies: BTreeMap<&str, Vec<(u32, u64)>> = BTreeMap::new();
    let logs = history.logs();
    for (partition, log) in &logs {
        for record in log.values() {
            copies.entry(&record.payload).or_default().push((*partition, record.offset));
        }
    }
    let mut violations = Vec::new();
    for (payload, places) in copies {
        // What was never sent is another invariant's concern.
        if let Some(&allowed) = allowed.get(payload)
            && places.len() > allowed
        {
            violations.push(format!("`{payload}` may be there {allowed} times and is at {places:?}"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, accepts, rejects};
    use super::check;
    use crate::history::{Outcome, What};

    fn sent(attempts: usize, copies: usize, is_idempotent: bool) -> Story {
        let mut story = Story::new();
        for _ in 0..attempts {
            let what = &mut story.publish_with("a", None, Outcome::Info("no answer".to_owned())).what;
            let What::Publish(publish) = what else { unreachable!() };
            publish.is_idempotent = is_idempotent;
        }
        for _ in 0..copies {
            story.store("a", None, 0);
        }
        story.finish();
        story
    }

    #[test]
    fn more_copies_than_attempts_are_noticed() {
        accepts(check, &sent(2, 2, false));
        rejects(check, &sent(2, 3, false), "2 times");
        accepts(check, &sent(2, 0, false));
    }

    #[test]
    fn a_second_copy_of_what_says_which_one_it_is_is_noticed() {
        accepts(check, &sent(3, 1, true));
        rejects(check, &sent(3, 2, true), "1 times");
    }

    #[test]
    fn an_attempt_that_surely_failed_allows_no_copy() {
        let mut story = sent(1, 2, false);
        story.publish_with("a", None, Outcome::Fail("refused".to_owned()));
        rejects(check, &story, "1 times");
    }
}
