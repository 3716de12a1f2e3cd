//! `/v1/principals`: who may do what, and how much of it.

use gateway_api::{Code, access::PrincipalSettings, decode::decode};
use raft::metadata::{Command, Outcome, Principal};

use super::{access_json, created_at, json, outcomes, page::PageRequest, preconditions};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) fn list(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = PageRequest::of(call.request)?;
    let state = context.metadata.state();
    let principals = state.access().principals_after(&request.after).map(|principal| access_json::principal(principal));
    json(200, &request.cut(principals, |principal| &principal.name))
}

pub(super) fn get(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    answer(state.access().principal(call.route.name).ok_or_else(not_found)?, 200)
}

pub(super) async fn put(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let name = access_json::principal_name(call.route.name)?;
    let settings: PrincipalSettings = decode(call.request.body()).map_err(error::of_decode)?;
    let config = access_json::config(&settings.grants, &settings.limits)?;
    let expected_revision = expected_revision(context, call)?;
    let command = Command::PutPrincipal { name, config, expected_revision, at: created_at() };
    let subject = format!("{} {}", call.route.name, serde_json::to_string(&settings).unwrap_or_default());
    let outcome = outcomes::propose(context, command).await?;
    if let Outcome::PrincipalCreated(principal) = outcome {
        return Ok(answer(&principal, 201)?.concerning(subject));
    }
    if let Outcome::PrincipalUnchanged(principal) | Outcome::PrincipalUpdated(principal) = outcome {
        return Ok(answer(&principal, 200)?.concerning(subject));
    }
    Err(outcomes::unexpected(&outcome))
}

pub(super) async fn delete(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let name = access_json::principal_name(call.route.name)?;
    let expected_revision = expected_revision(context, call)?;
    outcomes::propose(context, Command::DeletePrincipal { name, expected_revision }).await?;
    Ok(Response::empty(204))
}

/// What a change must find; with `If-Match` there must be something to match.
fn expected_revision(context: &Context, call: Call<'_>) -> Result<Option<u64>, Failure> {
    let state = context.metadata.state();
    match state.access().principal(call.route.name) {
        Some(principal) => preconditions::expected_revision(call.request, principal.revision),
        None if call.request.header("if-match").is_some() => Err(not_found()),
        None => Ok(None),
    }
}

fn answer(principal: &Principal, status: u16) -> Result<Response, Failure> {
    let body = access_json::principal(principal);
    Ok(json(status, &body)?.with_header("etag", preconditions::etag(principal.revision)))
}

fn not_found() -> Failure {
    error::of_code(Code::PrincipalNotFound, "there is no principal of this name")
}
