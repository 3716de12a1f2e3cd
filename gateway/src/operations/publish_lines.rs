//! `POST /v1/topics/{topic}/messages` with a message a line: published while they come, their results sent back meanwhile.
//!
//! One group of lines is published at a time; what arrives meanwhile is the next group, so that groups are as large as the
//! disk is slow. Nothing is taken from a client who does not read the results.

mod line_plan;
mod line_splitter;

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use gateway_api::{Code, limits::BATCH_MESSAGES_MAX, publish::Retry};
use raft::metadata::Topic;
use shard::tracer::Span;
use shard_core::log::Acks;

use self::{
    line_plan::{LineFault, plan_lines},
    line_splitter::{LineGroup, LineSplitter},
};
use super::{
    find_topic,
    publish::{PublishReport, acks_of, publish, target},
    query, retry,
};
use crate::{
    auth::policy::Verb,
    call::Call,
    cloud_events::media_type,
    context::Context,
    error::{self, Failure},
    events::Opener,
    guard::Guard,
    http::{
        answer_stream::{AnswerStream, Input, Piece},
        request::Request,
        request_id::RequestId,
        response::Response,
        router::{Route, route},
    },
    json_write,
    limits::{PUBLISH_LINE_ESCAPES, PUBLISH_LINE_REST_BYTES, PUBLISH_LINES_GROUP_BYTES},
    publish_decode::PublishPlan,
    quota::{self, usage::Hold},
    traces::Origin,
};

/// The media type of JSON that is one value a line.
const LINES_TYPE: &str = "application/x-ndjson";

/// Whether the body of a request is messages, one a line.
pub(super) fn is_lines(request: &Request) -> bool {
    request.content_type().is_some_and(|content_type| media_type(content_type).eq_ignore_ascii_case(LINES_TYPE))
}

/// Whether the body behind a head is taken line by line.
pub(crate) fn takes_body(head: &Request) -> bool {
    is_lines(head) && route(head.method(), head.target()).is_ok_and(|matched| matched.route == Route::PublishBatch)
}

pub(super) fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    query::check_names(call.request, &["acks"])?;
    let acks = acks_of(call.request)?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    if retry::of_request(call.request, &topic.config)? != Retry::Unguarded {
        let detail = "a stream has no number of messages to count: each is made safe by an `id` of its own";
        return Err(error::invalid("Idempotency-Key", detail));
    }
    let hold = quota::connect(context, call.caller)?;
    let opener = Opener { guard: Guard::new(call.caller.clone()), from: call.client.address, hold };
    let stream = LineStream::new(context, (call.request.id(), Origin::of(&call)), topic, (opener, acks));
    let response = Response::streaming(LINES_TYPE, stream);
    // Proxies that collect answers before they hand them on are told not to.
    Ok(response.with_header("cache-control", "no-store").with_header("x-accel-buffering", "no"))
}

/// Lines in, results out.
struct LineStream {
    context: Rc<Context>,
    request: RequestId,
    origin: Origin,
    opener: Opener,
    acks: Option<Acks>,
    /// As it was when the stream began; each group goes to the topic as it then is.
    topic: Arc<Topic>,
    line_bytes_max: usize,
    lines: LineSplitter,
    input: InputState,
    publishing: Option<Publishing>,
    /// What ends the stream once the results of the lines before it are sent.
    fault: Option<LineFault>,
    stopping: bool,
}

/// What may still come of the body.
#[derive(Debug)]
enum InputState {
    Open,
    Ended,
    Broken(Failure),
}

/// A group on its way.
struct Publishing {
    began: Instant,
    report: Pin<Box<dyn Future<Output = PublishReport>>>,
    /// Counts it among what its publisher has under way.
    #[expect(dead_code, reason = "it is there to be dropped")]
    hold: Option<Hold>,
}

impl LineStream {
    fn new(
        context: &Context,
        (request, origin): (RequestId, Origin),
        topic: &Arc<Topic>,
        (opener, acks): (Opener, Option<Acks>),
    ) -> Self {
        let message_bytes_max = usize::try_from(topic.config.max_message_bytes).unwrap_or(usize::MAX);
        let line_bytes_max = message_bytes_max.saturating_mul(PUBLISH_LINE_ESCAPES) + PUBLISH_LINE_REST_BYTES;
        Self {
            line_bytes_max: line_bytes_max.min(context.config.body_bytes_max),
            context: Rc::new(context.clone()),
            request,
            origin,
            opener,
            acks,
            topic: Arc::clone(topic),
            lines: LineSplitter::new(),
            input: InputState::Open,
            publishing: None,
            fault: None,
            stopping: false,
        }
    }

    /// Begins to publish a group, or says why nothing of it is.
    fn begin(&mut self, group: &LineGroup) {
        if let Err(failure) = self.try_begin(group) {
            self.fault = Some(LineFault { line: group.first(), failure });
        }
    }

    /// Begins to publish a group up to the first line that is wrong.
    fn try_begin(&mut self, group: &LineGroup) -> Result<(), Failure> {
        self.opener.look(&self.context, self.request, (Verb::Publish, self.topic.name.as_str()))?;
        let topic = self.current_topic()?;
        let trace = self.origin.publish(&self.context, &topic);
        let target = target(&self.context, &topic, Retry::Unguarded).traced(trace.of_messages());
        let (mut plan, fault) =
            self.context.core.with_message_ids(|ids| plan_lines(group, self.line_bytes_max, &target, ids));
        plan.acks = self.acks;
        if !plan.messages().is_empty() {
            let caller = self.opener.guard.caller();
            let hold = quota::begin(&self.context, caller, group.bytes())?;
            quota::publish(&self.context, caller, plan.messages().len())?;
            self.publishing = Some(self.start(topic, (plan, trace.span), hold));
        }
        self.fault = fault;
        Ok(())
    }

    fn start(&self, topic: Arc<Topic>, (plan, span): (PublishPlan, Span), hold: Option<Hold>) -> Publishing {
        let context = Rc::clone(&self.context);
        let report = Box::pin(async move { publish(&context, &topic, plan, span).await });
        Publishing { began: Instant::now(), report, hold }
    }

    /// The topic as it is now; one that was deleted meanwhile is another one, even if it has the same name again.
    fn current_topic(&self) -> Result<Arc<Topic>, Failure> {
        let state = self.context.metadata.state();
        let topic = find_topic(&state, self.topic.name.as_str())?;
        if topic.id != self.topic.id {
            return Err(error::of_code(Code::TopicNotFound, "the topic was deleted, and made anew"));
        }
        Ok(Arc::clone(topic))
    }

    /// Why no more lines are published, when all that came before are; `None` if there may be more.
    fn end(&self) -> Option<Result<(), LineFault>> {
        let at_next = |failure| Some(Err(LineFault { line: self.lines.next_number(), failure }));
        match &self.input {
            InputState::Ended => Some(Ok(())),
            InputState::Broken(failure) => at_next(failure.clone()),
            InputState::Open if self.lines.partial_bytes() > self.line_bytes_max => {
                at_next(line_plan::too_long(self.line_bytes_max))
            }
            InputState::Open => None,
        }
    }

    fn append_fault(&self, fault: &LineFault, out: &mut Vec<u8>) {
        self.context.metrics.errors.count(fault.failure.code);
        out.extend_from_slice(b"{\"error\":");
        let failure = error::publish_failure(&fault.failure);
        out.extend_from_slice(&serde_json::to_vec(&failure).unwrap_or_default());
        out.extend_from_slice(b",\"line\":");
        json_write::number(out, fault.line);
        out.extend_from_slice(b"}\n");
    }
}

impl AnswerStream for LineStream {
    fn poll_piece(&mut self, context: &mut TaskContext<'_>, out: &mut Vec<u8>) -> Poll<Piece> {
        loop {
            if let Some(publishing) = &mut self.publishing {
                let report = ready!(publishing.report.as_mut().poll(context));
                self.context.metrics.publish_latency.observe(publishing.began.elapsed());
                self.publishing = None;
                report.append_lines(out);
                return Poll::Ready(Piece::More);
            }
            if let Some(fault) = self.fault.take() {
                self.append_fault(&fault, out);
                return Poll::Ready(Piece::Last);
            }
            if self.stopping && self.lines.held_bytes() > 0 {
                let failure = error::of_code(Code::NodeUnavailable, "the node stops");
                self.fault = Some(LineFault { line: self.lines.next_number(), failure });
            } else if let Some(group) = self.lines.take_group(PUBLISH_LINES_GROUP_BYTES, BATCH_MESSAGES_MAX) {
                self.begin(&group);
            } else {
                match self.end() {
                    Some(Ok(())) => return Poll::Ready(Piece::Last),
                    Some(Err(fault)) => self.fault = Some(fault),
                    None if self.stopping => return Poll::Ready(Piece::Last),
                    // The connection asks again when more has arrived.
                    None => return Poll::Pending,
                }
            }
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
    }

    fn wants_input(&self) -> bool {
        let has_room = self.lines.held_bytes() < PUBLISH_LINES_GROUP_BYTES;
        let lacks_end = !self.lines.has_line() && self.lines.partial_bytes() <= self.line_bytes_max;
        matches!(self.input, InputState::Open) && self.fault.is_none() && !self.stopping && (has_room || lacks_end)
    }

    fn take_input(&mut self, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.lines.push(bytes),
            Input::End => {
                self.lines.end();
                self.input = InputState::Ended;
            }
            Input::Broken(refusal) => {
                self.lines.cut();
                self.input = InputState::Broken(error::of_refusal(&refusal));
            }
        }
    }

    fn held_bytes(&self) -> usize {
        self.lines.held_bytes()
    }
}
