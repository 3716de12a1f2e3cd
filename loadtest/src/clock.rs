//! Time since a run's start, precise enough for arrival rates that a millisecond timer would turn into bursts.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The clock that a connection's driver uses; tests put virtual time behind it.
pub trait Clock {
    /// The time since the run's start; zero before it.
    fn now(&self) -> Duration;

    /// Returns at `at`, at once if that is past. It may be dropped and called again.
    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()>;
}

/// The real clock of one connection, with a timer of its own.
///
/// tokio's timers fire on whole milliseconds; a request meant for the middle of one would be late by half of it, and that
/// would be measured as the server's latency. A timerfd is exact to some microseconds.
#[derive(Debug)]
pub struct MonotonicClock {
    start: Instant,
    timer: AsyncFd<OwnedFd>,
}

impl MonotonicClock {
    /// A clock that counts from `start`, which may lie ahead.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptor left.
    pub fn new(start: Instant) -> io::Result<Self> {
        let timer =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(unsafe_code, reason = "tokio has no safe way to watch a file descriptor that is not deprecated")]
        // SAFETY: the descriptor is open, and `AsyncFd` owns it until it is dropped; an `OwnedFd` always gives the same
        // one, and nothing here takes or exchanges it.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        Ok(Self { start, timer })
    }

    async fn wait(&self, time: Duration) -> io::Result<()> {
        let once = Itimerspec { it_interval: Timespec::default(), it_value: timespec(time) };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0_u8; 8];
            // Readiness may be left over from a wait that was dropped: only a read tells.
            if ready.try_io(|timer| Ok(rustix::io::read(timer, &mut expirations)?)).is_ok() {
                return Ok(());
            }
        }
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep_until(&self, at: Duration) {
        let Some(time) = (self.start + at).checked_duration_since(Instant::now()).filter(|time| !time.is_zero()) else {
            return;
        };
        if self.wait(time).await.is_err() {
            // A timer that can be made but not used is not known to happen; a coarse wait is better than none.
            tokio::time::sleep(time).await;
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}

/// The CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod virtual_time {
    //! tokio's paused time as a [`Clock`]: it jumps to the next timer when nothing else can run.

    use super::{Clock, Duration};
    use tokio::time::Instant;

    /// Counts from its creation; only inside a runtime with `start_paused`.
    pub(crate) struct VirtualClock(Instant);

    impl VirtualClock {
        pub(crate) fn new() -> Self {
            Self(Instant::now())
        }
    }

    impl Clock for VirtualClock {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }

        async fn sleep_until(&self, at: Duration) {
            tokio::time::sleep_until(self.0 + at).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleep_until_never_returns_early() {
        let clock = MonotonicClock::new(Instant::now()).unwrap();
        for step in 1..20_u32 {
            let at = Duration::from_micros(300) * step;
            clock.sleep_until(at).await;
            assert!(clock.now() >= at);
        }
    }

    #[tokio::test]
    async fn a_dropped_sleep_does_not_shorten_the_next() {
        let clock = MonotonicClock::new(Instant::now()).unwrap();
        tokio::select! {
            biased;
            () = clock.sleep_until(Duration::from_micros(200)) => {}
            () = std::future::ready(()) => {}
        }
        let at = Duration::from_millis(5);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
    }

    #[test]
    fn a_start_that_lies_ahead_is_time_zero() {
        let start = Instant::now() + Duration::from_mins(1);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = thread_cpu_time();
        let mut sum = 0_u64;
        while thread_cpu_time() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
