//! A run in which too little happened shows nothing, and counts as failed.

use super::{epochs, insync, redeliveries};
use crate::history::History;

pub(super) fn check(history: &History) -> Vec<String> {
    let minimum = history.run.minimum;
    let counts = [
        ("publishes acknowledged", history.published().count(), minimum.acked),
        ("faults installed", history.installed().count(), minimum.faults),
        ("changes of owner", epochs::owner_changes(history), minimum.owner_changes),
        ("changes of who is in sync", insync::changes(history), minimum.insync_changes),
        ("redeliveries", redeliveries::count(history), minimum.redeliveries),
    ];
    let too_few = counts.into_iter().filter(|(_, count, minimum)| count < minimum);
    too_few.map(|(what, count, minimum)| format!("only {count} {what}, of at least {minimum}")).collect()
}

/// What happened, in one line.
pub(super) fn summary(history: &History) -> String {
    format!(
        "{} operations: {} publishes acknowledged of {}, {} deliveries ({} again), {} faults installed, \
         {} owner changes, {} changes of who is in sync",
        history.operations.len(),
        history.published().count(),
        history.publishes().count(),
        history.deliveries().count(),
        redeliveries::count(history),
        history.installed().count(),
        epochs::owner_changes(history),
        insync::changes(history),
    )
}

#[cfg(test)]
mod tests {
    use super::super::story::{accepts, good, rejects};
    use super::{check, summary};
    use crate::history::Minimum;

    #[test]
    fn a_run_with_too_little_of_anything_is_noticed() {
        let mut story = good();
        accepts(check, &story);
        for (minimum, said) in [
            (Minimum { acked: 5, ..Minimum::default() }, "only 4 publishes acknowledged, of at least 5"),
            (Minimum { faults: 2, ..Minimum::default() }, "only 1 faults installed"),
            (Minimum { owner_changes: 2, ..Minimum::default() }, "only 1 changes of owner"),
            (Minimum { insync_changes: 1, ..Minimum::default() }, "only 0 changes of who is in sync"),
            (Minimum { redeliveries: 1, ..Minimum::default() }, "only 0 redeliveries"),
        ] {
            story.history.run.minimum = minimum;
            rejects(check, &story, said);
        }
        assert!(summary(&story.history).contains("4 publishes acknowledged of 4, 8 deliveries (0 again), 1 faults"));
    }
}
