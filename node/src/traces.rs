//! Exports the spans of the cores by OTLP, from the control thread. A core puts a finished span into a bounded queue and goes on:
//! whatever becomes of the collector, it costs spans, and nothing else.

mod backoff;
mod connect;
mod counters;
mod exporter;
mod http_client;
mod otlp;
mod span_data;

use std::sync::Arc;

use shard::tracer::{FinishedSpan, Tracer};
use shard_core::trace::Sampler;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

pub(crate) use counters::TraceCounters;
pub use otlp::ExporterError;
pub(crate) use otlp::target;

use crate::{config::TracingSection, limits};
use exporter::Exporting;

/// What records spans, and exports them as long as this is there.
pub(crate) struct TraceService {
    /// One for each core, and one for the control thread.
    tracers: Vec<Tracer>,
    counters: Arc<TraceCounters>,
    /// None where nothing is recorded.
    running: Option<Running>,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl TraceService {
    /// Begins to export, on the runtime this is called on; does nothing where tracing is off. Reads files.
    ///
    /// # Errors
    /// The settings can't be used.
    pub(crate) fn start(section: &TracingSection, node: u64, shard_count: usize) -> Result<Self, ExporterError> {
        let counters = Arc::new(TraceCounters::default());
        if !section.enabled {
            return Ok(Self { tracers: Vec::new(), counters, running: None });
        }
        let exporter = otlp::exporter(section, node)?;
        let sampler = Sampler::new(section.sample_ratio);
        let queues = (0..=shard_count).map(|_| flume::bounded::<FinishedSpan>(section.queue_spans_max));
        let (senders, receivers): (Vec<_>, Vec<_>) = queues.unzip();
        let tracer = |queue| Tracer::new(sampler, queue, counters.dropped_by_cores());
        let (stop, stopping) = watch::channel(false);
        let exporting = Exporting::new(exporter, receivers, (Arc::clone(&counters), stopping));
        let task = tokio::spawn(exporting.run());
        let tracers = senders.into_iter().map(tracer).collect();
        tracing::info!(endpoint = section.otlp_endpoint, ratio = %section.sample_ratio, "traces are exported");
        Ok(Self { tracers, counters, running: Some(Running { stop, task }) })
    }

    /// What begins spans on a core.
    pub(crate) fn tracer(&self, core: usize) -> Tracer {
        self.tracers.get(core).cloned().unwrap_or_default()
    }

    /// What begins spans on the control thread.
    pub(crate) fn own_tracer(&self) -> Tracer {
        self.tracers.last().cloned().unwrap_or_default()
    }

    /// Where it is counted.
    pub(crate) fn counters(&self) -> Arc<TraceCounters> {
        Arc::clone(&self.counters)
    }

    /// Exports what is left, for a moment: what a collector does not take then is gone.
    pub(crate) async fn stop(self) {
        let Some(Running { stop, mut task }) = self.running else { return };
        stop.send_replace(true);
        if timeout(limits::TRACE_STOP_TIMEOUT, &mut task).await.is_err() {
            tracing::warn!("the last spans could not be exported in time");
            task.abort();
        }
    }
}
