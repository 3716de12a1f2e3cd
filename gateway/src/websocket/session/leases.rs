//! Leases messages of a subscription and makes the frame that delivers them.

use std::{sync::Arc, time::SystemTime};

use gateway_api::frame::batch::{LeasedOffset, MessageBatches};
use raft::metadata::Subscription;
use shard::{PartitionSubscription, Pulled};

use super::{
    frames,
    outgoing::{Delivery, Outgoing},
};
use crate::{
    ack_id::AckId,
    context::Context,
    error::Failure,
    operations::{PullBounds, PullPage, pull_batches},
    traces::Delivered,
    websocket::handshake::Subprotocol,
};

/// Leases what some partition has; `None` if none has anything.
pub(super) async fn lease(
    context: &Context,
    subscription: Arc<Subscription>,
    (cursors, bounds): (Vec<PartitionSubscription>, PullBounds),
    subprotocol: Subprotocol,
) -> Result<Option<Delivery>, Failure> {
    let name = subscription.name.as_str();
    let _turn = context.core.read_turns().take(bounds.bytes).await;
    match subprotocol {
        Subprotocol::Json => {
            let mut page = PullPage::new(frames::open_messages("subscription", name), bounds);
            let since = SystemTime::now();
            page.fill(context, subscription.topic_name.as_str(), &cursors).await?;
            let PullPage { json: mut frame, count, traced, .. } = page;
            Delivered { subscription: &subscription, count, traced: &traced, since, request: None }.record(context);
            frame.extend_from_slice(frames::close_messages(None).as_bytes());
            Ok((count > 0).then_some(Delivery { frame: Outgoing::Json(frame), count }))
        }
        Subprotocol::Batch => {
            let pulled = pull_batches(context, &cursors, bounds).await?;
            Ok(pulled.map(|(cursor, pulled)| delivery(name, cursor, pulled)))
        }
    }
}

fn delivery(name: &str, cursor: PartitionSubscription, pulled: Pulled) -> Delivery {
    let Pulled { batches, leased } = pulled;
    let count = u32::try_from(leased.len()).unwrap_or(u32::MAX);
    let leased = leased.into_iter().map(|message| {
        let ack_id = AckId { cursor, offset: message.offset, lease: message.lease }.encode();
        let ack_id = ack_id.map(char::from).iter().collect();
        LeasedOffset { offset: message.offset.get(), ack_id, delivery_attempt: message.delivery_attempt }
    });
    let header = frames::message_batches(&MessageBatches {
        subscription: Some(name.to_owned()),
        partition: cursor.partition.partition.get(),
        leased: Some(leased.collect()),
        ..MessageBatches::default()
    });
    Delivery { frame: Outgoing::Batches { header, batches }, count }
}
