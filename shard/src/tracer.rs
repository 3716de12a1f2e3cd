//! Spans of what one core does: begun where it happens, put finished into a bounded queue to whoever exports them.
//!
//! What is not recorded costs a look at an option: no clock is read and nothing allocated for it.

mod finished;
mod span;

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use shard_core::trace::{Sampler, SpanId, TraceContext, TraceId};

pub use finished::{FinishedSpan, SpanKind, SpanValue};
pub use span::Span;

use span::Recorder;

/// The step of the sequence that ids are made of: `splitmix64`, of which no two numbers are alike.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Begins spans of one thread. Clones share it and stay there; the one made by default records nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer {
    recorder: Option<Arc<Recorder>>,
}

impl Tracer {
    /// Records what `sampler` says. A span for which `queue` has no room is counted as dropped.
    #[must_use]
    pub fn new(sampler: Sampler, queue: flume::Sender<FinishedSpan>, dropped: Arc<AtomicU64>) -> Self {
        let random = AtomicU64::new(RandomState::new().hash_one("ids of spans"));
        Self { recorder: Some(Arc::new(Recorder { sampler, random, queue, dropped })) }
    }

    /// Whether anything may be recorded.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.recorder.is_some()
    }

    /// Begins what was asked from outside: part of the trace that whoever asks named, or a trace of its own, recorded as the
    /// sampler says.
    #[must_use]
    pub fn begin(
        &self,
        kind: SpanKind,
        parent: Option<TraceContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Span {
        let Some(recorder) = &self.recorder else { return Span::default() };
        let trace = match parent {
            Some(parent) => parent.trace(),
            None => recorder.new_trace(),
        };
        if !recorder.sampler.samples(parent, trace) {
            return Span::default();
        }
        let context = TraceContext::new(trace, recorder.new_span(), true);
        Span::begin(
            recorder,
            FinishedSpan { is_parent_remote: true, ..FinishedSpan::new(context, parent, kind, name()) },
        )
    }

    /// Begins a part of something that is recorded; nothing is, if that is not.
    #[must_use]
    pub fn child(
        &self,
        kind: SpanKind,
        parent: Option<TraceContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Span {
        match (&self.recorder, parent) {
            (Some(recorder), Some(parent)) if parent.is_sampled() => {
                let context = parent.with_span(recorder.new_span());
                Span::begin(recorder, FinishedSpan::new(context, Some(parent), kind, name()))
            }
            _ => Span::default(),
        }
    }
}

impl Recorder {
    /// The next number of the sequence; each of the numbers that there are is as likely.
    fn next(&self) -> u64 {
        // The recorder belongs to one thread.
        let state = self.random.load(Relaxed).wrapping_add(GAMMA);
        self.random.store(state, Relaxed);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn new_trace(&self) -> TraceId {
        loop {
            let [high, low] = [self.next(), self.next()];
            if let Some(trace) = TraceId::new((u128::from(high) << 64 | u128::from(low)).to_be_bytes()) {
                return trace;
            }
        }
    }

    fn new_span(&self) -> SpanId {
        loop {
            if let Some(span) = SpanId::new(self.next().to_be_bytes()) {
                return span;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use shard_core::trace::Ratio;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn tracer(ratio: Ratio, room: usize) -> (Tracer, flume::Receiver<FinishedSpan>, Arc<AtomicU64>) {
        let (queue, finished) = flume::bounded(room);
        let dropped = Arc::new(AtomicU64::new(0));
        (Tracer::new(Sampler::new(ratio), queue, Arc::clone(&dropped)), finished, dropped)
    }

    #[test]
    fn a_span_goes_on_with_the_trace_of_whoever_asks() {
        let (tracer, finished, _) = tracer(Ratio::NONE, 9);
        let parent = TraceContext::parse(PARENT).unwrap();
        let mut span = tracer.begin(SpanKind::Server, Some(parent), || "POST".into());
        span.set("http.response.status_code", 200_u16);
        let context = span.context().unwrap();
        let child = tracer.child(SpanKind::Internal, span.context(), || "append".into());
        drop(child);
        drop(span);
        let [child, span] = [finished.try_recv().unwrap(), finished.try_recv().unwrap()];
        assert_eq!((span.context, span.parent), (context, Some(parent.span())));
        assert_eq!((context.trace(), span.is_parent_remote), (parent.trace(), true));
        assert_eq!((child.context.trace(), child.parent), (parent.trace(), Some(context.span())));
        assert!(!child.is_parent_remote);
        assert_eq!(span.attributes, [("http.response.status_code", SpanValue::Integer(200))]);
        assert!(span.start <= child.start && child.end <= span.end);
    }

    #[test]
    fn a_trace_that_its_beginner_does_not_record_is_not_recorded() {
        let (tracer, finished, _) = tracer(Ratio::ALL, 9);
        let parent = TraceContext::parse(&PARENT.replace("-01", "-00"));
        let span = tracer.begin(SpanKind::Server, parent, || panic!("nobody asks for its name"));
        assert_eq!(span.context(), None);
        drop(tracer.child(SpanKind::Internal, parent, || panic!("nor for that of a part of it")));
        drop(span);
        assert!(finished.is_empty());
    }

    #[test]
    fn a_trace_that_begins_here_has_no_parent() {
        let (tracer, finished, _) = tracer(Ratio::ALL, 9);
        drop(tracer.begin(SpanKind::Server, None, || "POST".into()));
        assert_eq!(finished.try_recv().unwrap().parent, None);
    }

    #[test]
    fn without_room_a_span_is_counted_and_gone() {
        let (tracer, finished, dropped) = tracer(Ratio::ALL, 1);
        for _ in 0..3 {
            drop(tracer.begin(SpanKind::Server, None, || "POST".into()));
        }
        assert_eq!((finished.len(), dropped.load(Relaxed)), (1, 2));
    }

    #[test]
    fn a_tracer_that_is_off_records_nothing() {
        let tracer = Tracer::default();
        assert!(!tracer.is_on());
        let parent = TraceContext::parse(PARENT);
        assert_eq!(tracer.begin(SpanKind::Server, parent, || panic!("nobody asks")).context(), None);
        assert_eq!(tracer.child(SpanKind::Server, parent, || panic!("nobody asks")).context(), None);
    }

    #[test]
    fn ids_are_all_different() {
        let (tracer, finished, _) = tracer(Ratio::ALL, 2_000);
        for _ in 0..1_000 {
            drop(tracer.begin(SpanKind::Server, None, || "POST".into()));
        }
        let ids: HashSet<_> = finished
            .try_iter()
            .flat_map(|span| [span.context.trace().bytes().to_vec(), span.context.span().bytes().to_vec()])
            .collect();
        assert_eq!(ids.len(), 2_000);
    }

    #[test]
    fn links_are_bounded_and_the_rest_counted() {
        let (tracer, finished, _) = tracer(Ratio::ALL, 1);
        let mut span = tracer.begin(SpanKind::Consumer, None, || "receive".into());
        for _ in 0..crate::limits::SPAN_LINKS_MAX + 3 {
            span.link(TraceContext::parse(PARENT).unwrap());
        }
        drop(span);
        let span = finished.try_recv().unwrap();
        assert_eq!((span.links.len(), span.links_dropped), (crate::limits::SPAN_LINKS_MAX, 3));
    }
}
