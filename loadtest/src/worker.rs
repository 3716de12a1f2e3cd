//! One thread that generates load: a single-threaded runtime, its share of the connections, one account for all of them.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::account::Account;
use crate::clock::{Clock, MonotonicClock, thread_cpu_time};
use crate::connections::{AnyConsumer, AnyPublisher, ConsumerPlace, PublisherPlace};
use crate::counters::Counters;
use crate::fan_out::ReaderCheck;
use crate::limits::{RECONNECT_PAUSE, RECONNECTS_MAX};
use crate::publishing::PublishLane;
use crate::readers::{Readers, ReadersPlace};
use crate::recorder::Recorder;
use crate::schedule::{Arrivals, Bounds};
use crate::subscriptions::SubscriptionChecks;
use crate::targets::{Consumer as _, Step, TargetError};
use crate::workload::{Kind, Workload};

/// What a worker is to do.
#[derive(Debug)]
pub struct WorkerPlan {
    /// The run.
    pub workload: Arc<Workload>,
    /// This worker's number, below the workload's `workers`.
    pub number: usize,
    /// Its publishing connections.
    pub publishers: Vec<PublisherPlace>,
    /// Its consuming connections.
    pub consumers: Vec<ConsumerPlace>,
    /// Its share of a fan-out's readers.
    pub readers: ReadersPlace,
    /// Deliveries after which consumers are done; `None` if only time or the publishers decide.
    pub deliveries_max: Option<u64>,
    /// Shared by all workers of the run.
    pub counters: Arc<Counters>,
    /// The run's number in the stamps.
    pub run: u32,
}

/// What a worker found out.
#[derive(Debug)]
pub struct WorkerResult {
    /// Its samples and counts.
    pub recorder: Recorder,
    /// What its connections published and were given.
    pub deliveries: SubscriptionChecks,
    /// What each of its readers was given.
    pub readers: Vec<ReaderCheck>,
    /// CPU time of its thread since the start.
    pub cpu: Duration,
}

/// How a worker reports: first that it is connected, then its result.
#[derive(Debug)]
pub enum Report {
    /// All connections are open.
    Ready,
    /// It is done.
    Done(Box<WorkerResult>),
    /// It could not begin.
    Failed(TargetError),
}

/// Opens the connections, waits for the start, generates the load, reports.
///
/// `start` gives the moment from which the run's time counts; if its sender is gone the worker ends.
pub fn run(plan: WorkerPlan, reports: &Sender<Report>, start: &Receiver<Instant>) {
    let report = match generate(plan, reports, start) {
        Ok(Some(result)) => Report::Done(Box::new(result)),
        Ok(None) => return,
        Err(error) => Report::Failed(error),
    };
    // Nobody listens any more only if the run has been given up.
    let _ = reports.send(report);
}

fn generate(
    plan: WorkerPlan,
    reports: &Sender<Report>,
    start: &Receiver<Instant>,
) -> Result<Option<WorkerResult>, TargetError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut publishers, mut consumers) = (Vec::new(), Vec::new());
    let readers = runtime.block_on(async {
        for place in plan.publishers.clone() {
            publishers.push((AnyPublisher::connect(&place).await?, place));
        }
        for place in plan.consumers.clone() {
            consumers.push((AnyConsumer::connect(&place).await?, place));
        }
        Readers::connect(&plan.readers, &plan.workload, plan.run).await
    })?;
    let checks = readers.checks();
    let _ = reports.send(Report::Ready);
    let Ok(start) = start.recv() else { return Ok(None) };

    let cpu = thread_cpu_time();
    let worker = Rc::new(Worker::new(plan, start));
    let tasks = LocalSet::new();
    for (connection, place) in publishers {
        tasks.spawn_local(Rc::clone(&worker).publish(connection, place));
    }
    for (connection, place) in consumers {
        tasks.spawn_local(Rc::clone(&worker).consume(connection, place));
    }
    if !checks.is_empty() {
        tasks.spawn_local(readers.read(Rc::clone(&worker.account), Arc::clone(&worker.workload), worker.start));
    }
    runtime.block_on(tasks);
    let cpu = thread_cpu_time().saturating_sub(cpu);
    let readers = checks.into_iter().filter_map(Rc::into_inner).map(RefCell::into_inner).collect();
    Ok(Rc::into_inner(worker).and_then(|worker| worker.finish(cpu, readers)))
}

/// What the connections of a thread share.
struct Worker {
    workload: Arc<Workload>,
    start: Instant,
    arrivals: RefCell<Arrivals>,
    account: Rc<Account>,
    deliveries_max: Option<u64>,
}

impl Worker {
    fn new(plan: WorkerPlan, start: Instant) -> Self {
        let workload = plan.workload;
        let workers = NonZeroU64::new(workload.workers as u64).unwrap_or(NonZeroU64::MIN);
        let bounds = Bounds { end: workload.end(), requests: workload.requests_max() };
        Self {
            start,
            arrivals: RefCell::new(Arrivals::new(workload.publish.pace(), plan.number as u64, workers, bounds)),
            account: Rc::new(Account::new(plan.run, &workload, plan.counters)),
            deliveries_max: plan.deliveries_max,
            workload,
        }
    }

    async fn publish(self: Rc<Self>, connection: AnyPublisher, place: PublisherPlace) {
        let mut lane = PublishLane::new(place.identity, self.workload.publish.in_flight);
        let drained = tokio::time::Instant::from_std(self.start + self.workload.end() + self.workload.drain);
        let _ = tokio::time::timeout_at(drained, self.publish_and_reconnect(&mut lane, connection, &place)).await;
        lane.give_up(&self.account, self.start.elapsed());
        self.account.counters().publisher_done();
    }

    /// Ends when the lane is done, or when the server stays away.
    async fn publish_and_reconnect(
        &self,
        lane: &mut PublishLane,
        mut connection: AnyPublisher,
        place: &PublisherPlace,
    ) {
        let Ok(clock) = MonotonicClock::new(self.start) else { return };
        loop {
            let Err(error) = lane.run(&clock, &mut connection, &self.account, &self.arrivals).await else { return };
            lane.abandon(&self.account, clock.now(), &error);
            let Some(again) = reconnect(&clock, self.workload.end(), async || AnyPublisher::connect(place).await).await
            else {
                return;
            };
            connection = again;
        }
    }

    async fn consume(self: Rc<Self>, mut connection: AnyConsumer, mut place: ConsumerPlace) {
        let Ok(clock) = MonotonicClock::new(self.start) else { return };
        let end = match self.workload.kind {
            Kind::EndToEnd => self.workload.end() + self.workload.drain,
            Kind::Publish | Kind::Consume | Kind::Read | Kind::FanOut => self.workload.end(),
        };
        while clock.now() < end && !self.consumers_are_done() {
            match connection.step(&clock, &self.account).await {
                Ok(Step::Continue) => {}
                Ok(Step::Finished) => return,
                Err(error) => {
                    self.account.broken(error.code(), clock.now(), 1);
                    connection.remember(&mut place);
                    let connect = async || AnyConsumer::connect(&place).await;
                    let Some(again) = reconnect(&clock, end, connect).await else { return };
                    connection = again;
                }
            }
        }
    }

    fn consumers_are_done(&self) -> bool {
        let counters = self.account.counters();
        let wanted = match self.workload.kind {
            Kind::EndToEnd if !counters.publishers_are_done() => return false,
            Kind::EndToEnd => Some(counters.acknowledged().saturating_mul(self.workload.deliveries_of_a_message())),
            Kind::Publish | Kind::Consume | Kind::Read | Kind::FanOut => self.deliveries_max,
        };
        wanted.is_some_and(|wanted| counters.delivered() >= wanted)
    }

    /// `None` if something of it is still at work, which is not known to happen.
    fn finish(self, cpu: Duration, readers: Vec<ReaderCheck>) -> Option<WorkerResult> {
        // Arrivals that no connection came to: without them a server that fell behind would look fast.
        let end = self.workload.end();
        while let Some(arrival) = self.arrivals.borrow_mut().take_unsent() {
            self.account.unsent(arrival, end);
        }
        let (recorder, deliveries) = Rc::into_inner(self.account)?.into_parts();
        Some(WorkerResult { recorder, deliveries, readers, cpu })
    }
}

/// A new connection, before `end` and within a bounded number of attempts.
async fn reconnect<T>(
    clock: &MonotonicClock,
    end: Duration,
    connect: impl AsyncFn() -> Result<T, TargetError>,
) -> Option<T> {
    for _ in 0..RECONNECTS_MAX {
        if clock.now() >= end {
            return None;
        }
        if let Ok(connection) = connect().await {
            return Some(connection);
        }
        clock.sleep_until(clock.now() + RECONNECT_PAUSE).await;
    }
    None
}
