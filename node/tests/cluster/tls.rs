//! Clients by TLS: handshakes that fail, certificates of clients, new certificates, and the usual tools.

pub(crate) mod authority;
pub(crate) mod client;
mod grants;
mod handshakes;
mod mutual;
mod rotation;
mod tools;

use std::path::Path;

use authority::Authority;
use client::TlsClient;

use crate::harness::{TestNode, data_directory};

/// A node that speaks TLS, the issuer of its certificate, and where the files are.
struct Bench {
    node: TestNode,
    authority: Authority,
    files: tempfile::TempDir,
}

impl Bench {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (authority, files) = (Authority::new("servers"), data_directory());
        authority.write_server(files.path());
        let node = node(files.path(), settings);
        Self { node, authority, files }
    }

    /// A connection whose client trusts the node's issuer.
    fn connect(&self) -> TlsClient {
        TlsClient::connect(self.node.address(), self.authority.client_config(None)).unwrap()
    }

    /// Whether the node still serves, with no task of a connection that has panicked.
    fn assert_sound(&self) {
        let mut client = self.connect();
        assert_eq!(client.request("GET", "/healthz", b"").0, 200);
        assert_eq!(self.node.metric("pubsub_connection_panics_total"), [(String::new(), 0.0)]);
    }

    /// How often handshakes failed in this way.
    fn failures(&self, kind: &str) -> f64 {
        let failures = self.node.metric("pubsub_tls_handshake_failures_total");
        failures.into_iter().find(|(labels, _)| labels.contains(&format!("\"{kind}\""))).unwrap().1
    }

    /// Waits until handshakes have failed in this way so often.
    fn await_failures(&self, kind: &str, count: f64) {
        let counted = crate::harness::eventually(|| self.failures(kind) >= count);
        assert!(counted, "{kind}: {:?}", self.node.metric("pubsub_tls_handshake_failures_total"));
    }
}

/// A node with the certificate in a directory.
pub(crate) fn node(files: &Path, settings: &[(&str, &str)]) -> TestNode {
    node_in(data_directory(), files, settings)
}

/// The same where its data is already.
fn node_in(home: tempfile::TempDir, files: &Path, settings: &[(&str, &str)]) -> TestNode {
    let path = |name: &str| files.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let own = [("tls.cert_file", certificate.as_str()), ("tls.key_file", &key)];
    TestNode::start_in(home, &[&own, settings].concat())
}
