//! The requests of this core over one connection, until each has its reply.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_channel::oneshot;
use shard_core::{
    link::{Frame, FrameKind, OutFrame, VersionRange},
    peer_wire::{PeerReply, PeerRequest},
};

use super::channel::{Channel, Side};
use crate::{
    limits,
    metrics::ShardMetrics,
    request::{AckAction, PartitionSubscription},
};

/// One connection to a core of another node. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    channel: Channel,
    metrics: Arc<ShardMetrics>,
    /// Whether the other side understands which trace a request is part of.
    takes_traces: bool,
    pending: RefCell<BTreeMap<u64, Pending>>,
    /// Pulls whose consumers have gone, and until when their replies may come.
    abandoned: RefCell<BTreeMap<u64, (PartitionSubscription, Instant)>>,
    last_id: Cell<u64>,
    /// Of requests that wait for their replies.
    bytes: Cell<usize>,
    /// How many of these are done at once, and how many wait for something to happen.
    working: Cell<usize>,
    waiting: Cell<usize>,
    /// The other side takes no more.
    leaving: Cell<bool>,
    /// Some request was answered.
    answered: Cell<bool>,
}

/// A request on its way.
#[derive(Debug)]
struct Pending {
    answer: oneshot::Sender<Result<Frame, AskError>>,
    /// It may have been heard.
    sent: bool,
    bytes: usize,
    waits: bool,
    deadline: Instant,
    leases_of: Option<PartitionSubscription>,
}

/// Something to be asked.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) head: Bytes,
    /// The head that says which trace it is part of; taken where the other side understands it.
    pub(super) traced_head: Option<Bytes>,
    pub(super) tail: Option<Bytes>,
    /// Whether it waits for something to happen.
    pub(super) waits: bool,
    /// How long it may take.
    pub(super) within: Duration,
    /// Where its reply leases messages, which are to be given back if nobody is there to take them.
    pub(super) leases_of: Option<PartitionSubscription>,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AskError {
    /// It was not heard.
    NotSent(String),
    /// It may have been heard.
    Lost(String),
    /// As many wait as may.
    Overloaded,
    /// The other side would not take so much at once.
    TooLarge,
}

/// Takes a request back when its asker has gone.
struct Asked<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Asking {
    /// Asks over a connection on which this version of the link is spoken.
    pub(super) fn new(channel: Channel, metrics: Arc<ShardMetrics>, version: u16) -> Self {
        let inner = Inner {
            channel,
            metrics,
            takes_traces: version >= VersionRange::WITH_TRACES,
            pending: RefCell::default(),
            abandoned: RefCell::default(),
            last_id: Cell::new(0),
            bytes: Cell::new(0),
            working: Cell::new(0),
            waiting: Cell::new(0),
            leaving: Cell::new(false),
            answered: Cell::new(false),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Asks; dropping it takes the request back.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Frame, AskError> {
        let inner = &*self.inner;
        if let Some(reason) = inner.channel.ended() {
            return Err(AskError::NotSent(reason));
        }
        let frame = inner.frame(&ask)?;
        let (answer, answered) = oneshot::channel();
        let asked = Asked { inner, id: frame.id };
        inner.add(&ask, &frame, answer);
        inner.channel.push(frame);
        let answer = answered.await.unwrap_or_else(|_| Err(AskError::Lost("the connection has ended".to_owned())));
        drop(asked);
        answer
    }

    /// Says something that has no reply.
    pub(super) fn tell(&self, head: Bytes) {
        let id = self.inner.next_id();
        self.inner.channel.push(OutFrame { id, ..OutFrame::of_head(FrameKind::Request, head) });
    }

    /// Messages were leased for a consumer that has gone: they are for the next one at once.
    fn give_back(&self, leases_of: Option<PartitionSubscription>, frame: Frame) {
        let Some(cursor) = leases_of else { return };
        let Ok(PeerReply::Pull(Ok(pulled))) = PeerReply::decode(&frame.head, frame.tail) else { return };
        let leases: Vec<_> = pulled.leased.iter().map(|message| (message.offset, message.lease)).collect();
        let action = AckAction::Nack { delay: Some(Duration::ZERO) };
        if !leases.is_empty()
            && let Ok(head) = (PeerRequest::Acknowledge { cursor, action, leases }).encode()
        {
            self.tell(head);
        }
    }

    /// Whether requests can still be made.
    pub(super) fn is_open(&self) -> bool {
        !self.inner.leaving.get() && self.inner.channel.ended().is_none()
    }

    /// Whether the other side has answered anything.
    pub(super) fn has_answered(&self) -> bool {
        self.inner.answered.get()
    }

    /// Gives the connection up.
    pub(super) fn end(&self, reason: &str) {
        self.inner.channel.end(reason);
    }

    /// The connection has ended: nobody will answer any more.
    pub(super) fn on_ended(&self, reason: &str) {
        let pending = std::mem::take(&mut *self.inner.pending.borrow_mut());
        for pending in pending.into_values() {
            self.inner.count_off(&pending);
            self.inner.metrics.peer_requests_lost.add(1);
            let error = if pending.sent { AskError::Lost } else { AskError::NotSent };
            // The asker may have gone.
            let _ = pending.answer.send(Err(error(reason.to_owned())));
        }
    }
}

impl Inner {
    fn next_id(&self) -> u64 {
        self.last_id.set(self.last_id.get() + 1);
        self.last_id.get()
    }

    /// The frame of a request, if there is room for it.
    fn frame(&self, ask: &Ask) -> Result<OutFrame, AskError> {
        let millis_left = u32::try_from(ask.within.as_millis()).unwrap_or(u32::MAX);
        let frame = OutFrame {
            kind: FrameKind::Request,
            id: self.next_id(),
            millis_left,
            head: ask.traced_head.as_ref().filter(|_| self.takes_traces).unwrap_or(&ask.head).clone(),
            tail: ask.tail.iter().cloned().collect(),
        };
        frame.check().map_err(|_| AskError::TooLarge)?;
        let (count, count_max) = if ask.waits {
            (self.waiting.get(), limits::PEER_WAITS_MAX)
        } else {
            (self.working.get(), limits::PEER_REQUESTS_MAX)
        };
        // One that is larger than all together may be is let through alone.
        let is_full = self.bytes.get() > 0 && self.bytes.get() + frame.len() > limits::PEER_REQUEST_BYTES_MAX;
        if count >= count_max || is_full { Err(AskError::Overloaded) } else { Ok(frame) }
    }

    fn add(&self, ask: &Ask, frame: &OutFrame, answer: oneshot::Sender<Result<Frame, AskError>>) {
        let bytes = frame.len();
        let deadline = Instant::now() + ask.within;
        let leases_of = ask.leases_of;
        let pending = Pending { answer, sent: false, bytes, waits: ask.waits, deadline, leases_of };
        self.pending.borrow_mut().insert(frame.id, pending);
        self.bytes.set(self.bytes.get() + bytes);
        let count = if ask.waits { &self.waiting } else { &self.working };
        count.set(count.get() + 1);
        self.metrics.peer_requests.add(1);
        self.metrics.peer_requests_in_flight.set(self.metrics.peer_requests_in_flight.get() + 1);
    }

    fn count_off(&self, pending: &Pending) {
        self.bytes.set(self.bytes.get() - pending.bytes);
        let count = if pending.waits { &self.waiting } else { &self.working };
        count.set(count.get() - 1);
        self.metrics.peer_requests_in_flight.set(self.metrics.peer_requests_in_flight.get() - 1);
    }

    fn take(&self, id: u64) -> Option<Pending> {
        let pending = self.pending.borrow_mut().remove(&id)?;
        self.count_off(&pending);
        Some(pending)
    }
}

impl Side for Asking {
    fn on_frame(&self, frame: Frame) -> Result<(), String> {
        match frame.kind {
            FrameKind::Reply => {
                self.inner.answered.set(true);
                if let Some(Pending { answer, leases_of, .. }) = self.inner.take(frame.id) {
                    // The asker may have gone at this very moment.
                    if let Err(Ok(frame)) = answer.send(Ok(frame)) {
                        self.give_back(leases_of, frame);
                    }
                } else {
                    let leases_of = self.inner.abandoned.borrow_mut().remove(&frame.id);
                    self.give_back(leases_of.map(|(cursor, _)| cursor), frame);
                }
                Ok(())
            }
            FrameKind::Goodbye => {
                self.inner.leaving.set(true);
                Ok(())
            }
            FrameKind::Hello
            | FrameKind::Proof
            | FrameKind::Refusal
            | FrameKind::Request
            | FrameKind::Cancel
            | FrameKind::Ping
            | FrameKind::Pong => Err(format!("a frame of kind {:?} is no reply", frame.kind)),
        }
    }

    fn on_written(&self, kind: FrameKind, id: u64) {
        if kind == FrameKind::Request
            && let Some(pending) = self.inner.pending.borrow_mut().get_mut(&id)
        {
            pending.sent = true;
        }
    }

    fn is_busy(&self) -> bool {
        !self.inner.pending.borrow().is_empty()
    }

    fn unwritten_bytes_max(&self) -> usize {
        usize::MAX
    }

    fn look(&self) {
        let now = Instant::now();
        let pending = self.inner.pending.borrow();
        let late: Vec<_> = pending.iter().filter(|(_, one)| one.deadline <= now).map(|(&id, _)| id).collect();
        drop(pending);
        self.inner.abandoned.borrow_mut().retain(|_, (_, until)| *until > now);
        for id in late {
            if let Some(pending) = self.inner.take(id) {
                self.inner.metrics.peer_requests_lost.add(1);
                self.inner.channel.push(OutFrame::bare(FrameKind::Cancel, id));
                let _ = pending.answer.send(Err(AskError::Lost("no reply came in time".to_owned())));
            }
        }
        if self.inner.leaving.get() && self.inner.pending.borrow().is_empty() {
            self.inner.channel.end("the other side takes no more requests");
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(pending) = self.inner.take(self.id) {
            let mut abandoned = self.inner.abandoned.borrow_mut();
            if let Some(cursor) = pending.leases_of
                && abandoned.len() < limits::PEER_REQUESTS_MAX
            {
                abandoned.insert(self.id, (cursor, pending.deadline));
            }
            self.inner.channel.push(OutFrame::bare(FrameKind::Cancel, self.id));
        }
    }
}
