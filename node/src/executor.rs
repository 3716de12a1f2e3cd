//! Starts an executor such that what it is there for is begun.
//!
//! An executor of glommio 0.9 may go to sleep for ever before it has run anything: when the kernel takes it off its core at
//! its very first turn for as long as its preempt timer, it takes the expired timer for "nothing was runnable", and
//! nobody can wake it yet. So whoever starts one waits until it has taken what it is to do, and after a while offers that to
//! another one. The first to take it has it; one that wakes up late finds nothing, and ends.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use futures_util::future::select;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, timer::Timer};
use tokio::time::timeout;

use crate::limits;

/// What one executor may take.
pub(crate) struct Offer<T> {
    task: Arc<Mutex<Option<T>>>,
    attempt: usize,
    taken: flume::Sender<usize>,
}

impl<T> Offer<T> {
    /// The task, if no other one has it.
    fn take(self) -> Option<T> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if task.is_some() {
            // Whoever started it has gone if nobody listens; then it ends soon.
            let _ = self.taken.try_send(self.attempt);
        }
        task
    }
}

/// Starts an executor on a core that runs a task until it is done.
///
/// # Errors
/// It can't be made, or none of several began.
pub(crate) async fn start<T: Send + 'static, F: Future<Output = ()> + 'static>(
    (cpu, name): (usize, String),
    task: T,
    run: fn(T) -> F,
) -> Result<ExecutorJoinHandle<()>, String> {
    let spawn = |offer: Offer<T>| {
        LocalExecutorBuilder::new(Placement::Fixed(cpu))
            .name(&name)
            .preempt_timer(limits::PREEMPT_TIMER)
            .spin_before_park(limits::SPIN_BEFORE_PARK)
            .io_memory(limits::REGISTERED_BUFFER_BYTES)
            .ring_depth(limits::RING_DEPTH)
            .spawn(move || async move {
                if let Some(task) = offer.take() {
                    // In one task, so that there is no moment at which one runs and the other has not begun.
                    select(pin!(run(task)), pin!(beat())).await;
                }
            })
            .map_err(|error| error.to_string())
    };
    offer(task, (limits::EXECUTOR_START_WAIT, limits::EXECUTOR_START_WAIT_LAST), spawn).await
}

/// Keeps an executor from oversleeping; see `limits::HEARTBEATS`. Never ends.
async fn beat() {
    loop {
        let mut timers = limits::HEARTBEATS.map(Timer::new);
        // The first is enough where all goes well; the others are taken back.
        poll_fn(|context| {
            // As long as none has expired, all are asked, and so set.
            let has_expired = timers.iter_mut().any(|timer| Pin::new(timer).poll(context).is_ready());
            if has_expired { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Offers a task to one executor after the other, each of which has `wait` to take it, and the last one `wait_last`.
async fn offer<T, H>(
    task: T,
    (wait, wait_last): (Duration, Duration),
    mut spawn: impl FnMut(Offer<T>) -> Result<H, String>,
) -> Result<H, String> {
    let (taken, news) = flume::bounded(1);
    let task = Arc::new(Mutex::new(Some(task)));
    let mut started = Vec::new();
    for attempt in 0..limits::EXECUTOR_STARTS_MAX {
        started.push(spawn(Offer { task: Arc::clone(&task), attempt, taken: taken.clone() })?);
        let is_last = attempt + 1 == limits::EXECUTOR_STARTS_MAX;
        let wait = if is_last { wait_last } else { wait };
        if let Ok(Ok(first)) = timeout(wait, news.recv_async()).await {
            // The others sleep, or are about to end.
            return Ok(started.swap_remove(first));
        }
        tracing::warn!(attempt, "an executor did not begin to run; another one is started");
    }
    Err("no executor began to run: is the machine overloaded?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);

    #[tokio::test]
    async fn a_task_that_was_not_taken_is_offered_again_and_taken_once() {
        let mut asleep = Vec::new();
        let started = offer("task", NOW, |offer| {
            let attempt = offer.attempt;
            if attempt < 2 {
                asleep.push(offer);
            } else {
                assert_eq!(offer.take(), Some("task"));
            }
            Ok(attempt)
        });
        assert_eq!(started.await, Ok(2));
        assert!(asleep.into_iter().all(|late| late.take().is_none()), "one woke up late");
    }

    #[tokio::test]
    async fn one_that_was_late_is_the_one_that_runs() {
        let mut first = None;
        let started = offer("task", NOW, |offer| {
            let attempt = offer.attempt;
            match first.take() {
                None => first = Some(offer),
                Some(late) => {
                    assert_eq!(Offer::take(late), Some("task"));
                    assert_eq!(offer.take(), None);
                }
            }
            Ok(attempt)
        });
        assert_eq!(started.await, Ok(0));
    }

    #[tokio::test]
    async fn attempts_have_an_end() {
        let mut asleep = Vec::new();
        let started = offer("task", NOW, |offer| {
            asleep.push(offer);
            Ok(())
        });
        assert!(started.await.is_err());
        assert_eq!(asleep.len(), limits::EXECUTOR_STARTS_MAX);
    }
}
