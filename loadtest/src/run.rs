//! One run from end to end: set up, connect, start all workers at once, collect, clean up.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::any_setup::{AnySetup, Made};
use crate::connections::{ConsumerPlace, PublisherPlace, Source};
use crate::counters::Counters;
use crate::descriptors::{self, TooFewFiles};
use crate::fan_out::ReaderCheck;
use crate::host::Host;
use crate::limits::PROGRESS_PERIOD;
use crate::progress::Progress;
use crate::readers::ReadersPlace;
use crate::recorder::Recorder;
use crate::report::Outcome;
use crate::resources::Usage;
use crate::saturation::{Search, Step};
use crate::series::Intervals;
use crate::server::{Server, ServerInfo};
use crate::setup::SetupError;
use crate::subscriptions::SubscriptionChecks;
use crate::targets::{StreamIdentity, TargetError};
use crate::watch::{self, Watch};
use crate::worker::{self, Report, WorkerPlan};
use crate::workload::{Kind, Workload};

/// What a run found out.
#[derive(Debug)]
pub struct RunResult {
    /// Samples and counts of all workers.
    pub recorder: Recorder,
    /// Deliveries of all workers.
    pub deliveries: SubscriptionChecks,
    /// What each reader of a fan-out was given.
    pub readers: Vec<ReaderCheck>,
    /// What was measured.
    pub server: ServerInfo,
    /// What the processes used.
    pub usage: Usage,
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
    #[cfg(feature = "peers")]
    #[error(transparent)]
    Peer(#[from] crate::targets::peers::PeerError),
    #[error(transparent)]
    Connection(#[from] TargetError),
    #[error("cannot start a worker thread: {0}")]
    Thread(#[source] std::io::Error),
    #[error("a worker thread ended without a result")]
    WorkerLost,
    #[error("the preload published {published} of {wanted} messages{}", .code.as_ref().map(|code| format!(": {code}")).unwrap_or_default())]
    PreloadIncomplete { published: u64, wanted: u64, code: Option<String> },
}

/// Runs a workload, with its setup and preload. `pids` are the server's processes; if there are none, the one that listens
/// at the server's address is looked for.
///
/// # Errors
///
/// See [`RunError`].
pub fn run(host: &Host, workload: &Workload, pids: &[u32], progress: &mut dyn Progress) -> Result<RunResult, RunError> {
    descriptors::ensure(descriptors::needed(workload))?;
    let mut setup = AnySetup::new(host)?;
    let made = setup.prepare(workload)?;
    let found: Vec<u32> =
        if pids.is_empty() { watch::listener(&host.authority()).into_iter().collect() } else { pids.to_vec() };
    let stage = Stage { host: Arc::new(host.clone()), run: run_number(), made, pids: found };
    let mut deliveries_max = workload.messages_max;
    if workload.preload > 0 {
        let published = preload(&stage, workload, progress)?.saturating_mul(workload.deliveries_of_a_message());
        deliveries_max = Some(deliveries_max.map_or(published, |max| max.min(published)));
    }
    stage.perform(workload, deliveries_max, progress)
}

/// Looks for the highest rate that is reached: the run at that rate, or else the last one, and what came of each.
///
/// # Errors
///
/// See [`RunError`].
pub fn run_steps(
    host: &Host,
    workload: &Workload,
    pids: &[u32],
    progress: &mut dyn Progress,
) -> Result<(RunResult, Workload, Vec<Step>), RunError> {
    let (Some(plan), Some(from)) = (workload.publish.steps, workload.publish.rate) else {
        return Ok((run(host, workload, pids, progress)?, workload.clone(), Vec::new()));
    };
    let mut search = Search::new(from, plan);
    let mut steps = Vec::new();
    let mut best = None;
    let mut last = None;
    while let Some(rate) = search.next() {
        let step = workload.at_rate(rate);
        let result = run(host, &step, pids, progress)?;
        let told = Step::of(step.kind, rate, plan, &Outcome::of(&step, &result));
        search.record(told.missed.is_none());
        let kept = if told.missed.is_none() { &mut best } else { &mut last };
        // A search reaches ever higher rates, so the latest that was reached is the highest.
        *kept = Some((result, step));
        steps.push(told);
    }
    let (result, step) = best.or(last).ok_or(RunError::WorkerLost)?;
    Ok((result, step, steps))
}

/// Publishes with nothing set up before: for a server that has no topics, such as the responder of `ceiling`.
///
/// # Errors
///
/// See [`RunError`].
pub fn publish_only(server: &Server, workload: &Workload, progress: &mut dyn Progress) -> Result<RunResult, RunError> {
    let host = Arc::new(Host::Broker(server.clone()));
    let stage = Stage { host, run: run_number(), made: Made::default(), pids: Vec::new() };
    // The responder shares this process: what that uses is not what the generator uses.
    let result = stage.perform(workload, None, progress)?;
    Ok(RunResult { usage: Usage::default(), ..result })
}

fn preload(stage: &Stage, workload: &Workload, progress: &mut dyn Progress) -> Result<u64, RunError> {
    let result = stage.perform(&workload.preload_workload(), None, progress)?;
    let published = result.recorder.counts().published;
    let wanted = workload.preload.saturating_mul(u64::from(workload.topics));
    if published < wanted {
        let code = result.recorder.errors().keys().next().cloned();
        return Err(RunError::PreloadIncomplete { published, wanted, code });
    }
    Ok(published)
}

/// What the setup left for the workers.
struct Stage {
    host: Arc<Host>,
    run: u32,
    made: Made,
    pids: Vec<u32>,
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
        let intervals = Intervals::of_run(workload.warm_up, workload.duration);
        let mut watch = Watch::new(&self.pids, intervals);
        let mut result = crew.collect(self.run, intervals, || {
            watch.tick(start.elapsed());
            progress.update(start.elapsed(), &counters);
        })?;
        progress.end();
        result.wall = start.elapsed();
        result.usage = watch.finish();
        result.server = self.made.server.clone();
        Ok(result)
    }

    /// Deals the connections out to the workers in turn.
    fn plans(&self, workload: &Arc<Workload>, deliveries_max: Option<u64>) -> Vec<WorkerPlan> {
        let publishers = if workload.kind.publishes() { self.publishers(workload) } else { Vec::new() };
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
            readers: ReadersPlace { host: Arc::clone(&self.host), count: share(&readers, number, workers).len() },
            deliveries_max,
            counters: Arc::clone(&counters),
            run: self.run,
        };
        (0..workers).map(plan).collect()
    }

    fn publishers(&self, workload: &Arc<Workload>) -> Vec<PublisherPlace> {
        let batch = workload.publish.batch() as u64;
        let topics = workload.topic_names();
        let streams = (0..).zip(topics.iter().cycle()).take(workload.publish.connections);
        let place = |(stream, topic): (u32, &String)| PublisherPlace {
            host: Arc::clone(&self.host),
            workload: Arc::clone(workload),
            topic: topic.clone(),
            identity: StreamIdentity { run: self.run, stream, batch },
        };
        streams.map(place).collect()
    }

    fn consumers(&self, workload: &Arc<Workload>) -> Vec<ConsumerPlace> {
        let sources = &self.made.sources;
        // A reader reads one partition and a consumer one subscription, so all are served only with at least as many.
        let count = workload.consume.connections.max(sources.len());
        let sources = sources.iter().cycle().take(if sources.is_empty() { 0 } else { count });
        let place = |source: &Source| ConsumerPlace {
            host: Arc::clone(&self.host),
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

    fn collect(self, run: u32, intervals: Intervals, mut waiting: impl FnMut()) -> Result<RunResult, RunError> {
        let mut result = RunResult {
            recorder: Recorder::new(intervals),
            deliveries: SubscriptionChecks::new(run),
            readers: Vec::new(),
            server: ServerInfo::default(),
            usage: Usage::default(),
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
