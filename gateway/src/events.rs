//! A topic as Server-Sent Events: each message with the token to go on behind it.

use std::{
    net::SocketAddr,
    task::{Context as TaskContext, Poll, ready},
};

use gateway_api::{Code, Problem};
use shard_core::delivery::Filter;

use crate::{
    audit::Source,
    auth::policy::Verb,
    context::Context,
    error::{self, Failure},
    guard::{Guard, Pulse},
    http::{
        answer_stream::{AnswerStream, Piece},
        request_id::RequestId,
    },
    json_write, limits, message_json,
    operations::{ReadBounds, for_each_read},
    quota::usage::Hold,
    tick::Tick,
    topic_reader::{PartitionRead, TopicReader},
};

/// One client's events.
pub(crate) struct EventStream {
    context: std::rc::Rc<Context>,
    request: RequestId,
    reader: TopicReader,
    filter: Option<Filter>,
    opener: Opener,
    pulse: Pulse,
    tick: Tick,
    /// How many messages were passed over since an id was sent.
    passed_over: u64,
    opened: bool,
    stopping: bool,
}

/// Who opened a stream.
pub(crate) struct Opener {
    /// Whether they still may.
    pub(crate) guard: Guard,
    /// From where.
    pub(crate) from: Option<SocketAddr>,
    /// Counts the stream as theirs, if they may have only so many.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(crate) hold: Option<Hold>,
}

impl Opener {
    /// Looks whether they still may do this, if anything of it has changed.
    pub(crate) fn look(&mut self, context: &Context, request: RequestId, asked: (Verb, &str)) -> Result<(), Failure> {
        let state = context.metadata.state();
        let denied = match self.guard.look(&state) {
            Ok(false) => return Ok(()),
            Ok(true) => match self.guard.check(asked, &state) {
                Ok(()) => return Ok(()),
                Err(denied) => denied,
            },
            Err(unproved) => unproved.into(),
        };
        let source = Source { request, caller: self.guard.caller(), from: self.from };
        context.audit.revoked(&source, &denied.to_string());
        Err(error::of_denied(&denied))
    }
}

impl EventStream {
    /// The events from where the reader is on.
    pub(crate) fn new(
        context: std::rc::Rc<Context>,
        request: RequestId,
        reader: TopicReader,
        (filter, opener): (Option<Filter>, Opener),
    ) -> Self {
        let pulse = Pulse::new(limits::EVENTS_KEEPALIVE, opener.guard.caller());
        Self {
            context,
            request,
            reader,
            filter,
            opener,
            tick: Tick::after(pulse.every()),
            pulse,
            passed_over: 0,
            opened: false,
            stopping: false,
        }
    }

    /// The events of what was read, as many as one piece takes.
    fn append(&mut self, read: &PartitionRead, out: &mut Vec<u8>) -> Result<(), Failure> {
        let bytes = self.context.core.outputs().portion(limits::EVENTS_PIECE_BYTES);
        let bounds = ReadBounds { messages: usize::MAX, bytes, filter: self.filter.as_ref() };
        let (reply, topic) = (&read.reply, self.reader.name().to_owned());
        let partition = self.reader.source(read).partition;
        let source = message_json::Source::new(&topic, partition);
        let reader = &mut self.reader;
        let end = for_each_read((&reply.batches, reply.from), bounds, |record| {
            reader.go_on(read, record.offset.next());
            out.extend_from_slice(b"event: message\n");
            append_id(out, &reader.token());
            out.extend_from_slice(b"data: ");
            message_json::append(out, source, record, None);
            out.extend_from_slice(b"\n\n");
            out.len()
        });
        let end = end.map_err(|error| {
            error::of_code(Code::DataCorrupt, format!("a batch from offset {} on can't be read: {error}", reply.from))
        })?;
        reader.go_on(read, end.next);
        self.passed_over = if end.count > 0 { 0 } else { self.passed_over + end.passed_over };
        // Who waits long for a message is told now and then how far it is, so as not to have it all looked through again.
        if self.passed_over >= limits::TOPIC_PASSED_OVER_MAX {
            self.append_position(out);
        }
        self.context.metrics.messages_consumed.add(u64::try_from(end.count).unwrap_or_default());
        Ok(())
    }

    /// An id without data: the client keeps it, and no event comes of it.
    fn append_position(&mut self, out: &mut Vec<u8>) {
        self.passed_over = 0;
        append_id(out, &self.reader.token());
        out.push(b'\n');
    }

    fn append_failure(&self, failure: Failure, out: &mut Vec<u8>) {
        self.context.metrics.errors.count(failure.code);
        let problem = Problem { instance: self.request.as_str().to_owned(), ..failure.into_problem() };
        out.extend_from_slice(b"event: error\ndata: ");
        out.extend_from_slice(&serde_json::to_vec(&problem).unwrap_or_default());
        out.extend_from_slice(b"\n\n");
    }

    /// Whether what is read may no longer be read.
    fn look(&mut self) -> Result<(), Failure> {
        self.opener.look(&self.context, self.request, (Verb::SubscribeTopic, self.reader.name()))
    }

    /// A sign of life when it is time for one.
    fn poll_keepalive(&mut self, context: &mut TaskContext<'_>, out: &mut Vec<u8>) -> Poll<Piece> {
        loop {
            ready!(self.tick.poll(context));
            self.tick = Tick::after(self.pulse.every());
            if let Err(failure) = self.look() {
                self.append_failure(failure, out);
                return Poll::Ready(Piece::Last);
            }
            if self.pulse.beat() {
                break;
            }
        }
        out.extend_from_slice(b":\n\n");
        if self.passed_over > 0 {
            self.append_position(out);
        }
        Poll::Ready(Piece::More)
    }
}

impl AnswerStream for EventStream {
    fn poll_piece(&mut self, context: &mut TaskContext<'_>, out: &mut Vec<u8>) -> Poll<Piece> {
        if self.stopping {
            return Poll::Ready(Piece::Last);
        }
        if !std::mem::replace(&mut self.opened, true) {
            out.extend_from_slice(b"retry: ");
            json_write::number(out, limits::EVENTS_RETRY_MS);
            out.push(b'\n');
            self.append_position(out);
            return Poll::Ready(Piece::More);
        }
        if let Poll::Ready(piece) = self.poll_keepalive(context, out) {
            return Poll::Ready(piece);
        }
        loop {
            let read = ready!(self.reader.poll(context));
            let allowed = self.look();
            if let Err(failure) = allowed.and(read).and_then(|read| self.append(&read, out)) {
                self.append_failure(failure, out);
                return Poll::Ready(Piece::Last);
            }
            if !out.is_empty() {
                return Poll::Ready(Piece::More);
            }
            if self.filter.is_some() {
                // What was read held nothing for the client: others have their turn before the next is looked through.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn rest(&mut self) {
        self.reader.let_go();
    }

    fn stop(&mut self) {
        self.stopping = true;
    }
}

fn append_id(out: &mut Vec<u8>, token: &str) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(token.as_bytes());
    out.push(b'\n');
}
