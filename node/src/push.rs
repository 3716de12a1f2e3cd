//! Push subscriptions: sends their messages to webhooks, from the control thread.
//!
//! A task for each subscription leases what its gate allows from the shards, through a [`port`](mod@port) to each core, and sends
//! each message as a request of its own. What it decides is in `shard_core::delivery`; here is what it does.

mod budget;
mod connect;
mod counters;
mod delivery;
mod endpoint;
mod failure;
mod leasing;
mod message;
mod order;
mod pausing;
mod port;
mod request;
mod sender;
mod span;
mod trust;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use gateway::push::{PushBoard, PushPolicy, PushReport, Timestamp};
use raft::{
    MetadataHandle,
    metadata::{ClusterState, NodeId},
};
use shard::{shard_of, tracer::Tracer};
use shard_core::model::{Monotonic, SubscriptionId, TopicPartition};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{interval, timeout},
};

pub(crate) use counters::PushCounters;
pub(crate) use port::{PortEnd, PushPort, port, serve as serve_port};
pub use trust::TrustError;
pub(crate) use trust::connector;

use budget::PushBudget;
use connect::Connector;
use order::{PushOrder, orders};
use sender::{PushSender, idle_status};

use crate::{config::PushSection, limits};

/// What endpoints are spoken to by.
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// What pushing needs of the rest of the node.
pub(crate) struct PushPlan {
    /// This node's number.
    pub(crate) node: NodeId,
    /// The ways to the cores, in their order.
    pub(crate) ports: Vec<PushPort>,
    /// Where a subscription is paused whose endpoint is gone.
    pub(crate) metadata: MetadataHandle,
    /// The states that the shards have taken.
    pub(crate) states: watch::Receiver<Option<Arc<ClusterState>>>,
    /// Where this node listens.
    pub(crate) own: Vec<SocketAddr>,
    /// Where it is told how requests go.
    pub(crate) board: PushBoard,
    /// Where it is counted.
    pub(crate) counters: Arc<PushCounters>,
    /// What begins spans on the control thread.
    pub(crate) tracer: Tracer,
}

/// All push subscriptions at work.
pub(crate) struct PushService {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How far a node is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It serves.
    Running,
    /// It begins no requests; those under way may end.
    Draining,
    /// It gives up those that are still under way.
    Abandon,
}

/// What all push subscriptions share.
struct Shared {
    ports: Vec<PushPort>,
    metadata: MetadataHandle,
    connector: Arc<Connector>,
    budget: PushBudget,
    counters: Arc<PushCounters>,
    tracer: Tracer,
    phase: watch::Sender<Phase>,
    started: Instant,
}

/// Follows the metadata and keeps a task for each subscription.
struct Service {
    shared: Arc<Shared>,
    plan: ServicePlan,
    senders: BTreeMap<SubscriptionId, Running>,
    /// Tasks of subscriptions that are gone, until their last requests have ended.
    leaving: Vec<JoinHandle<()>>,
}

struct ServicePlan {
    node: NodeId,
    states: watch::Receiver<Option<Arc<ClusterState>>>,
    board: PushBoard,
}

struct Running {
    orders: watch::Sender<Arc<PushOrder>>,
    report: PushReport,
    task: JoinHandle<()>,
}

impl PushService {
    /// Sends from the first state on that the shards have taken. Reads files.
    ///
    /// # Errors
    /// The certificates of `push.ca_file` can't be used.
    pub(crate) fn start(section: &PushSection, plan: PushPlan) -> Result<Self, TrustError> {
        let ca_file = Some(section.ca_file.as_path()).filter(|path| *path != Path::new(""));
        let connector = Connector::new(section.policy(), plan.own, connector("push.ca_file", ca_file, HTTP1)?);
        let shared = Arc::new(Shared {
            ports: plan.ports,
            metadata: plan.metadata,
            connector: Arc::new(connector),
            budget: PushBudget::new(section.memory_bytes_max),
            counters: plan.counters,
            tracer: plan.tracer,
            phase: watch::Sender::new(Phase::Running),
            started: Instant::now(),
        });
        let service = Service {
            shared: Arc::clone(&shared),
            plan: ServicePlan { node: plan.node, states: plan.states, board: plan.board },
            senders: BTreeMap::new(),
            leaving: Vec::new(),
        };
        let task = tokio::spawn(service.run());
        Ok(Self { shared, task })
    }

    /// Begins no more requests; gives those under way some time, and their messages back after that.
    pub(crate) async fn stop(mut self) {
        self.shared.phase.send_replace(Phase::Draining);
        if timeout(limits::PUSH_GRACE, &mut self.task).await.is_err() {
            tracing::warn!(
                requests = self.shared.counters.in_flight(),
                "giving up on push requests that have not ended"
            );
            self.shared.phase.send_replace(Phase::Abandon);
            if timeout(limits::PUSH_ABANDON_TIMEOUT, &mut self.task).await.is_err() {
                tracing::warn!("messages of push requests could not be given back in time: they wait for their leases");
                self.task.abort();
            }
        }
    }
}

impl Service {
    async fn run(mut self) {
        let mut phase = self.shared.phase.subscribe();
        let mut look = interval(limits::PUSH_TASKS_LOOK_INTERVAL);
        loop {
            tokio::select! {
                stopping = phase.wait_for(|phase| *phase != Phase::Running) => {
                    drop(stopping);
                    break;
                }
                changed = self.plan.states.changed() => if changed.is_err() { break },
                _ = look.tick() => {}
            }
            self.reconcile();
        }
        let senders = std::mem::take(&mut self.senders).into_values().map(|running| running.task);
        for task in senders.chain(std::mem::take(&mut self.leaving)) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a push subscription's task panicked");
            }
        }
    }

    /// Makes it so that there is a task for each subscription that the metadata wants pushed, and no other.
    fn reconcile(&mut self) {
        let state = self.plan.states.borrow_and_update().clone();
        let Some(state) = state else { return };
        let mut wanted = orders(&state, self.plan.node, self.shared.ports.len());
        self.leaving.retain(|task| !task.is_finished());
        let mut changed = false;
        for (id, running) in std::mem::take(&mut self.senders) {
            changed = true;
            match wanted.remove(&id) {
                // A task that ended by itself is begun anew below.
                Some(order) if running.task.is_finished() => {
                    tracing::error!(
                        subscription = order.subscription.name.as_str(),
                        "its task has ended; it is begun anew"
                    );
                    wanted.insert(id, order);
                }
                Some(order) => {
                    running.orders.send_if_modified(|current| {
                        let is_new = **current != order;
                        if is_new {
                            *current = Arc::new(order);
                        }
                        is_new
                    });
                    self.senders.insert(id, running);
                }
                // Without the sender of orders the task finishes and ends.
                None => self.leaving.push(running.task),
            }
        }
        for (id, order) in wanted {
            changed = true;
            self.senders.insert(id, self.start(order));
        }
        if changed {
            let reports = self.senders.iter().map(|(id, running)| (*id, running.report.clone()));
            self.plan.board.publish(reports.collect());
        }
    }

    fn start(&self, order: PushOrder) -> Running {
        let (orders, orders_in) = watch::channel(Arc::new(order));
        let report = PushReport::new(idle_status());
        let sender = PushSender::new(Arc::clone(&self.shared), orders_in, report.clone());
        Running { orders, report, task: tokio::spawn(sender.run()) }
    }
}

impl Shared {
    /// The way to a core.
    ///
    /// # Panics
    /// If there is no such core.
    fn port(&self, core: usize) -> &PushPort {
        self.ports.get(core).expect("partitions are spread over the cores that there are")
    }

    fn port_of(&self, partition: TopicPartition) -> &PushPort {
        self.port(shard_of(partition, self.ports.len()))
    }

    /// Time that never goes back, for the gates.
    fn now(&self) -> Monotonic {
        Monotonic::default().plus(self.started.elapsed())
    }

    /// Time for people.
    #[expect(clippy::unused_self, reason = "it stands beside `now`")]
    fn wall_clock(&self) -> Timestamp {
        let since: Duration = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl PushSection {
    /// Where requests may go.
    pub(crate) const fn policy(&self) -> PushPolicy {
        PushPolicy { allow_http: self.allow_http, allow_private_networks: self.allow_private_networks }
    }
}
