//! `POST /v1/keys`: makes a key for a principal, and shows it this once.

use gateway_api::{
    Code,
    access::{CreatedKey, KeyRequest, SecretText},
    decode::decode,
};
use raft::metadata::{ApiKey, Command};
use shard_core::model::Timestamp;

use super::{access_json, created_at, json, outcomes};
use crate::{
    auth,
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request: KeyRequest = decode(call.request.body()).map_err(error::of_decode)?;
    let principal = access_json::principal_name(&request.principal)?;
    let config = match (&request.grants, request.limits) {
        (Some(grants), limits) => Some(access_json::config(grants, &limits.unwrap_or_default())?),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(error::invalid("limits", "they are those of a principal that is created: give its grants too"));
        }
    };
    let created_at = created_at();
    let expires_at = request.expires_at.map(|time| Timestamp::from_millis(time.unix_ms()));
    if expires_at.is_some_and(|end| end <= created_at) {
        return Err(error::invalid("expires_at", "that time has passed"));
    }
    let new = auth::draw_key().ok_or_else(|| error::of_code(Code::Internal, "the system gives no random bytes"))?;
    let key = ApiKey { id: new.id.clone(), principal, hash: new.hash, created_at, expires_at };
    let body = CreatedKey {
        key_id: new.id.as_str().to_owned(),
        key: SecretText::new(new.expose().to_owned()),
        principal: key.principal.as_str().to_owned(),
        created_at: access_json::time(created_at),
        expires_at: expires_at.map(access_json::time),
    };
    outcomes::propose(context, Command::CreateKey { key, principal: config }).await?;
    let subject = format!("{} of {}", body.key_id, body.principal);
    let location = format!("/v1/keys/{}", body.key_id);
    let answer = json(201, &body)?.with_header("cache-control", "no-store").with_header("location", location);
    Ok(answer.concerning(subject))
}
