//! Undoes the content coding of a body. Only whoever was let in and is within its rate has the node do so: it may cost far
//! more than what was sent.

use gateway_api::Code;

use super::publish_lines;
use crate::{
    byte_budget::Reservation,
    call::Call,
    context::Context,
    error::{self, Failure},
    http::{
        gzip::{GzipDecoder, GzipError},
        request::Request,
        router::Route,
    },
    limits::BODY_BYTES_FREE,
    quota,
};

/// A request whose body is as it was before its content coding.
pub(super) struct Undone {
    pub(super) request: Request,
    #[expect(dead_code, reason = "it is there to be dropped with the body")]
    reserved: Reservation,
}

/// The request without its content coding.
///
/// # Errors
/// Its operation takes none or not this one: such a body would be taken for what it is not. Or the coding can't be undone.
pub(super) async fn undone(context: &Context, call: &Call<'_>) -> Result<Undone, Failure> {
    let takes_gzip = matches!(call.route.route, Route::PublishBatch | Route::PublishOne);
    if !takes_gzip || !call.request.is_gzipped() || publish_lines::takes_body(call.request) {
        let detail = "bodies are taken without content coding; those to publish also with gzip, once";
        return Err(error::of_code(Code::UnsupportedMediaType, detail));
    }
    let (mut reserved, mut bytes) = (call.bodies.reservation(), call.request.head().to_vec());
    let unfolded = unfold(context, call, (&mut bytes, &mut reserved)).await;
    // What it has become counts, not what was sent; also where it has become too much.
    quota::charge(context, call.caller, bytes.len().saturating_sub(call.request.size()));
    unfolded.map_err(|error| error::of_coding(&error))?;
    Ok(Undone { request: call.request.uncoded(bytes), reserved })
}

async fn unfold(
    context: &Context,
    call: &Call<'_>,
    (bytes, reserved): (&mut Vec<u8>, &mut Reservation),
) -> Result<(), GzipError> {
    let coded = call.request.size();
    let mut decoder = GzipDecoder::new(call.request.body(), context.config.body_bytes_max);
    while decoder.decode_part(bytes)? {
        // Both are in memory until the answer is there; the connection has reserved what was sent.
        let more = (coded + bytes.len()).saturating_sub(coded.max(BODY_BYTES_FREE));
        reserved.resize(more).map_err(|_| GzipError::TooManyBodies)?;
        glommio::executor().yield_if_needed().await;
    }
    Ok(())
}
