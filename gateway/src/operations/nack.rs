//! `POST /v1/subscriptions/{subscription}/nack`: messages that are to be delivered again.

use gateway_api::{consume::NackRequest, decode::decode};
use shard::AckAction;

use super::{
    acknowledge::{acknowledge, bounded_ms},
    find_subscription, json,
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request: NackRequest<'_> = decode(call.request.body()).map_err(error::of_decode)?;
    let action = action(request.delay_ms, request.dead_letter)?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let report = acknowledge(context, &state, subscription, action, &request.ack_ids).await?;
    json(200, &report.into_response(&request.ack_ids))
}

/// What a nack asks of the partitions.
pub(crate) fn action(delay_ms: Option<u64>, dead_letter: Option<bool>) -> Result<AckAction, Failure> {
    if dead_letter == Some(true) {
        return match delay_ms {
            None => Ok(AckAction::Reject),
            Some(_) => Err(error::invalid("delay_ms", "a dead letter is not delivered again, so it has no delay")),
        };
    }
    let delay = delay_ms.map(|millis| bounded_ms("delay_ms", millis, 0)).transpose()?;
    Ok(AckAction::Nack { delay })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_delay_is_not_a_delay_of_zero() {
        assert_eq!(action(None, None), Ok(AckAction::Nack { delay: None }));
        assert_eq!(action(Some(0), Some(false)), Ok(AckAction::Nack { delay: Some(Duration::ZERO) }));
        assert_eq!(action(None, Some(true)), Ok(AckAction::Reject));
        assert_eq!(action(Some(0), Some(true)).unwrap_err().errors[0].field, "delay_ms");
        assert_eq!(action(Some(u64::MAX), None).unwrap_err().errors[0].field, "delay_ms");
    }
}
