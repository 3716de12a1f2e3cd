//! The node's binary asks the node how it is, as the health check of a container does.

use std::{
    fs,
    process::{Output, Stdio},
};

use crate::{
    harness::{TestNode, node_command},
    tls::{self, authority::Authority},
};

/// Exit code and what was said of it.
pub(crate) fn check(question: &str, address: &str, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = node_command();
    command.arg(question).args(["--set", &format!("server.port={}", address.rsplit_once(':').unwrap().1)]);
    for (key, value) in settings {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_node_that_serves_is_alive_and_ready_and_one_that_is_gone_is_not() {
    let mut node = TestNode::start();
    let address = node.address().to_owned();
    for question in ["--health-check", "--health-check=alive", "--health-check=ready"] {
        assert_eq!(check(question, &address, &[]), (Some(0), "{\"status\":\"ok\"}\n".to_owned()), "{question}");
    }
    // Keys are not asked for, and it listens on all addresses as far as the check knows.
    let everywhere = [("server.host", "0.0.0.0"), ("auth", "required"), ("server.insecure", "true")];
    assert_eq!(check("--health-check", &address, &everywhere).0, Some(0));
    assert!(node.terminate().success());
    let (code, said) = check("--health-check", &address, &[]);
    assert!(code == Some(1) && said.contains("can't be connected to"), "{code:?} {said}");
}

#[test]
fn by_tls_too_whoever_has_issued_the_certificate() {
    let authority = Authority::new("servers");
    let files = crate::harness::data_directory();
    authority.write_server(files.path());
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, issuers) = (path("tls.crt"), path("tls.key"), path("ca.crt"));
    let node = tls::node(files.path(), &[]);
    let own = [("tls.cert_file", certificate.as_str()), ("tls.key_file", &key)];
    for question in ["--health-check", "--health-check=ready"] {
        assert_eq!(check(question, node.address(), &own).0, Some(0), "{question}");
    }
    let (code, said) = check("--health-check", node.address(), &[]);
    assert!(code == Some(1) && said.contains("400"), "by the settings there is no TLS: {said}");

    // It has no certificate of its own to show, and being asked for one is a sign of life.
    let strict = [("tls.client_auth", "required"), ("tls.client_ca_file", &issuers)];
    let node = tls::node(files.path(), &strict);
    let own = [&own[..], &strict].concat();
    let alive = check("--health-check", node.address(), &own);
    assert_eq!(alive.0, Some(0), "{}", alive.1);
    let (code, said) = check("--health-check=ready", node.address(), &own);
    assert!(code == Some(1) && said.contains("wants a certificate"), "{code:?} {said}");
    fs::remove_file(&certificate).unwrap();
    assert_eq!(check("--health-check", node.address(), &own).0, Some(0), "no file is needed to ask");
}

#[test]
fn what_can_not_be_asked_is_refused() {
    let (code, said) = check("--health-check", "127.0.0.1:0", &[]);
    assert!(code == Some(1) && said.contains("server.port 0"), "{code:?} {said}");
    assert_eq!(check("--health-check=well", "127.0.0.1:1", &[]).0, Some(2));
}
