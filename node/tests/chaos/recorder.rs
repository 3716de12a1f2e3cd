//! Writes down what clients do, on one clock.

use std::{
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use crate::history::{History, Operation, Run, What};

/// Takes operations from any thread.
pub(crate) struct Recorder {
    run: Run,
    started: OnceLock<Instant>,
    operations: Mutex<Vec<Operation>>,
    /// Answers that no fault explains.
    complaints: Mutex<Vec<String>>,
}

impl Recorder {
    pub(crate) fn new(run: Run) -> Self {
        Self { run, started: OnceLock::new(), operations: Mutex::default(), complaints: Mutex::default() }
    }

    /// Microseconds since the beginning, which is when this is asked first.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap()
    }

    /// How long until so many milliseconds after the beginning.
    pub(crate) fn until(&self, ms: u64) -> Duration {
        Duration::from_millis(ms).saturating_sub(self.elapsed())
    }

    /// Something that a client did from `start` until now.
    pub(crate) fn record(&self, start: u64, (client, node): (u32, u32), what: What) {
        let operation = Operation { start, end: self.now(), client, node, what };
        self.operations.lock().unwrap().push(operation);
    }

    /// Something that was answered and that no fault explains.
    pub(crate) fn complain(&self, complaint: String) {
        self.complaints.lock().unwrap().push(complaint);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    pub(crate) const fn run(&self) -> &Run {
        &self.run
    }

    fn elapsed(&self) -> Duration {
        self.started.get_or_init(Instant::now).elapsed()
    }

    /// What was written down so far.
    pub(crate) fn history(&self) -> History {
        History { run: self.run.clone(), operations: self.operations.lock().unwrap().clone() }
    }
}
