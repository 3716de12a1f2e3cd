//! What a person sees while a run goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::counters::Counters;
use crate::workload::{Kind, Workload};

/// Shows how far a run is.
pub trait Progress {
    /// A run begins; `deliveries_max` is where consumers stop, if known.
    fn begin(&mut self, workload: &Workload, deliveries_max: Option<u64>);
    /// So far it has come.
    fn update(&mut self, elapsed: Duration, counters: &Counters);
    /// It is over.
    fn end(&mut self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _workload: &Workload, _deliveries_max: Option<u64>) {}
    fn update(&mut self, _elapsed: Duration, _counters: &Counters) {}
    fn end(&mut self) {}
}

/// A bar on standard error; nothing if that is not a terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    by_messages: bool,
}

impl Bar {
    /// A bar that shows itself with the first `begin`.
    #[must_use]
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), by_messages: false }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bar {
    fn begin(&mut self, workload: &Workload, deliveries_max: Option<u64>) {
        let messages = match workload.kind {
            Kind::Publish => workload.messages_max,
            Kind::Consume | Kind::Read => deliveries_max,
            Kind::EndToEnd | Kind::FanOut => None,
        };
        self.by_messages = messages.is_some();
        let length = messages.unwrap_or_else(|| millis(workload.end()));
        // Draws only on a terminal.
        self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{prefix:>10} {bar:30} {percent:>3}% {msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(match workload.kind {
            Kind::Publish => "publish",
            Kind::Consume => "consume",
            Kind::EndToEnd => "end-to-end",
            Kind::Read => "read",
            Kind::FanOut => "fan-out",
        });
    }

    fn update(&mut self, elapsed: Duration, counters: &Counters) {
        let (acknowledged, delivered) = (counters.acknowledged(), counters.delivered());
        self.bar.set_position(if self.by_messages { acknowledged.max(delivered) } else { millis(elapsed) });
        let per_second = |messages: u64| u128::from(messages) * 1_000 / elapsed.as_millis().max(1);
        self.bar.set_message(format!(
            "{} published/s, {} delivered/s, {} failed",
            per_second(acknowledged),
            per_second(delivered),
            counters.failed()
        ));
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
