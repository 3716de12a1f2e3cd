//! The files that the process may have open: each connection is one, and its timer another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::workload::Workload;

/// What is open besides: standard streams, reports, the runtimes' own.
const OTHER_FILES: u64 = 64;

/// The run would need more open files than this process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes {needed} open files and this process may have {limit}: raise the hard limit (`ulimit -Hn`)")]
pub struct TooFewFiles {
    /// How many there should be.
    pub needed: u64,
    /// How many there may be.
    pub limit: u64,
}

/// The most files that a run has open at a time.
#[must_use]
pub fn needed(workload: &Workload) -> u64 {
    let readers = workload.fan_out.map_or(0, |fan_out| fan_out.readers);
    let timed = workload.publish.connections.saturating_add(workload.consume.connections);
    u64::try_from(timed.saturating_mul(2).saturating_add(readers)).unwrap_or(u64::MAX).saturating_add(OTHER_FILES)
}

/// Lets the process have so many open files, as far as its hard limit allows.
///
/// # Errors
/// It does not.
pub fn ensure(needed: u64) -> Result<(), TooFewFiles> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    let wanted = Rlimit { current: maximum, maximum };
    match maximum {
        Some(limit) if limit < needed => Err(TooFewFiles { needed, limit }),
        Some(_) | None if setrlimit(Resource::Nofile, wanted).is_ok() => Ok(()),
        Some(_) | None => Err(TooFewFiles { needed, limit: current.unwrap_or(u64::MAX) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tests::example;
    use crate::workload::{FanOutPlan, FanOutProtocol, Kind};

    #[test]
    fn each_connection_counts() {
        let mut workload = example(Kind::FanOut);
        let few = needed(&workload);
        workload.fan_out = Some(FanOutPlan { protocol: FanOutProtocol::Sse, readers: 5_000 });
        workload.publish.connections += 10;
        assert_eq!(needed(&workload), few + 5_000 - 3 + 20);
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        let limit = getrlimit(Resource::Nofile).maximum;
        assert_eq!(ensure(limit.unwrap_or(u64::MAX)), Ok(()));
        if let Some(limit) = limit {
            assert_eq!(ensure(limit + 1), Err(TooFewFiles { needed: limit + 1, limit }));
        }
    }
}
