//! Leases messages for one push subscription, or waits until there may be some.

use std::{future::Future, pin::Pin, sync::Arc};

use futures_util::future::select_all;
use tokio::time::{sleep, timeout};

use super::{
    Shared,
    budget::Reservation,
    message::PushMessage,
    order::PushOrder,
    port::{Lease, PortError},
};
use crate::limits;

/// What a subscription is waiting for.
pub(super) type Leasing = Pin<Box<dyn Future<Output = Leased> + Send>>;

/// What leasing came to.
#[derive(Debug)]
pub(super) enum Leased {
    /// Messages to send, and room for them.
    Messages(Vec<PushMessage>, Reservation),
    /// There was nothing, but there may be now.
    Nothing,
    /// There is room for a message.
    Room(Reservation),
}

/// Waits until there is room for a message.
pub(super) fn room(shared: Arc<Shared>) -> Leasing {
    Box::pin(async move { Leased::Room(shared.budget.wait().await) })
}

/// Leases as many messages as there is room for; where there are none, waits until there may be some. Dropped, it gives
/// back what it has leased. `turn` says which core is asked first: another one each time, so that none is left behind.
pub(super) fn lease(shared: Arc<Shared>, order: Arc<PushOrder>, reservation: Reservation, turn: usize) -> Leasing {
    Box::pin(async move {
        match lease_now(&shared, &order, reservation.messages, turn).await {
            Ok(messages) if !messages.is_empty() => Leased::Messages(messages, reservation),
            Ok(_) => {
                drop(reservation);
                // From time to time it looks all the same.
                match timeout(limits::PUSH_LOOK_INTERVAL, await_deliverable(&shared, &order)).await {
                    Ok(Err(error)) => rest(&order, &error).await,
                    Ok(Ok(())) | Err(_) => Leased::Nothing,
                }
            }
            Err(error) => {
                drop(reservation);
                rest(&order, &error).await
            }
        }
    })
}

async fn rest(order: &PushOrder, error: &PortError) -> Leased {
    tracing::debug!(subscription = order.subscription.name.as_str(), %error, "nothing can be leased to push");
    sleep(limits::PUSH_LEASE_RETRY).await;
    Leased::Nothing
}

async fn lease_now(
    shared: &Shared,
    order: &PushOrder,
    messages_max: u32,
    turn: usize,
) -> Result<Vec<PushMessage>, PortError> {
    let cores: Vec<_> = order.cursors.iter().collect();
    let first = turn.checked_rem(cores.len()).unwrap_or_default();
    let mut failed = None;
    for (core, cursors) in cores.iter().cycle().skip(first).take(cores.len()) {
        let mut cursors = (*cursors).clone();
        let first = (turn / cores.len()).checked_rem(cursors.len()).unwrap_or_default();
        cursors.rotate_left(first);
        let lease = Lease { cursors, messages_max, duration: order.lease() };
        match shared.port(**core).lease(lease).await {
            // The next core is asked when there is room again: what is leased is sent at once.
            Ok(messages) if !messages.is_empty() => return Ok(messages),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or_else(|| Ok(Vec::new()), Err)
}

async fn await_deliverable(shared: &Shared, order: &PushOrder) -> Result<(), PortError> {
    let subscription = order.subscription.id;
    let waits = order.cursors.iter().map(|(core, cursors)| {
        let partitions = cursors.iter().map(|cursor| cursor.partition).collect();
        Box::pin(shared.port(*core).await_deliverable(subscription, partitions))
    });
    select_all(waits).await.0
}
