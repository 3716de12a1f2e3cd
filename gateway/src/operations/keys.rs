//! `/v1/keys`: keys as they are kept, without their secrets.

use gateway_api::Code;
use raft::metadata::{Command, KeyId};

use super::{access_json, json, outcomes, page::PageRequest};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) fn list(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = PageRequest::of(call.request)?;
    let state = context.metadata.state();
    let keys = state.access().keys_after(&request.after).map(|key| access_json::key(key));
    json(200, &request.cut(keys, |key| &key.key_id))
}

pub(super) fn get(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let state = context.metadata.state();
    let key = state.access().key(call.route.name).ok_or_else(not_found)?;
    json(200, &access_json::key(key))
}

pub(super) async fn delete(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let id = KeyId::new(call.route.name).map_err(|_| not_found())?;
    outcomes::propose(context, Command::DeleteKey { id }).await?;
    Ok(Response::empty(204))
}

fn not_found() -> Failure {
    error::of_code(Code::KeyNotFound, "there is no key of this id")
}
