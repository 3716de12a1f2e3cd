//! One message on its way: sent, judged, and settled with its shard.

use std::sync::Arc;

use shard::AckAction;
use shard_core::delivery::{PushAnswer, PushVerdict};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};

use super::{Phase, Shared, endpoint::Endpoint, failure::SendError, message::PushMessage, span};
use crate::limits;

/// What the messages of a subscription are sent with, as long as its configuration stays.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) shared: Arc<Shared>,
    pub(super) endpoint: Arc<Endpoint>,
    /// The revision of the subscription that says so.
    pub(super) revision: u64,
    pub(super) phase: watch::Receiver<Phase>,
}

/// What came of a message.
#[derive(Debug)]
pub(super) struct Delivered {
    /// What was answered, or why nothing was; `None` if the node gave it up.
    pub(super) sent: Option<Result<PushAnswer, SendError>>,
    /// The revision of the subscription by which it was sent.
    pub(super) revision: u64,
}

impl Delivery {
    /// Sends a message and settles it. What can't be settled comes again when its lease ends.
    pub(super) async fn deliver(mut self, mut message: PushMessage, room: Option<OwnedSemaphorePermit>) -> Delivered {
        let mut span = span::begin(&self.shared.tracer, &self.endpoint, &mut message);
        let under_way = self.shared.counters.begin();
        let sent = tokio::select! {
            sent = self.endpoint.send(&message) => Some(sent),
            _ = self.phase.wait_for(|phase| *phase == Phase::Abandon) => None,
        };
        drop(under_way);
        self.shared.counters.count(sent.as_ref());
        let delivered = Delivered { sent, revision: self.revision };
        span::answered(&mut span, delivered.sent.as_ref());
        drop(span);
        self.settle(&message, action(&delivered.answer())).await;
        drop(room);
        delivered
    }

    async fn settle(&self, message: &PushMessage, action: AckAction) {
        let settlement = message.settlement(action);
        for _ in 0..limits::PUSH_SETTLE_TRIES {
            match self.shared.port_of(message.cursor.partition).settle(settlement).await {
                Ok(outcome) => {
                    tracing::trace!(?outcome, "a pushed message is settled");
                    return;
                }
                Err(error) => tracing::debug!(%error, "a pushed message can't be settled yet"),
            }
            sleep(limits::PUSH_SETTLE_PAUSE).await;
        }
    }
}

impl Delivered {
    /// What the core makes of it.
    pub(super) fn answer(&self) -> PushAnswer {
        match &self.sent {
            Some(Ok(answer)) => *answer,
            Some(Err(_)) => PushAnswer::Failed,
            None => PushAnswer::Abandoned,
        }
    }
}

fn action(answer: &PushAnswer) -> AckAction {
    match answer.verdict() {
        PushVerdict::Ack => AckAction::Ack,
        PushVerdict::Nack { delay } => AckAction::Nack { delay },
        PushVerdict::Pause => AckAction::Nack { delay: None },
    }
}
