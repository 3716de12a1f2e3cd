//! Judges a history: one file for each thing that must hold, with histories made by hand that it accepts and rejects.

mod acked_once;
mod at_least_once;
mod cursors;
mod duplicates;
mod durability;
mod epochs;
mod gaps;
mod guard;
mod identity;
mod insync;
mod key_order;
mod liveness;
mod minority;
mod ownership;
mod phantoms;
mod producer_order;
mod redeliveries;
mod stable_reads;
pub(crate) mod story;
mod sweep;

use crate::history::History;

/// What looks for one kind of violation, and says what is wrong, once for each.
type Invariant = fn(&History) -> Vec<String>;

/// The most violations of one kind that are shown.
const SHOWN_MAX: usize = 10;

const INVARIANTS: &[(&str, Invariant)] = &[
    ("durability", durability::check),
    ("identity", identity::check),
    ("phantoms", phantoms::check),
    ("gaps", gaps::check),
    ("stable reads", stable_reads::check),
    ("producer order", producer_order::check),
    ("duplicates", duplicates::check),
    ("at least once", at_least_once::check),
    ("ownership", ownership::check),
    ("cursors", cursors::check),
    ("acked once", acked_once::check),
    ("redeliveries", redeliveries::check),
    ("key order", key_order::check),
    ("epochs", epochs::check),
    ("minority", minority::check),
    ("liveness", liveness::check),
    ("guard", guard::check),
];

/// Everything that is wrong with a run.
pub(crate) fn check(history: &History) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, invariant) in INVARIANTS {
        let found = invariant(history);
        let more = found.len().saturating_sub(SHOWN_MAX);
        violations.extend(found.iter().take(SHOWN_MAX).map(|violation| format!("{name}: {violation}")));
        if more > 0 {
            violations.push(format!("{name}: and {more} more"));
        }
    }
    violations
}

/// Whether everything has gone on after the last fault.
pub(crate) fn is_alive(history: &History) -> bool {
    liveness::check(history).is_empty()
}

/// What happened in a run, in one line.
pub(crate) fn summary(history: &History) -> String {
    guard::summary(history)
}

/// `PUBSUB_TEST_HISTORY=FILE` has the history of a run judged again, wherever it was written; a good one is otherwise.
#[test]
fn a_history_in_a_file_is_judged() {
    let mut written = Vec::new();
    story::good().history.write(&mut written).unwrap();
    let history = match std::env::var_os("PUBSUB_TEST_HISTORY") {
        Some(file) => History::read(std::io::BufReader::new(std::fs::File::open(file).unwrap())),
        None => History::read(&written[..]),
    };
    let history = history.unwrap();
    eprintln!("{}", summary(&history));
    assert_eq!(check(&history), Vec::<String>::new());
}

#[test]
fn a_good_history_is_accepted() {
    assert_eq!(check(&story::good().history), Vec::<String>::new());
}
