//! `GET /v1/whoami`: who the caller is to the node, and what that allows.

use gateway_api::access::{Action, Grant, Limits, Whoami};

use super::{access_json, json};
use crate::{auth::Caller, call::Call, error::Failure, http::response::Response};

pub(super) fn handle(call: Call<'_>) -> Result<Response, Failure> {
    let body = match call.caller {
        Caller::Known(identity) => Whoami {
            principal: Some(identity.name.as_str().to_owned()),
            grants: access_json::grants(identity.grants()),
            limits: identity
                .principal
                .as_ref()
                .map_or_else(Limits::default, |principal| access_json::limits(principal.config.limits)),
            expires_at: identity.expires_at.map(access_json::time),
        },
        Caller::Anyone | Caller::Nobody => {
            let everything = Grant { topic_prefix: None, subscription_prefix: None, actions: vec![Action::Admin] };
            Whoami { principal: None, grants: vec![everything], limits: Limits::default(), expires_at: None }
        }
    };
    json(200, &body)
}
