//! One connection to another node, from either side: frames that wait go out together, what comes in goes to whoever
//! asked or is asked, and silence ends it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
};

use event_listener::Event;
use futures_lite::{
    future,
    io::{self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
};
use glommio::{timer::sleep, yield_if_needed};
use shard_core::link::{Frame, FrameDecoder, FrameKind, LinkWatch, OutFrame, WatchVerdict};

use crate::{clock::Clock, limits, metrics::ShardMetrics};

/// The frames that wait to be written. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    metrics: Arc<ShardMetrics>,
    frames: RefCell<VecDeque<OutFrame>>,
    /// Those that wait, and those that are being written.
    bytes: Cell<usize>,
    writer: RefCell<Option<Waker>>,
    /// Told when there is room again, or none is needed any more.
    room: Event,
    ended: RefCell<Option<String>>,
    ending: Event,
}

/// What a side does with a connection.
pub(super) trait Side {
    /// Takes what has come; pings are answered before.
    ///
    /// # Errors
    /// It should not have come: the connection ends.
    fn on_frame(&self, frame: Frame) -> Result<(), String>;

    /// A frame is about to be written: from here on it may have been heard.
    fn on_written(&self, kind: FrameKind, id: u64);

    /// Whether either side waits for something.
    fn is_busy(&self) -> bool;

    /// How many bytes may wait to be written while more is read. Only one side of a connection may stop reading, or both would
    /// wait for each other.
    fn unwritten_bytes_max(&self) -> usize;

    /// A few times a second: to give up what has taken too long.
    fn look(&self);
}

impl Channel {
    pub(super) fn new(metrics: Arc<ShardMetrics>) -> Self {
        let inner = Inner {
            clock: Clock::start(),
            metrics,
            frames: RefCell::default(),
            bytes: Cell::new(0),
            writer: RefCell::default(),
            room: Event::new(),
            ended: RefCell::default(),
            ending: Event::new(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Has a frame written; into the void once the connection has ended.
    pub(super) fn push(&self, frame: OutFrame) {
        if self.ended().is_some() {
            return;
        }
        self.inner.bytes.set(self.inner.bytes.get() + frame.len());
        self.inner.frames.borrow_mut().push_back(frame);
        if let Some(writer) = self.inner.writer.borrow_mut().take() {
            writer.wake();
        }
    }

    /// Returns when fewer bytes than `bytes_max` wait to be written, or the connection has ended.
    pub(super) async fn room(&self, bytes_max: usize) {
        loop {
            let room = self.inner.room.listen();
            if self.inner.bytes.get() < bytes_max || self.ended().is_some() {
                return;
            }
            room.await;
        }
    }

    /// Whether both are one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.inner, &other.inner)
    }

    /// Ends the connection, for this reason if it has not ended before.
    pub(super) fn end(&self, reason: &str) {
        self.inner.ended.borrow_mut().get_or_insert_with(|| reason.to_owned());
        self.inner.ending.notify(usize::MAX);
        self.inner.room.notify(usize::MAX);
    }

    /// Why it has ended, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        self.inner.ended.borrow().clone()
    }

    /// Reads, writes and watches until the connection ends, and gives the reason.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        decoder: FrameDecoder,
        side: &impl Side,
    ) -> String {
        let (reading, writing) = io::split(stream);
        let watch = Cell::new(LinkWatch::new(self.inner.clock.monotonic()));
        let ended = {
            let reads = Box::pin(self.read(reading, decoder, (side, &watch)));
            let writes = Box::pin(self.write(writing, (side, &watch)));
            let watches = Box::pin(self.watch(side, &watch));
            future::or(future::or(reads, writes), future::or(watches, self.ending())).await
        };
        self.end(&ended);
        self.inner.frames.borrow_mut().clear();
        self.ended().unwrap_or(ended)
    }

    async fn ending(&self) -> String {
        loop {
            let ending = self.inner.ending.listen();
            if let Some(reason) = self.ended() {
                return reason;
            }
            ending.await;
        }
    }

    async fn read(
        &self,
        mut stream: impl AsyncRead + Unpin,
        mut decoder: FrameDecoder,
        (side, watch): (&impl Side, &Cell<LinkWatch>),
    ) -> String {
        loop {
            loop {
                match decoder.next_frame() {
                    Ok(Some(Frame { kind: FrameKind::Ping, id, .. })) => {
                        self.push(OutFrame::bare(FrameKind::Pong, id));
                    }
                    Ok(Some(Frame { kind: FrameKind::Pong, .. })) => {}
                    Ok(Some(frame)) => {
                        if let Err(reason) = side.on_frame(frame) {
                            return reason;
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return error.to_string(),
                }
            }
            self.wait_for_reader(side, watch).await;
            yield_if_needed().await;
            match stream.read(decoder.space()).await {
                Ok(0) => return "the other side closed the connection".to_owned(),
                Ok(received) => {
                    decoder.advance(received);
                    self.inner.metrics.peer_received_bytes.add(received as u64);
                    self.on_life(watch);
                }
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Waits until the other side has taken most of what it asked for.
    async fn wait_for_reader(&self, side: &impl Side, watch: &Cell<LinkWatch>) {
        let bytes_max = side.unwritten_bytes_max();
        if self.inner.bytes.get() < bytes_max {
            return;
        }
        self.room(bytes_max).await;
        self.on_life(watch);
    }

    fn on_life(&self, watch: &Cell<LinkWatch>) {
        let mut seen = watch.get();
        seen.on_received(self.inner.clock.monotonic());
        watch.set(seen);
    }

    async fn write(
        &self,
        mut stream: impl AsyncWrite + Unpin,
        (side, watch): (&impl Side, &Cell<LinkWatch>),
    ) -> String {
        let mut buffer = Vec::new();
        loop {
            self.wait_for_frame().await;
            if let Err(reason) = self.fill(&mut buffer, side) {
                return reason;
            }
            for piece in buffer.chunks(limits::PEER_WRITE_BYTES) {
                // What TLS has taken is on its way only when it is flushed.
                if let Err(error) = write_through(&mut stream, piece).await {
                    return error.to_string();
                }
                self.inner.metrics.peer_sent_bytes.add(piece.len() as u64);
                let left = self.inner.bytes.get() - piece.len();
                self.inner.bytes.set(left);
                self.inner.room.notify(usize::MAX);
                if left >= limits::PEER_BULK_BYTES {
                    // What it is asked stands behind all this, so that it takes it is its sign of life.
                    self.on_life(watch);
                }
            }
            buffer.clear();
            buffer.shrink_to(limits::PEER_WRITE_BYTES * 2);
        }
    }

    async fn wait_for_frame(&self) {
        poll_fn(|context| {
            if !self.inner.frames.borrow().is_empty() {
                return Poll::Ready(());
            }
            *self.inner.writer.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Collects what waits into one write.
    fn fill(&self, buffer: &mut Vec<u8>, side: &impl Side) -> Result<(), String> {
        while buffer.len() < limits::PEER_WRITE_BYTES {
            let Some(frame) = self.inner.frames.borrow_mut().pop_front() else { break };
            frame.encode_into(buffer).map_err(|error| error.to_string())?;
            side.on_written(frame.kind, frame.id);
        }
        Ok(())
    }

    async fn watch(&self, side: &impl Side, watch: &Cell<LinkWatch>) -> String {
        loop {
            sleep(LinkWatch::INTERVAL).await;
            side.look();
            let busy = side.is_busy() || self.inner.bytes.get() > 0;
            let mut seen = watch.get();
            let verdict = seen.look(self.inner.clock.monotonic(), busy);
            watch.set(seen);
            match verdict {
                WatchVerdict::Fine => {}
                WatchVerdict::Ping => self.push(OutFrame::bare(FrameKind::Ping, 0)),
                WatchVerdict::Dead => return "the other side gave no sign of life".to_owned(),
            }
        }
    }
}

async fn write_through(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
