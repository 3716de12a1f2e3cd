//! What a client asks in frames of `pubsub.v1.batch`.

use std::sync::Arc;

use gateway_api::frame::batch::{self, BatchClientFrame, PublishBatch};
use gateway_api::{Code, publish::Retry};

use shard::tracer::Span;

use super::{Session, requests::refused};
use crate::{
    auth::policy::Verb,
    error::{self, Failure},
    operations::{acks, find_topic, target},
    publish_decode::plan_encoded,
};

impl Session {
    /// Handles one frame with a header.
    pub(super) fn handle_binary(&mut self, frame: &[u8]) {
        let handled = match batch::split(frame) {
            Ok((header, batches)) => self.handle_with_header((header, batches), frame.len()),
            Err(missing) => (None, Err(error::of_code(Code::InvalidArgument, missing.to_string()))),
        };
        self.told(handled);
    }

    fn handle_with_header(
        &mut self,
        (header, batches): (&str, &[u8]),
        bytes: usize,
    ) -> (Option<u64>, Result<(), Failure>) {
        match BatchClientFrame::parse(header) {
            Ok(BatchClientFrame::Publish(publish)) => (publish.reference, self.handle_batch(&publish, batches, bytes)),
            Ok(BatchClientFrame::Other(frame)) if batches.is_empty() => self.handle_frame(frame, bytes),
            Ok(BatchClientFrame::Other(frame)) => {
                (frame.reference(), Err(error::invalid("batch", "only a publish has something behind its header")))
            }
            Err(refusal) => refused(refusal),
        }
    }

    fn handle_batch(&mut self, publish: &PublishBatch<'_>, batch: &[u8], bytes: usize) -> Result<(), Failure> {
        let in_flight = self.begin((Verb::Publish, &publish.topic), bytes)?;
        let held = (self.hold(bytes)?, in_flight);
        let state = self.context.metadata.state();
        let topic = Arc::clone(find_topic(&state, &publish.topic)?);
        let target = target(&self.context, &topic, Retry::Unguarded);
        let remembers = topic.config.dedup_window_ms > 0;
        let plan = plan_encoded(batch, &target, (publish.partition, remembers));
        let mut plan = plan.map_err(error::of_publish_refused)?;
        plan.acks = acks(publish.acks);
        self.store(topic, (plan, Span::default()), (publish.reference, held))
    }
}
