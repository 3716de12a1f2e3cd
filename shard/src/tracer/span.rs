//! A span that is under way.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use shard_core::trace::{Sampler, TraceContext};

use super::finished::{FinishedSpan, SpanValue};
use crate::limits;

/// Something that is being done; it has ended when this is dropped. The one made by default is not recorded.
#[derive(Debug, Default)]
pub struct Span {
    recording: Option<Box<Recording>>,
}

#[derive(Debug)]
struct Recording {
    recorder: Arc<Recorder>,
    span: FinishedSpan,
}

/// Where spans go.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) sampler: Sampler,
    pub(super) random: AtomicU64,
    pub(super) queue: flume::Sender<FinishedSpan>,
    pub(super) dropped: Arc<AtomicU64>,
}

impl Span {
    pub(super) fn begin(recorder: &Arc<Recorder>, span: FinishedSpan) -> Self {
        Self { recording: Some(Box::new(Recording { recorder: Arc::clone(recorder), span })) }
    }

    /// Notes something more; a text is only made where [`Self::is_recorded`].
    pub fn set(&mut self, name: &'static str, value: impl Into<SpanValue>) {
        if let Some(recording) = &mut self.recording {
            recording.span.attributes.push((name, value.into()));
        }
    }

    /// Notes a span of another trace that it has to do with.
    pub fn link(&mut self, context: TraceContext) {
        if let Some(Recording { span, .. }) = self.recording.as_deref_mut() {
            if span.links.len() < limits::SPAN_LINKS_MAX {
                span.links.push(context);
            } else {
                span.links_dropped += 1;
            }
        }
    }

    /// Notes why it failed.
    pub fn fail(&mut self, reason: impl Into<Cow<'static, str>>) {
        if let Some(recording) = &mut self.recording {
            recording.span.error = Some(reason.into());
        }
    }

    /// As whatever follows from it knows it; nothing if it is not recorded.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.recording.as_ref().map(|recording| recording.span.context)
    }

    /// Whether anything is made of it.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// Says that it began at another time than it was made.
    #[must_use]
    pub fn since(mut self, start: SystemTime) -> Self {
        if let Some(recording) = &mut self.recording {
            recording.span.start = start;
        }
        self
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(recording) = self.recording.take() else { return };
        let Recording { recorder, mut span } = *recording;
        // A clock that was set back makes no span end before it began.
        span.end = SystemTime::now().max(span.start);
        if recorder.queue.try_send(span).is_err() {
            recorder.dropped.fetch_add(1, Relaxed);
        }
    }
}
