//! One run from end to end: set up, connect, start all workers at once, collect, clean up.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connections::{ConsumerPlace, PublisherPlace, Source};
use crate::counters::Counters;
use crate::deliveries::DeliveryCheck;
use crate::descriptors::{self, TooFewFiles};
use crate::fan_out::ReaderCheck;
use crate::limits::PROGRESS_PERIOD;
use crate::progress::Progress;
use crate::readers::ReadersPlace;
use crate::recorder::Recorder;
use crate::server::Server;
use crate::setup::{Setup, SetupError};
use crate::targets::catch_up_read::ReadPlace;
use crate::targets::{StreamIdentity, TargetError};
use crate::worker::{self, Report, WorkerPlan};
use crate::workload::{Kind, Workload};

/// What a run found out.
#[derive(Debug)]
pub struct RunResult {
    /// Samples and counts of all workers.
    pub recorder: Recorder,
    /// Deliveries of all workers.
    pub deliveries: DeliveryCheck,
    /// What each reader of a fan-out was given.
    pub readers: Vec<ReaderCheck>,
    /// CPU time of the worker threads, the warm-up included.
    pub cpu: Duration,
    /// Wall-clock time of the same, from start to the last result.
    pub wall: Duration,
}

/// Why a run did not take place or came to no result. Topics that were created stay.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RunError {
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Connection(#[from] TargetError),
    #[error("cannot start a worker thread: {0}")]
    Thread(#[source] std::io::Error),
    #[error("a worker thread ended without a result")]
    WorkerLost,
    #[error("the preload published {published} of {wanted} messages{}", .code.as_ref().map(|code| format!(": {code}")).unwrap_or_default())]
    PreloadIncomplete { published: u64, wanted: u64, code: Option<String> },
}

/// Runs a workload, with its setup and preload.
///
/// # Errors
///
/// See [`RunError`].
pub fn run(server: &Server, workload: &Workload, progress: &mut dyn Progress) -> Result<RunResult, RunError> {
    descriptors::ensure(descriptors::needed(workload))?;
    let mut setup = Setup::new(server)?;
    setup.ensure_topic(workload)?;
    let subscription = match workload.kind {
        Kind::Consume | Kind::EndToEnd => Some(setup.ensure_subscription(workload)?),
        Kind::Publish | Kind::Read | Kind::FanOut => None,
    };
    let starts = if workload.kind == Kind::Read { setup.read_starts(workload)? } else { Vec::new() };
    let stage = Stage { server: Arc::new(server.clone()), run: run_number(), subscription, starts };
    let mut deliveries_max = workload.messages_max;
    if workload.preload > 0 {
        let published = preload(&stage, workload, progress)?;
        deliveries_max = Some(deliveries_max.map_or(published, |max| max.min(published)));
    }
    stage.perform(workload, deliveries_max, progress)
}

/// Publishes with nothing set up before: for a server that has no topics, such as the responder of `ceiling`.
///
/// # Errors
///
/// See [`RunError`].
pub fn publish_only(server: &Server, workload: &Workload, progress: &mut dyn Progress) -> Result<RunResult, RunError> {
    let stage = Stage { server: Arc::new(server.clone()), run: run_number(), subscription: None, starts: Vec::new() };
    stage.perform(workload, None, progress)
}

fn preload(stage: &Stage, workload: &Workload, progress: &mut dyn Progress) -> Result<u64, RunError> {
    let result = stage.perform(&workload.preload_workload(), None, progress)?;
    let published = result.recorder.counts().messages;
    if published < workload.preload {
        let code = result.recorder.errors().keys().next().cloned();
        return Err(RunError::PreloadIncomplete { published, wanted: workload.preload, code });
    }
    Ok(published)
}

/// What the setup left for the workers.
struct Stage {
    server: Arc<Server>,
    run: u32,
    subscription: Option<String>,
    starts: Vec<(u32, u64)>,
}

impl Stage {
    fn perform(
        &self,
        workload: &Workload,
        deliveries_max: Option<u64>,
        progress: &mut dyn Progress,
    ) -> Result<RunResult, RunError> {
        let plans = self.plans(&Arc::new(workload.clone()), deliveries_max);
        let counters = plans.first().map(|plan| Arc::clone(&plan.counters)).unwrap_or_default();
        let crew = Crew::hire(plans)?;
        crew.await_ready()?;
        let start = Instant::now();
        crew.start(start);
        progress.begin(workload, deliveries_max);
        let mut result = crew.collect(self.run, || progress.update(start.elapsed(), &counters))?;
        progress.end();
        result.wall = start.elapsed();
        Ok(result)
    }

    /// Deals the connections out to the workers in turn.
    fn plans(&self, workload: &Arc<Workload>, deliveries_max: Option<u64>) -> Vec<WorkerPlan> {
        let publishers = match workload.kind {
            Kind::Publish | Kind::EndToEnd | Kind::FanOut => self.publishers(workload),
            Kind::Consume | Kind::Read => Vec::new(),
        };
        let consumers = match workload.kind {
            Kind::Consume | Kind::EndToEnd | Kind::Read => self.consumers(workload),
            Kind::Publish | Kind::FanOut => Vec::new(),
        };
        let readers = vec![(); workload.fan_out.map_or(0, |fan_out| fan_out.readers)];
        let counters = Arc::new(Counters::new(publishers.len() as u64));
        let workers = workload.workers;
        let plan = |number| WorkerPlan {
            workload: Arc::clone(workload),
            number,
            publishers: share(&publishers, number, workers),
            consumers: share(&consumers, number, workers),
            readers: ReadersPlace { server: Arc::clone(&self.server), count: share(&readers, number, workers).len() },
            deliveries_max,
            counters: Arc::clone(&counters),
            run: self.run,
        };
        (0..workers).map(plan).collect()
    }

    fn publishers(&self, workload: &Arc<Workload>) -> Vec<PublisherPlace> {
        let batch = workload.publish.batch() as u64;
        let streams = (0..).take(workload.publish.connections);
        let place = |stream| PublisherPlace {
            server: Arc::clone(&self.server),
            workload: Arc::clone(workload),
            identity: StreamIdentity { run: self.run, stream, batch },
        };
        streams.map(place).collect()
    }

    fn consumers(&self, workload: &Arc<Workload>) -> Vec<ConsumerPlace> {
        let partitions = self.starts.iter().map(|(partition, offset)| {
            Source::Partition(ReadPlace { partition: *partition, offset: *offset, page_max: workload.consume.batch })
        });
        let sources: Vec<Source> = match &self.subscription {
            Some(subscription) => vec![Source::Subscription(subscription.clone())],
            None => partitions.collect(),
        };
        // A reader reads one partition, so all partitions are read only with at least as many connections.
        let count = workload.consume.connections.max(sources.len());
        let sources = sources.iter().cycle().take(if sources.is_empty() { 0 } else { count });
        let place = |source: &Source| ConsumerPlace {
            server: Arc::clone(&self.server),
            workload: Arc::clone(workload),
            source: source.clone(),
        };
        sources.map(place).collect()
    }
}

/// The worker threads of a run.
struct Crew {
    threads: Vec<JoinHandle<()>>,
    starts: Vec<Sender<Instant>>,
    reports: Receiver<Report>,
}

impl Crew {
    fn hire(plans: Vec<WorkerPlan>) -> Result<Self, RunError> {
        let (sender, reports) = channel();
        let mut crew = Self { threads: Vec::new(), starts: Vec::new(), reports };
        for plan in plans {
            let (start, wait) = channel();
            let sender = sender.clone();
            let name = format!("load-{}", plan.number);
            let thread = thread::Builder::new().name(name).spawn(move || worker::run(plan, &sender, &wait));
            crew.threads.push(thread.map_err(RunError::Thread)?);
            crew.starts.push(start);
        }
        Ok(crew)
    }

    /// Every connection is open after this, or one could not be opened in time.
    fn await_ready(&self) -> Result<(), RunError> {
        for _ in &self.threads {
            match self.reports.recv() {
                Ok(Report::Ready) => {}
                Ok(Report::Failed(error)) => return Err(error.into()),
                Ok(Report::Done(_)) | Err(_) => return Err(RunError::WorkerLost),
            }
        }
        Ok(())
    }

    fn start(&self, at: Instant) {
        for start in &self.starts {
            // A worker that is gone is noticed when its result is missing.
            let _ = start.send(at);
        }
    }

    fn collect(self, run: u32, mut waiting: impl FnMut()) -> Result<RunResult, RunError> {
        let mut result = RunResult {
            recorder: Recorder::new(),
            deliveries: DeliveryCheck::new(run),
            readers: Vec::new(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
        };
        let mut missing = self.threads.len();
        while missing > 0 {
            match self.reports.recv_timeout(PROGRESS_PERIOD) {
                Ok(Report::Done(mut done)) => {
                    result.recorder.merge(&done.recorder);
                    result.deliveries.merge(&done.deliveries);
                    result.readers.append(&mut done.readers);
                    result.cpu += done.cpu;
                    missing -= 1;
                }
                Ok(Report::Ready) => {}
                Ok(Report::Failed(error)) => return Err(error.into()),
                Err(RecvTimeoutError::Timeout) => waiting(),
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::WorkerLost),
            }
        }
        for thread in self.threads {
            thread.join().map_err(|_| RunError::WorkerLost)?;
        }
        Ok(result)
    }
}

/// Every `workers`-th item, from `number` on.
fn share<T: Clone>(items: &[T], number: usize, workers: usize) -> Vec<T> {
    items.iter().skip(number).step_by(workers.max(1)).cloned().collect()
}

/// Differs from run to run; only to tell the messages of one from those of another.
fn run_number() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Milliseconds, cut to what fits: 49 days until a number comes again.
    u32::try_from(now.as_millis() & u128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_all_connections_once() {
        let items: Vec<u32> = (0..10).collect();
        let mut all: Vec<u32> = (0..3).flat_map(|number| share(&items, number, 3)).collect();
        all.sort_unstable();
        assert_eq!(all, items);
    }
}
