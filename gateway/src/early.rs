//! What the data port answers before the node belongs to its cluster.

use gateway_api::{
    Code, Problem,
    error::PROBLEM_CONTENT_TYPE,
    health::{Health, HealthStatus},
};

/// An answer without anything of the request in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyAnswer {
    /// The status.
    pub status: u16,
    /// Of the body.
    pub content_type: &'static str,
    /// JSON.
    pub body: Vec<u8>,
}

/// The node is alive and not ready; whatever else is asked can be asked again.
#[must_use]
pub fn answer(path: &str) -> EarlyAnswer {
    let json = |status, health: &Health| EarlyAnswer {
        status,
        content_type: "application/json",
        body: serde_json::to_vec(health).unwrap_or_default(),
    };
    match path {
        "/healthz" => json(200, &Health::ok()),
        "/readyz" => json(503, &Health { status: HealthStatus::NotReady, closed: Vec::new() }),
        _ => {
            let detail = "this node waits for a majority of its cluster; nothing was done";
            let problem = Problem::new(Code::MetadataUnavailable, detail);
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            EarlyAnswer { status: problem.status, content_type: PROBLEM_CONTENT_TYPE, body }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_waits_is_alive_and_not_ready() {
        let status = |path| answer(path).status;
        assert_eq!((status("/healthz"), status("/readyz"), status("/v1/topics")), (200, 503, 503));
        let problem: serde_json::Value = serde_json::from_slice(&answer("/v1/topics").body).unwrap();
        assert_eq!((&problem["outcome"], &problem["retryable"]), (&"not_applied".into(), &true.into()), "{problem}");
    }
}
