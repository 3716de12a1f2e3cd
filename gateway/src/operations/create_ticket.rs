//! `POST /v1/tickets`: what opens a connection in the caller's name where a browser can't send a key.

use gateway_api::{
    Code,
    access::{SecretText, Ticket},
};

use super::{access_json, json};
use crate::{
    auth::{self, ticket::TicketSeal},
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    if !call.request.body().is_empty() {
        return Err(error::of_code(Code::InvalidArgument, "this request has no body"));
    }
    let nobody = || error::of_code(Code::InvalidArgument, "no keys are asked for here, so no tickets are needed");
    let identity = call.caller.identity().ok_or_else(nobody)?;
    let ticket = auth::authenticator::ticket_for(identity, auth::now());
    let text = TicketSeal::new(context.metadata.state().ack_key()).seal(&ticket);
    let body = Ticket { ticket: SecretText::new(text), expires_at: access_json::time(ticket.expires_at) };
    Ok(json(201, &body)?.with_header("cache-control", "no-store"))
}
