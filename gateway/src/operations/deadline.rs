//! Waits that end: by their own result, by time, by the client's going or by the node's stopping.

use std::{future::Future, time::Duration};

use futures_lite::{FutureExt, future};
use glommio::timer::Timer;

use crate::{call::Call, context::Context};

/// Why a wait ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The time is up.
    Elapsed,
    /// The client is gone: whatever comes now reaches nobody.
    Gone,
    /// The node is stopping.
    Stopping,
}

/// Waits for `wanted`, at most `limit`. It is dropped when the time is up.
pub(crate) async fn within<T>(limit: Duration, wanted: impl Future<Output = T>) -> Option<T> {
    let timer = async {
        Timer::new(limit).await;
        None
    };
    // The wanted future is polled first: what is ready needs no timer.
    async { Some(wanted.await) }.or(timer).await
}

/// Waits for `wanted` on behalf of a client; it is dropped when the wait ends without it.
pub(super) async fn while_wanted<T>(
    context: &Context,
    call: &Call<'_>,
    limit: Duration,
    wanted: impl Future<Output = T>,
) -> Result<T, Ended> {
    let gone = async {
        call.peer.gone().await;
        Err(Ended::Gone)
    };
    let stopping = async {
        context.shutdown.wait().await;
        Err(Ended::Stopping)
    };
    let wanted = async { within(limit, wanted).await.ok_or(Ended::Elapsed) };
    future::or(wanted, future::or(gone, stopping)).await
}
