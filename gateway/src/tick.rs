//! A timer for a task that is woken for other reasons most of the time.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use glommio::timer::Timer;

/// Ends once, after a while. Being looked at before costs a look at the clock: a timer of glommio by itself is taken out of
/// the list of all timers and put in again each time, which with thousands of connections is a good part of a delivery.
#[derive(Debug)]
pub(crate) struct Tick {
    at: Instant,
    timer: Timer,
    /// Whom the timer will wake, once it is in the list.
    wakes: Option<Waker>,
}

impl Tick {
    /// Ends after so long.
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, timer: Timer::new(time), wakes: None }
    }

    /// Ready once the time is over.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_set = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_set && Instant::now() < self.at {
            return Poll::Pending;
        }
        self.wakes = Some(context.waker().clone());
        ready!(Pin::new(&mut self.timer).poll(context));
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use glommio::{LocalExecutorBuilder, Placement};

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).make().unwrap().run(test)
    }

    #[test]
    fn it_wakes_whoever_looked_last() {
        run(async {
            let mut tick = Tick::after(Duration::from_millis(20));
            // Somebody else, who would be woken in vain.
            let _ = tick.poll(&mut Context::from_waker(Waker::noop()));
            poll_fn(|context| tick.poll(context)).await;
        });
    }

    #[test]
    fn it_ends_however_often_it_is_looked_at() {
        run(async {
            let mut tick = Tick::after(Duration::from_millis(20));
            let mut looks = 0;
            poll_fn(|context| {
                looks += 1;
                if looks < 5 {
                    context.waker().wake_by_ref();
                }
                tick.poll(context)
            })
            .await;
        });
    }

    #[test]
    fn it_does_not_end_before_its_time() {
        run(async {
            let mut tick = Tick::after(Duration::from_hours(1));
            for _ in 0..3 {
                assert!(tick.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        });
    }
}
