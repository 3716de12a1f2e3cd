//! The exporter that the settings ask for.

use std::path::Path;

use futures_rustls::TlsConnector;
use gateway::push::{PushPolicy, PushTarget, TargetError};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
    WithTonicConfig as _,
};
use opentelemetry_sdk::{Resource, trace::SpanExporter as _};
use tonic::transport::Endpoint;

use super::{connect::CollectorConnector, http_client::CollectorClient};
use crate::{
    config::{OtlpProtocol, TracingSection},
    limits,
    push::{HTTP1, TrustError, connector},
};

/// Where spans go by OTLP over HTTP, if the endpoint names no path.
const TRACES_PATH: &str = "/v1/traces";
/// A collector is chosen by whoever runs the node.
const ANYWHERE: PushPolicy = PushPolicy { allow_http: true, allow_private_networks: true };

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ExporterError {
    #[error("tracing.otlp_endpoint: {0}")]
    Endpoint(#[from] TargetError),
    #[error("{0}")]
    Trust(#[from] TrustError),
    #[error("spans can't be exported: {0}")]
    Grpc(#[from] tonic::transport::Error),
    #[error("spans can't be exported: {0}")]
    Build(#[from] ExporterBuildError),
}

/// Where spans go, as far as can be told from the text.
///
/// # Errors
/// It is no address that spans can be sent to.
pub(crate) fn target(endpoint: &str) -> Result<PushTarget, TargetError> {
    PushTarget::parse(endpoint, ANYWHERE)
}

/// Makes the exporter, which connects when it has something to send. Reads files.
pub(super) fn exporter(section: &TracingSection, node: u64) -> Result<SpanExporter, ExporterError> {
    let target = target(&section.otlp_endpoint)?;
    let scheme = if target.tls { "https" } else { "http" };
    let base = format!("{scheme}://{}", target.authority);
    let mut exporter = match section.otlp_protocol {
        OtlpProtocol::Grpc => {
            let connector = CollectorConnector::new(target, trust(section, b"h2")?);
            // What the connector is asked for does not matter; the requests name it.
            let channel = Endpoint::from_shared(base.clone())?.connect_with_connector_lazy(connector);
            let builder = SpanExporter::builder().with_tonic().with_channel(channel).with_endpoint(base);
            builder.with_timeout(limits::TRACE_EXPORT_TIMEOUT).with_retry_policy(RetryPolicy::disabled()).build()?
        }
        OtlpProtocol::Http => {
            let path = if target.path == "/" { TRACES_PATH } else { &target.path };
            let endpoint = format!("{base}{path}");
            let client = CollectorClient::new(CollectorConnector::new(target, trust(section, HTTP1)?));
            let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
            let builder = builder.with_http_client(client).with_endpoint(endpoint);
            builder.with_timeout(limits::TRACE_EXPORT_TIMEOUT).with_retry_policy(RetryPolicy::disabled()).build()?
        }
    };
    exporter.set_resource(&resource(section, node));
    Ok(exporter)
}

/// Who says all this.
fn resource(section: &TracingSection, node: u64) -> Resource {
    let attributes = [
        KeyValue::new("service.name", section.service_name.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", node.to_string()),
    ];
    Resource::builder_empty().with_attributes(attributes).build()
}

fn trust(section: &TracingSection, protocol: &[u8]) -> Result<TlsConnector, TrustError> {
    let ca_file = Some(section.ca_file.as_path()).filter(|path| *path != Path::new(""));
    connector("tracing.ca_file", ca_file, protocol)
}
