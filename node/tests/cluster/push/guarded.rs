//! Where requests may not go, whom they trust, and answers that would do harm.

use std::{net::TcpListener, path::Path, sync::Arc};

use futures_rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    rustls::{ServerConfig, ServerConnection, StreamOwned, crypto},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::{Bench, Endpoint, LAX, Reply};
use crate::harness::data_directory;

/// The reason of the last error, once there is one.
fn refused(bench: &mut Bench) -> Value {
    let description = bench.await_description(|description| description["push"]["last_error"].is_object());
    assert_eq!(description["backlog"], json!(1), "{description}");
    description["push"]["last_error"]["reason"].clone()
}

/// F72: what is configured with a name is judged by the addresses that the name has when a connection is made.
#[test]
fn a_name_that_leads_to_this_machine_is_refused_when_a_connection_is_made() {
    let endpoint = Endpoint::start(|_| Reply::status(200));
    let mut bench = Bench::start(&[("push.allow_http", "true")], 1);
    let host = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    // The machine's own name leads to an address of its own, none of them public, or to none.
    let url = format!("http://{host}:{}/", endpoint.port());
    assert_eq!(bench.subscribe("hook", &url, &json!({})).status, 201);
    bench.publish(&json!([{ "text": "a" }]));
    let reason = refused(&mut bench);
    assert!(reason == json!("address_denied") || reason == json!("resolve"), "{reason}");
    assert_eq!(endpoint.received().len(), 0);
}

/// F72: the node's own ports are out of reach, also where this machine is allowed.
#[test]
fn the_nodes_own_ports_are_out_of_reach() {
    let mut bench = Bench::start(LAX, 1);
    let url = format!("http://localhost:{}/v1/topics/orders/publish", bench.node.address().rsplit_once(':').unwrap().1);
    assert_eq!(bench.subscribe("hook", &url, &json!({})).status, 201);
    bench.publish(&json!([{ "text": "a" }]));
    assert_eq!(refused(&mut bench), json!("address_denied"));
    let metrics = bench.node.metrics_address().to_owned();
    let denied = bench.requests("address_denied");
    bench.patch(&json!({ "url": format!("http://{metrics}/") }));
    bench.await_description(|description| description["push"]["consecutive_failures"].as_u64() > Some(0));
    assert!(super::endpoint::eventually(|| bench.requests("address_denied") > denied));
    assert_eq!(bench.describe()["backlog"], json!(1));
}

/// F72: a rule that has become stricter holds for what was configured before.
#[test]
fn a_subscription_from_laxer_times_sends_nothing() {
    let endpoint = Endpoint::start(|_| Reply::status(200));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({}));
    bench.node.set("push.allow_private_networks", "false");
    bench.restart();
    bench.publish(&json!([{ "text": "a" }]));
    assert_eq!(refused(&mut bench), json!("address_denied"));
    assert_eq!(endpoint.received().len(), 0);
}

#[test]
fn an_address_where_nobody_is_and_a_name_that_nobody_has_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new(&format!("http://{free}/"), &json!({}));
    bench.publish(&json!([{ "text": "a" }]));
    assert_eq!(refused(&mut bench), json!("connect"));
    bench.patch(&json!({ "url": "http://no-such-host.invalid/" }));
    bench.await_description(|description| description["push"]["last_error"]["reason"] == json!("resolve"));
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_failure() {
    let endpoint = Endpoint::start(|_| Reply::status(200).held());
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "timeout_ms": 100 } }));
    bench.publish(&json!([{ "text": "a" }]));
    assert_eq!(refused(&mut bench), json!("timeout"));
    endpoint.answer(|_| Reply::status(200));
    bench.await_no_backlog();
}

#[test]
fn the_body_of_an_answer_is_neither_waited_for_nor_shown() {
    // More than is read; the connection is given up and the message is acked all the same.
    let endpoint = Endpoint::start(|_| Reply::status(200).with_body(vec![b'x'; 64 << 10], 16));
    let mut bench = Bench::new(&endpoint.url("/"), &json!({ "push": { "max_in_flight": 1 } }));
    bench.publish(&json!([{ "text": "a" }, { "text": "b" }]));
    bench.await_no_backlog();
    assert_eq!((endpoint.received().len(), endpoint.connections()), (2, 2));
    endpoint.answer(|_| Reply::status(500));
    bench.publish(&json!([{ "text": "c" }]));
    let description = bench.await_description(|description| description["push"]["last_error"].is_object());
    assert!(!description.to_string().contains("many words"), "{description}");
}

/// An issuer's certificate in a file, and a server of `name` that it vouches for.
fn certificates(directory: &Path, name: &str) -> Arc<ServerConfig> {
    let mut issuer = CertificateParams::new(Vec::new()).unwrap();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(directory.join("ca.pem"), issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(server.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

#[test]
fn https_goes_to_who_can_prove_its_name_and_to_nobody_else() {
    let files = data_directory();
    let config = certificates(files.path(), "localhost");
    let endpoint = Endpoint::start_wrapped(
        |_| Reply::status(200),
        move |stream| Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream)),
    );
    let ca_file = files.path().join("ca.pem").to_str().unwrap().to_owned();
    let mut bench = Bench::start(&[("push.allow_private_networks", "true")], 1);
    let port = endpoint.port();
    assert_eq!(bench.subscribe("hook", &format!("https://localhost:{port}/"), &json!({})).status, 201);
    bench.publish(&json!([{ "text": "a" }]));
    assert_eq!(refused(&mut bench), json!("tls"), "nobody vouches for it");
    assert_eq!(endpoint.received().len(), 0);
    bench.node.set("push.ca_file", &ca_file);
    bench.restart();
    bench.await_no_backlog();
    assert_eq!(endpoint.received().len(), 1);
    // The certificate is that of a name, not of this address.
    bench.patch(&json!({ "url": format!("https://127.0.0.1:{port}/") }));
    bench.publish(&json!([{ "text": "b" }]));
    assert_eq!(refused(&mut bench), json!("tls"));
    assert_eq!(endpoint.received().len(), 1);
}
