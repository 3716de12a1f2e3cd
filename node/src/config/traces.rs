//! Whether traces are recorded, how many of them, and who gets them.

use std::path::PathBuf;

use shard_core::trace::Ratio;

use crate::traces;

/// The section `tracing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracingSection {
    /// Whether any are recorded.
    pub enabled: bool,
    /// The collector's address.
    pub otlp_endpoint: String,
    /// How it is spoken to.
    pub otlp_protocol: OtlpProtocol,
    /// A PEM file with certificates of issuers that its certificate may have; empty for none.
    pub ca_file: PathBuf,
    /// How many of the traces are recorded that begin at this node.
    pub sample_ratio: Ratio,
    /// What the node is called in traces.
    pub service_name: String,
    /// How many spans of a core may wait to be exported.
    pub queue_spans_max: usize,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OtlpProtocol {
    /// OTLP over gRPC.
    #[default]
    Grpc,
    /// OTLP over HTTP, in protobuf.
    Http,
}

impl TracingSection {
    /// Says which rule it breaks, if any.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.enabled {
            return Ok(());
        }
        let target = traces::target(&self.otlp_endpoint);
        let target = target.map_err(|error| format!("tracing.otlp_endpoint is `{}`: {error}", self.otlp_endpoint))?;
        if self.otlp_protocol == OtlpProtocol::Grpc && target.path != "/" {
            let path = target.path;
            return Err(format!(
                "tracing.otlp_endpoint: gRPC has no path, found `{path}`; with one goes tracing.otlp_protocol: http"
            ));
        }
        if self.service_name.is_empty() {
            return Err("tracing.service_name: expected a name, found nothing".to_owned());
        }
        Ok(())
    }
}

impl Default for TracingSection {
    fn default() -> Self {
        Self {
            enabled: false,
            otlp_endpoint: "http://127.0.0.1:4317".to_owned(),
            otlp_protocol: OtlpProtocol::Grpc,
            ca_file: PathBuf::new(),
            sample_ratio: Ratio::millionths(10_000),
            service_name: "pubsubring".to_owned(),
            queue_spans_max: 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(endpoint: &str, otlp_protocol: OtlpProtocol) -> Result<(), String> {
        let otlp_endpoint = endpoint.to_owned();
        TracingSection { enabled: true, otlp_endpoint, otlp_protocol, ..TracingSection::default() }.check()
    }

    #[test]
    fn an_endpoint_is_a_url() {
        for endpoint in ["http://collector:4317", "https://[::1]:4317", "http://127.0.0.1"] {
            assert_eq!(check(endpoint, OtlpProtocol::Grpc), Ok(()), "{endpoint}");
        }
        for endpoint in ["collector:4317", "", "http://", "ftp://collector", "http://user:word@collector"] {
            let error = check(endpoint, OtlpProtocol::Grpc).unwrap_err();
            assert!(error.starts_with("tracing.otlp_endpoint"), "{error}");
        }
    }

    #[test]
    fn only_http_has_a_path() {
        assert_eq!(check("http://collector:4318/tenant/v1/traces", OtlpProtocol::Http), Ok(()));
        assert!(
            check("http://collector:4317/v1/traces", OtlpProtocol::Grpc).unwrap_err().contains("otlp_protocol: http")
        );
    }

    #[test]
    fn what_is_off_need_not_be_right() {
        let section = TracingSection { otlp_endpoint: String::new(), ..TracingSection::default() };
        assert_eq!(section.check(), Ok(()));
    }
}
