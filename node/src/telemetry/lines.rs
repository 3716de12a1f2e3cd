//! What a log line is made of besides what its place in the code says: the request that it belongs to. Repeats too many are left out.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::repeats::{RepeatLimit, Repeats};
use crate::config::LogFormat;

/// A place in the code that logs.
#[derive(Clone, Debug)]
pub(super) struct Place(&'static Metadata<'static>);

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.0.callsite() == other.0.callsite()
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.callsite().hash(state);
    }
}

/// Counts the lines of each place. All threads share it: they share the way out of the process, too, one line at a time.
#[derive(Debug)]
pub(super) struct Throttle {
    began: Instant,
    repeats: Mutex<Repeats<Place>>,
}

impl Throttle {
    pub(super) fn new(limit: RepeatLimit) -> Self {
        Self { began: Instant::now(), repeats: Mutex::new(Repeats::new(limit)) }
    }

    pub(super) fn set_limit(&self, limit: RepeatLimit) {
        self.with(|repeats| repeats.set_limit(limit));
    }

    /// Says how many lines were left out, where that is due.
    pub(super) fn tell_due(&self) {
        let now = self.began.elapsed();
        tell(self.with(|repeats| repeats.due(now)));
    }

    /// Says how many lines were left out that nobody knows of.
    pub(super) fn tell_rest(&self) {
        tell(self.with(Repeats::rest));
    }

    /// Whether a line is written. What somebody asked to see, by `debug` or `trace`, always is.
    fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        let now = self.began.elapsed();
        *metadata.level() > Level::INFO || self.with(|repeats| repeats.admit(now, &Place(metadata)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Repeats<Place>) -> T) -> T {
        work(&mut self.repeats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn tell(left_out: Vec<(Place, u64)>) {
    for (Place(metadata), lines) in left_out {
        let place_level = metadata.level().as_str();
        let place = format_args!("{}:{}", metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        tracing::warn!(lines, place_level, %place, "lines of one place were left out");
    }
}

/// Lines in the format of `inner`, with the request.
pub(super) struct Lines<F> {
    inner: F,
    format: LogFormat,
    throttle: Arc<Throttle>,
}

impl<F> Lines<F> {
    pub(super) const fn new(inner: F, format: LogFormat, throttle: Arc<Throttle>) -> Self {
        Self { inner, format, throttle }
    }
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !self.throttle.admits(event.metadata()) {
            return Ok(());
        }
        let Some(request) = gateway::request_scope::current() else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        match self.format {
            LogFormat::Text => writeln!(writer, "{line} request_id={request}"),
            // An object with at least a level, so there is something before the comma.
            LogFormat::Json => {
                writeln!(writer, "{},\"request_id\":\"{request}\"}}", line.strip_suffix('}').unwrap_or(line))
            }
        }
    }
}
