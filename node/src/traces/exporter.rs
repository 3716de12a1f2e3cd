//! Takes finished spans out of the queues and hands them to the collector, some at a time.

use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use shard::tracer::FinishedSpan;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{backoff::Backoff, counters::TraceCounters, span_data};
use crate::limits;

/// The loop that exports.
pub(super) struct Exporting {
    exporter: SpanExporter,
    queues: Vec<flume::Receiver<FinishedSpan>>,
    counters: Arc<TraceCounters>,
    stopping: watch::Receiver<bool>,
    scope: InstrumentationScope,
    backoff: Backoff,
}

impl Exporting {
    pub(super) fn new(
        exporter: SpanExporter,
        queues: Vec<flume::Receiver<FinishedSpan>>,
        (counters, stopping): (Arc<TraceCounters>, watch::Receiver<bool>),
    ) -> Self {
        let scope = InstrumentationScope::builder("pubsubring").with_version(env!("CARGO_PKG_VERSION")).build();
        Self { exporter, queues, counters, stopping, scope, backoff: Backoff::default() }
    }

    /// Exports until it is to stop and nothing is left, or the collector takes nothing then.
    pub(super) async fn run(mut self) {
        // The queues are looked at from time to time: a core that had to wake this thread for each span would pay for it.
        let mut look = interval(limits::TRACE_EXPORT_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.stopping.clone();
        loop {
            let is_last = tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => true,
                _ = look.tick() => false,
            };
            loop {
                let batch = self.take_batch();
                if batch.is_empty() {
                    break;
                }
                self.export(batch).await;
            }
            if is_last {
                break;
            }
        }
    }

    /// Some of the spans that wait, as evenly from all queues as they come.
    fn take_batch(&self) -> Vec<SpanData> {
        let mut batch = Vec::new();
        for queue in &self.queues {
            let room = limits::TRACE_BATCH_SPANS_MAX - batch.len();
            batch.extend(queue.try_iter().take(room).map(|span| span_data::of(span, &self.scope)));
        }
        batch
    }

    /// Sends a batch, again if need be; in the end it is gone, one way or the other.
    async fn export(&mut self, batch: Vec<SpanData>) {
        for _ in 0..limits::TRACE_EXPORT_TRIES {
            let sent = timeout(limits::TRACE_EXPORT_TIMEOUT, self.exporter.export(batch.clone())).await;
            let reason = match sent {
                Ok(Ok(())) => {
                    self.counters.add_exported(batch.len());
                    if self.backoff.on_success() {
                        tracing::info!("the collector takes spans again");
                    }
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            let failed = self.backoff.on_failure();
            if failed.is_new {
                tracing::warn!(
                    reason,
                    "the collector takes no spans; it is tried again, and what it misses is counted"
                );
            }
            let mut stopping = self.stopping.clone();
            tokio::select! {
                // Whoever stops does not wait for a collector that is away.
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = sleep(failed.pause) => {}
            }
        }
        self.counters.add_lost(batch.len());
    }
}
