//! The requests of another node to partitions here: each is put to the core that has its partition, and answered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use futures_lite::{
    future::{self, yield_now},
    io::{AsyncRead, AsyncWrite},
};
use glommio::timer::sleep;
use shard_core::{
    format::record_batch::UnassignedBatch,
    link::{Frame, FrameDecoder, FrameKind, Handshake, Lane, OutFrame, Seldom},
    model::TopicPartition,
    peer_wire::{PeerReply, PeerRequest},
    trace::TraceContext,
};

use super::{
    PeerConfig,
    channel::{Channel, Side},
    connect::{LinkStream, within},
    handshake::shake,
};
use crate::{
    clock::Clock,
    handle::ShardHandle,
    limits,
    metrics::ShardMetrics,
    request::{PartitionUnavailable, PublishError, PublishTerms},
};

/// Serves connections of other nodes on one core; clones share its limits.
#[derive(Clone, Debug)]
pub struct PeerServer {
    inner: Rc<Server>,
}

#[derive(Debug)]
struct Server {
    config: PeerConfig,
    /// Asks the cores of this node, and no other ones.
    here: ShardHandle,
    connections: Cell<usize>,
    channels: RefCell<Vec<Channel>>,
    clock: Clock,
    /// Of connections that came to nothing.
    told: Cell<Seldom>,
    metrics: Arc<ShardMetrics>,
}

/// One connection that is served.
#[derive(Clone, Debug)]
struct Serving {
    inner: Rc<Connection>,
}

#[derive(Debug)]
struct Connection {
    channel: Channel,
    here: ShardHandle,
    /// What is being done; dropping it gives it up.
    working: RefCell<BTreeMap<u64, Working>>,
    waits: Cell<usize>,
    metrics: Arc<ShardMetrics>,
}

#[derive(Debug)]
struct Working {
    _given_up: oneshot::Sender<()>,
    waits: bool,
    deadline: Option<Instant>,
}

impl PeerServer {
    pub(crate) fn new(config: PeerConfig, here: ShardHandle, metrics: Arc<ShardMetrics>) -> Self {
        let server = Server {
            config,
            here,
            connections: Cell::new(0),
            channels: RefCell::default(),
            clock: Clock::start(),
            told: Cell::default(),
            metrics,
        };
        Self { inner: Rc::new(server) }
    }

    /// Serves a connection until it ends; its preface has been read, and has named `shard`.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(&self, stream: S, shard: u16) {
        let server = &self.inner;
        if server.connections.get() >= limits::PEER_CONNECTIONS_MAX {
            tracing::warn!("a connection of another node is closed: there are as many as may be");
            return;
        }
        server.connections.set(server.connections.get() + 1);
        match Box::pin(self.greet(stream, shard)).await {
            Ok((stream, decoder, node)) => {
                let reason = Box::pin(self.answer(stream, decoder)).await;
                tracing::debug!(node, reason, "a connection of another node ended");
            }
            Err(reason) => self.tell_refused(&reason),
        }
        server.connections.set(server.connections.get() - 1);
    }

    /// Waits until what was answered has been sent, for a while. To be called once the shard has ended, and with it all
    /// requests.
    pub async fn finish(&self) {
        let channels: Vec<_> = self.inner.channels.borrow().iter().cloned().collect();
        let sent = async {
            // Those who were answered by the shard's last turn have theirs first.
            yield_now().await;
            for channel in &channels {
                channel.push(OutFrame::bare(FrameKind::Goodbye, 0));
                channel.room(1).await;
            }
            Ok(())
        };
        if within(limits::PEER_FINISH_TIMEOUT, sent).await.is_err() {
            tracing::debug!("another node does not read the last replies");
        }
    }

    /// Whoever tries again and again is told of now and then.
    fn tell_refused(&self, reason: &str) {
        let mut told = self.inner.told.get();
        if let Some(passed_over) = told.on_event(self.inner.clock.monotonic()) {
            tracing::warn!(reason, passed_over, "a connection of another node came to nothing");
        }
        self.inner.told.set(told);
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        stream: S,
        shard: u16,
    ) -> Result<(LinkStream, FrameDecoder, u64), String> {
        let (config, lane) = (&self.inner.config, Lane::Shard(shard));
        let greeting = async {
            let mut stream: LinkStream = match &config.tls {
                None => Box::new(stream),
                Some(tls) => Box::new(Box::pin(tls.accept(stream, lane)).await?),
            };
            let us = config.routes.load().us.clone();
            let handshake = Handshake::accept(config.expected(us, None, lane));
            let (peer, decoder) = shake(&mut stream, handshake, None).await?;
            Ok((stream, decoder, peer.identity.node.unwrap_or_default()))
        };
        within(limits::PEER_CONNECT_TIMEOUT, greeting).await
    }

    async fn answer(&self, stream: LinkStream, decoder: FrameDecoder) -> String {
        let metrics = &self.inner.metrics;
        let channel = Channel::new(Arc::clone(metrics));
        let connection = Connection {
            channel: channel.clone(),
            here: self.inner.here.clone(),
            working: RefCell::default(),
            waits: Cell::new(0),
            metrics: Arc::clone(metrics),
        };
        let serving = Serving { inner: Rc::new(connection) };
        self.inner.channels.borrow_mut().push(channel.clone());
        metrics.peer_connections.set(metrics.peer_connections.get() + 1);
        let reason = channel.run(stream, decoder, &serving).await;
        metrics.peer_connections.set(metrics.peer_connections.get() - 1);
        self.inner.channels.borrow_mut().retain(|known| !known.is(&channel));
        // Whoever asked is gone.
        serving.inner.working.borrow_mut().clear();
        reason
    }
}

impl Serving {
    fn on_request(&self, frame: Frame) -> Result<(), String> {
        let (id, tail) = (frame.id, frame.tail);
        let Ok(request) = PeerRequest::decode(&frame.head) else {
            let reason = "the request is not understood: the nodes are of different versions".to_owned();
            self.reply(id, &PeerReply::Refused(PartitionUnavailable::PeerAway { node: 0, reason }));
            return Ok(());
        };
        let batch = match (&request, tail.is_empty()) {
            (PeerRequest::Publish { .. } | PeerRequest::PublishTraced { .. }, _) => {
                Some(UnassignedBatch::from_peer(tail).map_err(|error| error.to_string())?)
            }
            (_, true) => None,
            (_, false) => return Err("a request has a tail that it should not have".to_owned()),
        };
        if let PeerRequest::ReleaseConsumer { cursor, consumer } = request {
            self.inner.here.release_consumer(cursor, consumer);
            return Ok(());
        }
        let waits = wait_of(&request).is_some();
        if !self.inner.has_room(waits) {
            self.reply(id, &PeerReply::Refused(PartitionUnavailable::Overloaded));
            return Ok(());
        }
        self.inner.metrics.peer_requests_served.add(1);
        let (given_up, end) = oneshot::channel();
        let deadline =
            (frame.millis_left > 0).then(|| Instant::now() + Duration::from_millis(frame.millis_left.into()));
        self.inner.add(id, Working { _given_up: given_up, waits, deadline })?;
        let serving = self.clone();
        glommio::spawn_local(async move {
            let work = async { Some(Box::pin(perform(&serving.inner.here, request, batch)).await) };
            let reply = future::or(work, async {
                // Never sent: it ends when the other end is dropped.
                let _ = end.await;
                None
            });
            let Some(reply) = reply.await else { return };
            serving.inner.channel.room(limits::PEER_REPLY_BYTES_MAX).await;
            if serving.inner.remove(id) {
                serving.reply(id, &reply);
            }
        })
        .detach();
        Ok(())
    }

    fn reply(&self, id: u64, reply: &PeerReply) {
        let frame =
            reply.encode().map(|(head, tail)| OutFrame { kind: FrameKind::Reply, id, millis_left: 0, head, tail });
        match frame {
            Ok(frame) if frame.check().is_ok() => self.inner.channel.push(frame),
            // Its asker hears that the connection is lost, and so that it may have been done.
            Ok(_) | Err(_) => self.inner.channel.end("a reply is larger than a frame"),
        }
    }
}

impl Connection {
    fn has_room(&self, waits: bool) -> bool {
        if waits {
            return self.waits.get() < limits::PEER_WAITS_MAX;
        }
        self.working.borrow().len() - self.waits.get() < limits::PEER_REQUESTS_MAX
    }

    fn add(&self, id: u64, working: Working) -> Result<(), String> {
        self.waits.set(self.waits.get() + usize::from(working.waits));
        match self.working.borrow_mut().insert(id, working) {
            None => Ok(()),
            Some(_) => Err("two requests have the same id".to_owned()),
        }
    }

    /// Whether it was still there.
    fn remove(&self, id: u64) -> bool {
        let Some(working) = self.working.borrow_mut().remove(&id) else { return false };
        self.waits.set(self.waits.get() - usize::from(working.waits));
        true
    }
}

impl Side for Serving {
    fn on_frame(&self, frame: Frame) -> Result<(), String> {
        match frame.kind {
            FrameKind::Request => self.on_request(frame),
            FrameKind::Cancel => {
                self.inner.remove(frame.id);
                Ok(())
            }
            FrameKind::Goodbye => Ok(()),
            FrameKind::Hello
            | FrameKind::Proof
            | FrameKind::Refusal
            | FrameKind::Reply
            | FrameKind::Ping
            | FrameKind::Pong => Err(format!("a frame of kind {:?} asks for nothing", frame.kind)),
        }
    }

    fn on_written(&self, _kind: FrameKind, _id: u64) {}

    fn is_busy(&self) -> bool {
        !self.inner.working.borrow().is_empty()
    }

    fn unwritten_bytes_max(&self) -> usize {
        limits::PEER_UNWRITTEN_BYTES_MAX
    }

    fn look(&self) {
        let now = Instant::now();
        let is_late = |working: &Working| working.deadline.is_some_and(|deadline| deadline <= now);
        let working = self.inner.working.borrow();
        let late: Vec<_> = working.iter().filter(|(_, one)| is_late(one)).map(|(&id, _)| id).collect();
        drop(working);
        for id in late {
            self.inner.remove(id);
        }
    }
}

/// How long a request may wait for something to happen; none if it does not.
pub(super) fn wait_of(request: &PeerRequest) -> Option<Duration> {
    match request {
        PeerRequest::Read { read, .. } => Some(read.wait).filter(|wait| !wait.is_zero()),
        PeerRequest::AwaitDeliverable { .. } => Some(limits::PEER_DELIVERABLE_WAIT_MAX),
        PeerRequest::Fetch(fetch) => fetch.waits.then_some(limits::FETCH_WAIT),
        PeerRequest::Publish { .. }
        | PeerRequest::PublishTraced { .. }
        | PeerRequest::Status { .. }
        | PeerRequest::Pull { .. }
        | PeerRequest::Acknowledge { .. }
        | PeerRequest::AckUpTo { .. }
        | PeerRequest::Seek { .. }
        | PeerRequest::CursorStatus { .. }
        | PeerRequest::ReleaseConsumer { .. }
        | PeerRequest::Letters(_)
        | PeerRequest::Redrive(_)
        | PeerRequest::Scheduled(_)
        | PeerRequest::Cancel(_)
        | PeerRequest::Holds { .. }
        | PeerRequest::Digest(_) => None,
    }
}

async fn publish(
    here: &ShardHandle,
    (partition, batch): (TopicPartition, Option<UnassignedBatch>),
    terms: PublishTerms,
) -> PeerReply {
    PeerReply::Publish(match batch {
        Some(batch) => here.publish_for(partition, batch, terms).await,
        None => Err(PublishError::Unavailable(PartitionUnavailable::Stopping)),
    })
}

/// Asks the core that has the partition.
async fn perform(here: &ShardHandle, request: PeerRequest, batch: Option<UnassignedBatch>) -> PeerReply {
    match request {
        PeerRequest::Publish { partition, acks } => {
            publish(here, (partition, batch), PublishTerms { acks, trace: None }).await
        }
        PeerRequest::PublishTraced { partition, acks, trace } => {
            let trace = TraceContext::of_recorded(trace);
            publish(here, (partition, batch), PublishTerms { acks, trace }).await
        }
        PeerRequest::Read { partition, read } => PeerReply::Read(here.read(partition, read).await),
        PeerRequest::Status { partition } => PeerReply::Status(here.status(partition).await),
        PeerRequest::Pull { cursor, pull } => PeerReply::Pull(here.pull(cursor, pull).await),
        PeerRequest::Acknowledge { cursor, action, leases } => {
            PeerReply::Acknowledge(here.acknowledge(cursor, action, leases).await)
        }
        PeerRequest::AckUpTo { cursor, up_to, claim } => PeerReply::AckUpTo(here.ack_up_to(cursor, up_to, claim).await),
        PeerRequest::Seek { cursor, to } => PeerReply::Seek(here.seek(cursor, to).await),
        PeerRequest::CursorStatus { cursor } => PeerReply::CursorStatus(here.cursor_status(cursor).await),
        PeerRequest::AwaitDeliverable { subscription, partitions } => {
            let deliverable = here.await_deliverable(subscription, &partitions);
            // A wake that is under way while its asker goes is lost to the others who wait: they look again after a while.
            let look_again = async {
                sleep(limits::PEER_DELIVERABLE_WAIT_MAX).await;
                Ok(())
            };
            PeerReply::AwaitDeliverable(future::or(deliverable, look_again).await)
        }
        // Told before, and not asked.
        PeerRequest::ReleaseConsumer { cursor, .. } => {
            PeerReply::Refused(PartitionUnavailable::NotHere(cursor.partition))
        }
        PeerRequest::Letters(query) => PeerReply::Letters(here.letters(query).await),
        PeerRequest::Redrive(query) => PeerReply::Redrive(here.redrive(query).await),
        PeerRequest::Scheduled(query) => PeerReply::Scheduled(here.scheduled(query).await),
        PeerRequest::Cancel(query) => PeerReply::Cancel(here.cancel_scheduled(query).await),
        PeerRequest::Fetch(fetch) => PeerReply::Fetch(here.fetch(fetch).await),
        PeerRequest::Digest(query) => PeerReply::Digest(here.digest_here(query).await),
        PeerRequest::Holds { partition, epoch, end } => PeerReply::Holds(here.holds(partition, epoch, end).await),
    }
}
