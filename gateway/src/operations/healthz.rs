//! `GET /healthz`: the process runs and this core answers.

use gateway_api::health::Health;

use crate::http::response::Response;

pub(super) fn handle() -> Response {
    Response::json(200, serde_json::to_vec(&Health::ok()).unwrap_or_default())
}
