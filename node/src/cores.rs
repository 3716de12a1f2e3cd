//! The executors: one per shard, pinned, each with a shard and a gateway; how they start, end and are told to stop.

use std::{
    rc::Rc,
    sync::{Arc, mpsc::SyncSender},
};

use futures_channel::oneshot;
use futures_util::future::join_all;
use gateway::{
    address_counts::AddressCounts,
    audit::{AuditEvent, AuditLog},
    auth::{Authenticator, jwt::JwtVerifier},
    config::GatewayConfig,
    context::Context,
    core_state::CoreState,
    metrics::GatewayMetrics,
    push::PushBoard,
    quota::usage::Usages,
    server,
    shutdown::Shutdown,
    tls::TlsPort,
};
use glommio::ExecutorJoinHandle;
use raft::{ClusterHandle, GroupHandle, MetadataHandle};
use shard::{
    MeshPlan, Shard, ShardConfig, ShardHandle,
    command::ShardCommand,
    metrics::ShardMetrics,
    peer::{PeerPort, PeerPortEnd, PeerServer, peer_port},
    tracer::Tracer,
};
use socket2::Socket;

use crate::{
    executor, limits, listener,
    push::{self, PortEnd, PushPort},
};

/// The running cores, seen from the control thread.
pub(crate) struct Cores {
    links: Vec<CoreLink>,
    events: flume::Receiver<CoreEvent>,
    handles: Vec<ExecutorJoinHandle<()>>,
}

/// What one core counts; read by the metrics port.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreMetrics {
    pub(crate) shard: Arc<ShardMetrics>,
    pub(crate) gateway: Arc<GatewayMetrics>,
}

/// What all cores are started with.
pub(crate) struct CoresPlan {
    /// One per core, taken but not listening yet.
    pub(crate) sockets: Vec<Socket>,
    /// `index` is set for each.
    pub(crate) shard: ShardConfig,
    pub(crate) gateway: GatewayConfig,
    /// What clients are spoken to with; none for plain HTTP.
    pub(crate) tls: Option<TlsPort>,
    pub(crate) metadata: MetadataHandle,
    pub(crate) groups: GroupHandle,
    pub(crate) cluster: ClusterHandle,
    pub(crate) addresses: Option<Arc<AddressCounts>>,
    pub(crate) push: PushBoard,
    /// Where events of the audit log go, if anywhere.
    pub(crate) audit: Option<SyncSender<AuditEvent>>,
    /// What the principals use of all cores together.
    pub(crate) usages: Arc<Usages>,
    /// What proves who sends a JWT; none is taken without.
    pub(crate) tokens: Option<JwtVerifier>,
    /// What begins spans, for each core.
    pub(crate) tracers: Vec<Tracer>,
}

/// Why the cores did not start, or that one ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum CoreError {
    #[error("core {index} did not start: {reason}")]
    Start { index: usize, reason: String },
    #[error("core {index} ended by itself; the reason is in the log above")]
    Died { index: usize },
}

/// What a core tells the control thread.
#[derive(Debug)]
enum CoreEvent {
    /// It has met the other cores and listens.
    Serving,
    /// It can't start.
    Failed { index: usize, reason: String },
    /// Its gateway has finished all connections.
    Drained,
    /// Its executor is about to end, in order or by a panic.
    Ended { index: usize },
}

/// The control thread's ways to one core.
struct CoreLink {
    commands: flume::Sender<ShardCommand>,
    push: PushPort,
    peers: PeerPort,
    stop: flume::Sender<()>,
    metrics: CoreMetrics,
}

/// One core's share of the plan.
struct CorePlan {
    socket: Socket,
    shard: ShardConfig,
    gateway: GatewayConfig,
    tls: Option<TlsPort>,
    metadata: MetadataHandle,
    groups: GroupHandle,
    cluster: ClusterHandle,
    addresses: Option<Arc<AddressCounts>>,
    push_board: PushBoard,
    audit: Option<SyncSender<AuditEvent>>,
    usages: Arc<Usages>,
    tokens: Option<JwtVerifier>,
    push: PortEnd,
    peers: PeerPortEnd,
    mesh: MeshPlan,
    metrics: CoreMetrics,
    commands: flume::Receiver<ShardCommand>,
    stop: flume::Receiver<()>,
    events: flume::Sender<CoreEvent>,
}

/// Says that a core has ended, however it ended.
struct EndNotice {
    index: usize,
    events: flume::Sender<CoreEvent>,
}

impl Cores {
    /// Starts one executor per socket, pinned to `cpus` in turn; returns when all of them listen.
    ///
    /// # Errors
    /// The first core that can't run. The process should end: the other cores are left as they are.
    pub(crate) async fn start(plan: CoresPlan, cpus: &[usize]) -> Result<Self, CoreError> {
        let mesh = MeshPlan::new(plan.sockets.len());
        let (sender, events) = flume::bounded(limits::CORE_EVENTS_MAX);
        let mut cores = Self { links: Vec::new(), events, handles: Vec::new() };
        for ((index, socket), cpu) in plan.sockets.into_iter().enumerate().zip(cpus.iter().cycle()) {
            let (commands, commands_in) = flume::bounded(limits::SHARD_COMMANDS_MAX);
            let (push, push_end) = push::port();
            let (peers, peers_end) = peer_port();
            let (stop, stop_in) = flume::bounded(1);
            let metrics = CoreMetrics::default();
            let core = CorePlan {
                socket,
                shard: ShardConfig {
                    tracer: plan.tracers.get(index).cloned().unwrap_or_default(),
                    ..plan.shard.of_shard(index)
                },
                gateway: plan.gateway.clone(),
                tls: plan.tls.clone(),
                metadata: plan.metadata.clone(),
                groups: plan.groups.clone(),
                cluster: plan.cluster.clone(),
                addresses: plan.addresses.clone(),
                push_board: plan.push.clone(),
                audit: plan.audit.clone(),
                usages: Arc::clone(&plan.usages),
                tokens: plan.tokens.clone(),
                push: push_end,
                peers: peers_end,
                mesh: mesh.clone(),
                metrics: metrics.clone(),
                commands: commands_in,
                stop: stop_in,
                events: sender.clone(),
            };
            cores.links.push(CoreLink { commands, push, peers, stop, metrics });
            // One after the other: the mesh numbers its members in the order in which their executors were made.
            let started = executor::start((*cpu, format!("core-{index}")), core, run).await;
            cores.handles.push(started.map_err(|reason| CoreError::Start { index, reason })?);
        }
        for index in 0..cores.links.len() {
            cores.await_next(index).await?;
        }
        Ok(cores)
    }

    /// The queues by which shards are told of changes, in order of the shards.
    pub(crate) fn commands(&self) -> Vec<flume::Sender<ShardCommand>> {
        self.links.iter().map(|link| link.commands.clone()).collect()
    }

    /// The ways to the cores for pushing, in order of the shards.
    pub(crate) fn push_ports(&self) -> Vec<PushPort> {
        self.links.iter().map(|link| link.push.clone()).collect()
    }

    /// The ways to the cores for other nodes' connections, in order of the shards.
    pub(crate) fn peer_ports(&self) -> Vec<PeerPort> {
        self.links.iter().map(|link| link.peers.clone()).collect()
    }

    /// What the cores count, in order of the shards.
    pub(crate) fn metrics(&self) -> Vec<CoreMetrics> {
        self.links.iter().map(|link| link.metrics.clone()).collect()
    }

    /// Returns when a core has ended by itself.
    pub(crate) async fn died(&self) -> CoreError {
        loop {
            match self.events.recv_async().await {
                Ok(CoreEvent::Ended { index }) => return CoreError::Died { index },
                Ok(CoreEvent::Failed { index, reason }) => return CoreError::Start { index, reason },
                Ok(CoreEvent::Serving | CoreEvent::Drained) => {}
                Err(_) => return CoreError::Died { index: 0 },
            }
        }
    }

    /// Ends all connections: no new ones, requests in progress are finished. Shards still serve each other.
    ///
    /// # Errors
    /// A core died meanwhile.
    pub(crate) async fn drain(&self) -> Result<(), CoreError> {
        for link in &self.links {
            let _ = link.stop.try_send(());
        }
        let mut drained = 0;
        while drained < self.links.len() {
            match self.events.recv_async().await {
                Ok(CoreEvent::Drained) => drained += 1,
                Ok(CoreEvent::Serving) => {}
                Ok(CoreEvent::Ended { index }) => return Err(CoreError::Died { index }),
                Ok(CoreEvent::Failed { index, reason }) => return Err(CoreError::Start { index, reason }),
                Err(_) => return Err(CoreError::Died { index: 0 }),
            }
        }
        Ok(())
    }

    /// Makes everything durable and ends the executors. Call it after `drain`.
    ///
    /// # Errors
    /// A core died before it was done.
    pub(crate) async fn stop(self) -> Result<(), CoreError> {
        let stopped = self.links.iter().enumerate().map(async |(index, link)| {
            let (done, on_disk) = oneshot::channel();
            let died = || CoreError::Died { index };
            link.commands.send_async(ShardCommand::Stop { done }).await.map_err(|_| died())?;
            on_disk.await.map_err(|_| died())
        });
        join_all(stopped).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        for (index, handle) in self.handles.into_iter().enumerate() {
            handle.join().map_err(|_| CoreError::Died { index })?;
        }
        Ok(())
    }

    /// Waits until one more core serves; `index` names it if there is no better name.
    async fn await_next(&self, index: usize) -> Result<(), CoreError> {
        match self.events.recv_async().await {
            Ok(CoreEvent::Serving) => Ok(()),
            Ok(CoreEvent::Failed { index, reason }) => Err(CoreError::Start { index, reason }),
            Ok(CoreEvent::Drained | CoreEvent::Ended { .. }) | Err(_) => Err(CoreError::Died { index }),
        }
    }
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        // Room is kept for it; and if the control thread has gone, nobody needs to know.
        drop(self.events.try_send(CoreEvent::Ended { index: self.index }));
    }
}

/// Serves what the control thread and other nodes want of this core.
fn serve_ports(push: PortEnd, (peers, server): (PeerPortEnd, Option<PeerServer>), shards: &ShardHandle) {
    glommio::spawn_local(push::serve_port(push, shards.clone())).detach();
    if let Some(server) = server {
        glommio::spawn_local(peers.serve(server)).detach();
    }
}

fn with_tokens(authenticator: Authenticator, tokens: Option<JwtVerifier>) -> Authenticator {
    match tokens {
        Some(verifier) => authenticator.with_tokens(Arc::new(verifier)),
        None => authenticator,
    }
}

/// Sends what other nodes are still to be answered.
async fn finish(peers: Option<PeerServer>) {
    if let Some(peers) = peers {
        peers.finish().await;
    }
}

/// A core's life: its shard and its gateway, until both have ended.
async fn run(core: CorePlan) {
    let CorePlan {
        socket,
        shard,
        gateway,
        tls,
        metadata,
        groups,
        cluster,
        addresses,
        push_board,
        audit,
        usages,
        tokens,
        push,
        peers,
        mesh,
        metrics,
        commands,
        stop,
        events,
    } = core;
    let index = shard.index;
    let node = shard.peers.as_ref().and_then(|peers| peers.routes.load().us.node).unwrap_or_default();
    let _notice = EndNotice { index, events: events.clone() };
    tracing::debug!(index, "the core runs");
    let started = async {
        let (shard, shards, peer_server) = Shard::start_with_peers(shard, mesh, commands, metrics.shard).await?;
        let listener = listener::listen(socket).map_err(|error| error.to_string())?;
        Ok::<_, String>((shard, shards, peer_server, listener))
    };
    let (shard, shards, peer_server, listener) = match started.await {
        Ok(started) => started,
        Err(reason) => {
            drop(events.try_send(CoreEvent::Failed { index, reason }));
            return;
        }
    };
    tracing::debug!(index, "the core has met the others and listens");
    let serving = glommio::spawn_local(shard.run());
    serve_ports(push, (peers, peer_server.clone()), &shards);
    let shutdown = Shutdown::default();
    let stopping = shutdown.clone();
    let authenticator = Authenticator::new(gateway.auth).with_usages(usages);
    let context = Context {
        shards,
        metadata,
        groups,
        cluster,
        audit: Rc::new(AuditLog::new(audit, Arc::clone(&metrics.gateway))),
        authenticator: Rc::new(with_tokens(authenticator, tokens)),
        core: Rc::new(CoreState::new().of_core(node, index).with_outputs(gateway.outputs_bytes_max)),
        config: Rc::new(gateway),
        metrics: metrics.gateway,
        addresses,
        push: push_board,
        shutdown,
    };
    glommio::spawn_local(async move {
        // An error means that the control thread has gone: then too there is nothing left to serve for.
        let _ = stop.recv_async().await;
        stopping.request();
    })
    .detach();
    drop(events.try_send(CoreEvent::Serving));
    // In a task of its own: polled with every beat, a listener to which nobody comes would count up wakers until the executor
    // gives up.
    glommio::spawn_local(server::serve(context, listener, tls)).await;
    drop(events.try_send(CoreEvent::Drained));
    serving.await;
    finish(peer_server).await;
}
