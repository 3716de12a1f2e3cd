//! What a client may do who shows a certificate and no key: what the principal that it names may.

use std::{fs, io};

use serde_json::{Value, json};

use super::{
    Authority, TlsClient,
    authority::Identity,
    client::{session, tcp},
    node_in,
};
use crate::{
    access::{
        bootstrap,
        confined::{self, assert_publishes_only, assert_socket_publishes_only},
    },
    harness::data_directory,
    websocket::RawWebSocket,
};

/// The principal that the certificate of `shop` names.
const SHOP: &str = "spiffe://example.org/shop";

fn json_of((status, body): (u16, Vec<u8>)) -> (u16, Value) {
    let value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {status} {body:?}"));
    (status, value)
}

#[test]
fn a_certificate_may_do_what_its_principal_may() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (home, files) = (data_directory(), data_directory());
    servers.write_server(files.path());
    let issuers = files.path().join("clients.crt");
    fs::write(&issuers, clients.pem()).unwrap();
    let (code, key) = bootstrap(home.path(), &[]);
    assert_eq!(code, 0, "{key}");
    let issuers = issuers.to_str().unwrap();
    let settings = [("auth", "required"), ("tls.client_auth", "optional"), ("tls.client_ca_file", issuers)];
    let node = node_in(home, files.path(), &settings);
    let connect = |identity: Option<&Identity>| -> io::Result<TlsClient> {
        TlsClient::continue_with(session(servers.client_config(identity)), tcp(node.address()))
    };
    let admin = format!("Authorization: Bearer {key}\r\n");
    confined::prepare(SHOP, |method, path, body| {
        let mut client = connect(None).unwrap();
        client.try_request_with((method, path), &admin, body.to_string().as_bytes()).unwrap().0
    });

    let shop = clients.client("shop", false);
    let mut client = connect(Some(&shop)).unwrap();
    assert_publishes_only(|method, path, body| json_of(client.request(method, path, body)));
    // A key comes before the certificate of its connection.
    let whoami = json_of(client.try_request_with(("GET", "/v1/whoami"), &admin, b"").unwrap());
    assert_eq!((whoami.0, &whoami.1["principal"]), (200, &json!("admin")));
    assert_eq!(json_of(client.request("GET", "/v1/whoami", b"")).1["principal"], SHOP);
    let stream = connect(Some(&shop)).unwrap().stream;
    assert_socket_publishes_only(&mut RawWebSocket::upgrade(stream, "localhost", None, ""));

    // Another's certificate, none, and one that has expired.
    let publish = format!("/v1/topics/{}/publish", confined::OURS);
    let mut other = connect(Some(&clients.client("other", false))).unwrap();
    assert_eq!(other.request("POST", &publish, b"x").0, 403);
    let nobody = json_of(connect(None).unwrap().request("POST", &publish, b"x"));
    assert_eq!((nobody.0, &nobody.1["code"]), (401, &json!("unauthenticated")));
    let expired = clients.client("shop", true);
    assert!(connect(Some(&expired)).and_then(|mut client| client.try_request("POST", &publish, b"x")).is_err());
}
