//! Which cores the shards run on.

use std::{io, thread};

use rustix::thread::{CpuSet, sched_getaffinity};

/// The core of each shard; `wanted` of 0 is one shard for every core that this process may use. More shards than cores
/// share them, which costs speed but changes nothing else.
pub(crate) fn for_shards(wanted: usize) -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    let allowed: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    // A container may be on many cores and be given the time of few.
    let usable = thread::available_parallelism().map_or(allowed.len(), |usable| usable.get().min(allowed.len()));
    let chosen = choose(&allowed, usable, wanted);
    if chosen.len() > usable {
        tracing::warn!(shards = chosen.len(), cores = usable, "more shards than cores: they share them");
    }
    Ok(chosen)
}

fn choose(allowed: &[usize], usable: usize, wanted: usize) -> Vec<usize> {
    let count = if wanted == 0 { usable.max(1) } else { wanted };
    allowed.iter().copied().cycle().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_every_usable_core_is_taken() {
        assert_eq!(choose(&[2, 3, 6], 3, 0), [2, 3, 6]);
        assert_eq!(choose(&[2, 3, 6], 2, 0), [2, 3]);
    }

    #[test]
    fn more_shards_than_cores_go_round() {
        assert_eq!(choose(&[2, 3], 2, 5), [2, 3, 2, 3, 2]);
        assert_eq!(choose(&[2, 3], 2, 1), [2]);
    }

    #[test]
    fn this_process_may_run_somewhere() {
        assert!(!for_shards(0).unwrap().is_empty());
    }
}
