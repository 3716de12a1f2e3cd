//! Asks other nodes over the control lane: one connection to each, made when it is needed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use raft::{CallError, CallFuture, Peer, Transport, metadata::NodeId};
use shard_core::link::{Frame, FrameKind, Lane, OutFrame, Preface};
use tokio::{
    io::{self, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{
    LinkSelf,
    connection::{ConnectionError, FrameReader, shake_hands, write_frames},
    stream::{ControlStream, connected},
};
use crate::limits;

/// The control lane's way to other nodes. Clones share its connections.
#[derive(Clone)]
pub(crate) struct ControlClient {
    us: LinkSelf,
    links: Arc<Mutex<HashMap<Target, mpsc::Sender<Call>>>>,
}

/// Whom a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Target {
    node: Option<u64>,
    address: String,
}

/// A question on its way.
struct Call {
    question: Bytes,
    deadline: Instant,
    reply: oneshot::Sender<Result<Vec<u8>, CallError>>,
}

/// The task of one connection; it ends with the connection, and the next call begins another.
struct Link {
    us: LinkSelf,
    target: Target,
    calls: mpsc::Receiver<Call>,
    waiting: HashMap<u64, oneshot::Sender<Result<Vec<u8>, CallError>>>,
    next_id: u64,
}

impl ControlClient {
    pub(crate) fn new(us: LinkSelf) -> Self {
        Self { us, links: Arc::default() }
    }

    /// Gives a call to the connection, or to a new one if that has ended.
    fn send(&self, target: Target, call: Call) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match links.get(&target) {
            Some(link) => match link.try_send(call) {
                Ok(()) => return,
                Err(refused) => refused,
            },
            None => mpsc::error::TrySendError::Closed(call),
        };
        match refused {
            mpsc::error::TrySendError::Full(call) => {
                let reason = "too many questions wait for it".to_owned();
                drop(call.reply.send(Err(CallError::Unreachable { reason })));
            }
            mpsc::error::TrySendError::Closed(call) => {
                links.retain(|_, link| !link.is_closed());
                let (calls, waiting) = mpsc::channel(limits::LINK_QUESTIONS_MAX);
                // There is room for the first.
                drop(calls.try_send(call));
                let link = Link {
                    us: self.us.clone(),
                    target: target.clone(),
                    calls: waiting,
                    waiting: HashMap::new(),
                    next_id: 1,
                };
                links.insert(target, calls);
                tokio::spawn(link.run());
            }
        }
    }
}

impl Transport for ControlClient {
    fn call(&self, peer: Peer, question: Vec<u8>, deadline: Duration) -> CallFuture {
        let (reply, answer) = oneshot::channel();
        let target = Target { node: peer.node.map(NodeId::get), address: peer.address };
        let call = Call { question: Bytes::from(question), deadline: Instant::now() + deadline, reply };
        self.send(target, call);
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| Err(CallError::Lost { reason: "the connection was given up".to_owned() }))
        })
    }
}

impl Link {
    async fn run(mut self) {
        let connected = timeout(limits::LINK_CONNECT_WAIT, self.connect()).await;
        let (reader, writer) = match connected {
            Ok(Ok(halves)) => halves,
            Ok(Err(error)) => {
                if error.is_to_be_mended() {
                    self.us.refusals.made(&self.target.address, &error);
                }
                return self.fail_unsent(&error.to_string());
            }
            Err(_) => return self.fail_unsent("connecting took too long"),
        };
        let (frames, outgoing) = mpsc::channel(limits::LINK_QUESTIONS_MAX);
        let writing = tokio::spawn(write_frames(writer, outgoing));
        let error = self.exchange(reader, frames).await;
        tracing::debug!(address = self.target.address, %error, "a connection of the control lane has ended");
        writing.abort();
        let lost = CallError::Lost { reason: error.to_string() };
        for (_, reply) in self.waiting.drain() {
            drop(reply.send(Err(lost.clone())));
        }
        self.fail_unsent(&error.to_string());
    }

    async fn connect(
        &self,
    ) -> Result<(FrameReader<ReadHalf<ControlStream>>, WriteHalf<ControlStream>), ConnectionError> {
        let mut stream = TcpStream::connect(&self.target.address).await?;
        stream.set_nodelay(true)?;
        let lane = Lane::Control;
        stream.write_all(&Preface { lane }.encode()).await?;
        let (read, mut write) = io::split(connected(stream, &self.us, &self.target.address).await?);
        let mut reader = FrameReader::new(read);
        shake_hands(&mut reader, &mut write, self.us.expected(lane, self.target.node), true).await?;
        Ok((reader, write))
    }

    /// Sends calls and takes replies until the connection ends; says why it did.
    async fn exchange(
        &mut self,
        mut reader: FrameReader<ReadHalf<ControlStream>>,
        frames: mpsc::Sender<OutFrame>,
    ) -> ConnectionError {
        let mut heard = Instant::now();
        loop {
            let silence = timeout_at(heard + limits::LINK_SILENCE_MAX, reader.next());
            tokio::select! {
                call = self.calls.recv() => match call {
                    Some(call) => {
                        if self.waiting.is_empty() {
                            heard = Instant::now();
                        }
                        self.send(call, &frames);
                    }
                    None => return ConnectionError::Closed,
                },
                frame = silence => match frame {
                    Ok(Ok(frame)) => {
                        heard = Instant::now();
                        self.take(&frame);
                    }
                    Ok(Err(error)) => return error,
                    // Silence counts while something is asked.
                    Err(_) if self.waiting.is_empty() => heard = Instant::now(),
                    Err(_) => return ConnectionError::Silent,
                },
            }
        }
    }

    fn send(&mut self, call: Call, frames: &mpsc::Sender<OutFrame>) {
        if self.waiting.len() >= limits::LINK_QUESTIONS_MAX {
            self.waiting.retain(|_, reply| !reply.is_closed());
        }
        let left = call.deadline.saturating_duration_since(Instant::now());
        let id = self.next_id;
        let frame = OutFrame {
            kind: FrameKind::Request,
            id,
            millis_left: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
            head: Bytes::new(),
            tail: vec![call.question],
        };
        if self.waiting.len() >= limits::LINK_QUESTIONS_MAX || frames.try_send(frame).is_err() {
            let reason = "too many questions wait for it".to_owned();
            drop(call.reply.send(Err(CallError::Unreachable { reason })));
            return;
        }
        self.next_id += 1;
        self.waiting.insert(id, call.reply);
    }

    fn take(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Reply
            && let Some(reply) = self.waiting.remove(&frame.id)
        {
            // Who asked may have given up.
            drop(reply.send(Ok(frame.tail.to_vec())));
        }
    }

    /// Answers what was not sent.
    fn fail_unsent(&mut self, reason: &str) {
        self.calls.close();
        while let Ok(call) = self.calls.try_recv() {
            drop(call.reply.send(Err(CallError::Unreachable { reason: reason.to_owned() })));
        }
    }
}
