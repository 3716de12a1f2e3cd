//! R13: the vote, then the entries, then the answer. Whatever the log does, a process that is killed at any moment leaves what was
//! answered, in the order in which it was asked for, and nothing that was asked for after something that is missing.

use openraft::Vote;

use super::{super::*, *};
use crate::chance::Random;

const SEEDS: u64 = 6;
const STEPS: usize = 12;
/// Within so many seeds a log that answers too early must be noticed.
const MUTANT_SEEDS: u64 = 6;

/// What the log is to hold, said as plainly as possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Expected {
    term: u64,
    first: u64,
    /// Term and index of each entry.
    entries: Vec<(u64, u64)>,
}

impl Expected {
    fn next(&self) -> u64 {
        self.first + u64::try_from(self.entries.len()).unwrap()
    }

    fn log_id(&self, index: u64) -> LogId {
        let (term, _) = self.entries[usize::try_from(index - self.first).unwrap()];
        LogId::new(CommittedLeaderId::new(term, NODE), index)
    }

    /// Whether a killed process may have left this, when `self` was answered and `asked` asked for.
    fn allows(&self, found: &Self, asked: &Self) -> bool {
        // An entry that is there was asked for behind its vote.
        let in_order = found.entries.iter().all(|(term, _)| *term <= found.term);
        let is_vote = found.term == self.term || found.term == asked.term;
        let is_kept = |(at, entry): (usize, &(u64, u64))| {
            let index = self.first + u64::try_from(at).unwrap();
            index < found.first.max(asked.first) || asked.next() <= index || found.entries.contains(entry)
        };
        in_order
            && is_vote
            && self.entries.iter().enumerate().all(is_kept)
            && found.next() <= asked.next().max(self.next())
    }
}

/// One thing that is asked of the log; the state after it.
async fn step(store: &mut LogStore, before: &Expected, random: &mut Random) -> Expected {
    let mut after = before.clone();
    match random.below(10) {
        0..=2 => {
            after.term += 1;
            store.save_vote(&Vote::new(after.term, NODE)).await.unwrap();
        }
        3..=7 => {
            let new: Vec<_> = (0..=random.below(3)).map(|count| (before.term, before.next() + count)).collect();
            let entry = |(term, index): &(u64, u64)| Entry {
                log_id: LogId::new(CommittedLeaderId::new(*term, NODE), *index),
                payload: EntryPayload::Blank,
            };
            store.blocking_append(new.iter().map(entry)).await.unwrap();
            after.entries.extend(new);
        }
        8 if before.entries.len() > 2 => {
            let from = before.next() - 1 - random.below(2);
            store.truncate(before.log_id(from)).await.unwrap();
            after.entries.truncate(usize::try_from(from - before.first).unwrap());
        }
        _ if before.entries.len() > 3 => {
            let through = before.first + random.below(2);
            store.purge(before.log_id(through)).await.unwrap();
            after.entries.drain(..=usize::try_from(through - before.first).unwrap());
            after.first = through + 1;
        }
        _ => {}
    }
    after
}

/// What a process that starts on these files finds; `None` if it says that something is missing.
async fn found(root: &Path) -> Option<Expected> {
    let mut store = LogStore::open(&root.join("log"), NODE).ok()?;
    let term = store.read_vote().await.ok()?.map_or(0, |vote| vote.leader_id().term);
    let first = store.purged().ok()?.map_or(1, |purged| purged.index + 1);
    let entries = store.try_get_log_entries(..).await.ok()?;
    let entries = entries.iter().map(|entry| (entry.log_id.leader_id.term, entry.log_id.index)).collect();
    Some(Expected { term, first, entries })
}

/// Copies what is there at one moment: a copy takes a while, and what is noted behind a flush must not be newer than the log.
fn copy_in_order(live: &Path, killed: &Path) {
    std::fs::create_dir_all(killed).unwrap();
    let (noted, copy) = (live.join("reached"), killed.join("reached"));
    let was_noted = std::fs::copy(&noted, &copy).is_ok();
    copy_files(&live.join("log"), &killed.join("log"));
    if !was_noted {
        drop(std::fs::remove_file(copy));
    }
}

/// Runs steps, and looks after each at what a kill would have left; whether that was right each time.
async fn holds(seed: u64, flushes: bool) -> bool {
    let (root, mut random) = (tempfile::tempdir().unwrap(), Random::new(seed));
    let live = root.path().join("live");
    let mut store = LogStore::open(&live.join("log"), NODE).unwrap();
    if !flushes {
        store.break_flushes(Arc::new(std::sync::atomic::AtomicBool::new(false)));
    }
    let mut answered = Expected { first: 1, ..Expected::default() };
    for number in 0..STEPS {
        let killed = root.path().join(format!("killed{number}"));
        let (is_within, before) = (random.once_in(3), answered.clone());
        if is_within {
            // In the middle of it: asked for, and not answered yet.
            let mut asking = Box::pin(step(&mut store, &before, &mut random));
            let early = futures_util::poll!(&mut asking);
            copy_in_order(&live, &killed);
            answered = match early {
                std::task::Poll::Ready(after) => after,
                std::task::Poll::Pending => asking.await,
            };
        } else {
            answered = step(&mut store, &before, &mut random).await;
            copy_in_order(&live, &killed);
        }
        let known = if is_within { &before } else { &answered };
        if !found(&killed).await.is_some_and(|found| known.allows(&found, &answered)) {
            return false;
        }
    }
    true
}

/// F12.
#[tokio::test]
async fn a_kill_at_any_moment_leaves_what_the_log_has_answered_in_its_order() {
    for seed in 0..SEEDS {
        assert!(holds(seed, true).await, "seed {seed}");
    }
}

#[tokio::test]
async fn a_log_that_answers_before_its_flush_is_noticed() {
    let mut noticed = false;
    for seed in 0..MUTANT_SEEDS {
        noticed = noticed || !holds(seed, false).await;
    }
    assert!(noticed);
}
