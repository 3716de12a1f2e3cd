//! Nodes that speak TLS with each other, and those that are not let in and say why.

mod outsider;

use std::{fs, path::Path, process::Command};

use node::exit_code::ExitCode;
use outsider::Outsider;
use rustix::process::Signal;

use crate::{
    failover::{PARTITIONS, owner, partition_of, published, texts_of, with_topic},
    harness::{data_directory, eventually, node_command},
    nodes::TestNodes,
    programs,
    startup::assert_refused,
    tls::authority::Authority,
};

/// The files of a node's certificate, from where it runs.
const TLS: [(&str, &str); 3] =
    [("cluster.tls.cert_file", "tls.crt"), ("cluster.tls.key_file", "tls.key"), ("cluster.tls.ca_file", "ca.crt")];
/// So long that only a signal has a node look in time.
const NEVER: (&str, &str) = ("tls.reload_interval_ms", "86400000");

/// So many nodes with certificates of this issuer, each with one of its own.
fn secured(count: u64, authority: Authority, settings: &[(&str, &str)]) -> TestNodes {
    let write = move |directory: &Path| drop(authority.write_server(directory));
    TestNodes::start_prepared(count, &[&TLS, settings].concat(), Box::new(write))
}

fn metric(nodes: &TestNodes, number: u64, name: &str) -> f64 {
    nodes.node(number).metric(name).iter().map(|(_, value)| value).sum()
}

/// Whether a node's log has a line with this message and such a reason.
fn has_told(nodes: &TestNodes, number: u64, message: &str, reason: &str) -> bool {
    nodes.node(number).log().iter().any(|line| line.contains(message) && line.contains(reason))
}

#[test]
fn nodes_that_speak_tls_are_one_broker_and_outlive_one_of_them() {
    let mut nodes = with_topic(secured(3, Authority::new("nodes"), &[("cluster.secret", "inside of TLS")]));
    for through in 1..=3 {
        for partition in 0..PARTITIONS {
            published(&nodes, through, partition, &format!("{through}-{partition}"));
        }
    }
    for number in 1..=3 {
        assert!(metric(&nodes, number, "pubsub_link_tls_handshakes_total") > 0.0);
        assert!(metric(&nodes, number, "pubsub_link_tls_certificate_expiry_seconds") > 0.0);
    }
    let leader = nodes.leader().unwrap();
    let (dead, left) = (leader, leader % 3 + 1);
    let partition = partition_of(&nodes, dead, left);
    nodes.kill(dead);
    nodes.until("another node owns the partition", |nodes| {
        owner(nodes, left, partition).is_some_and(|owner| owner != dead)
    });
    published(&nodes, left, partition, "after");
    let all: Vec<_> = (1..=3).map(|through| format!("{through}-{partition}")).chain(["after".to_owned()]).collect();
    assert_eq!(texts_of(&nodes, left, partition), all);
    nodes.restart(dead);
    nodes.until("all are there again", TestNodes::is_whole);
    assert_eq!(texts_of(&nodes, dead, partition), all);
}

#[test]
fn a_node_with_a_certificate_of_another_issuer_does_not_get_in_and_says_why() {
    let nodes = secured(1, Authority::new("nodes"), &[]);
    let home = data_directory();
    Authority::new("others").write_server(home.path());
    let outsider = Outsider::start(home.path(), &nodes, &TLS);
    outsider.await_reason("the other node's certificate is of no issuer in cluster.tls.ca_file");
    nodes.until("the node has told who it refused", |nodes| {
        has_told(
            nodes,
            1,
            "a connection to the port for nodes was refused",
            "the other node refuses this node's certificate",
        )
    });
    assert!(metric(&nodes, 1, "pubsub_link_tls_handshake_failures_total") >= 1.0);
    assert_eq!(nodes.get(1, "/v1/cluster")["nodes"].as_array().unwrap().len(), 1);
}

/// It trusts the cluster, and the cluster does not trust it.
#[test]
fn who_trusts_the_issuer_and_has_no_certificate_of_it_is_refused() {
    let nodes = secured(1, Authority::new("nodes"), &[]);
    let home = data_directory();
    let others = Authority::new("others");
    others.write_server(home.path());
    let issuers = [fs::read(home.path().join("ca.crt")), fs::read(nodes.directory(1).join("ca.crt"))];
    fs::write(home.path().join("ca.crt"), issuers.map(Result::unwrap).concat()).unwrap();
    let outsider = Outsider::start(home.path(), &nodes, &TLS);
    outsider.await_reason("the other node refuses this node's certificate: it is of no issuer");
    nodes.until("the node has told who it refused", |nodes| {
        has_told(
            nodes,
            1,
            "a connection to the port for nodes was refused",
            "the other node's certificate is of no issuer",
        )
    });
}

#[test]
fn a_node_without_tls_does_not_get_in_and_says_why() {
    let nodes = secured(1, Authority::new("nodes"), &[]);
    let home = data_directory();
    let outsider = Outsider::start(home.path(), &nodes, &[]);
    outsider.await_reason("the other node refuses: one node speaks TLS and the other does not");
    let told = "one node speaks TLS and the other does not";
    assert!(eventually(|| has_told(&nodes, 1, "a connection to the port for nodes was refused", told)));
    assert!(metric(&nodes, 1, "pubsub_link_tls_handshake_failures_total") >= 1.0);
    assert_eq!(nodes.get(1, "/v1/cluster")["nodes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_node_with_tls_does_not_get_in_where_there_is_none_and_says_why() {
    let nodes = TestNodes::start(1);
    let home = data_directory();
    Authority::new("nodes").write_server(home.path());
    let outsider = Outsider::start(home.path(), &nodes, &TLS);
    outsider.await_reason("the other side speaks no TLS");
    let told = "one node speaks TLS and the other does not";
    assert!(eventually(|| has_told(&nodes, 1, "a connection to the port for nodes was refused", told)));
}

/// The issuer is replaced while the node runs: a node that knows the new one alone gets in.
#[test]
fn new_certificates_are_used_without_a_restart() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let issued = data_directory();
    new.write_server(issued.path());
    let mut nodes = secured(1, old, &[NEVER]);
    let replaced = |nodes: &TestNodes, count: f64| {
        nodes.node(1).signal(Signal::HUP);
        eventually(|| metric(nodes, 1, "pubsub_link_tls_reloads_total") >= count)
    };
    let at = |name: &str| nodes.directory(1).join(name);
    let from = |name: &str| fs::read(issued.path().join(name)).unwrap();
    // The certificate alone: it is none of the issuer, and stays out.
    fs::write(at("tls.crt"), from("tls.crt")).unwrap();
    assert!(replaced(&nodes, 1.0));
    assert!(has_told(&nodes, 1, "the certificate stays as it is", "cluster.tls"));
    fs::write(at("tls.key"), from("tls.key")).unwrap();
    fs::write(at("ca.crt"), from("ca.crt")).unwrap();
    assert!(replaced(&nodes, 2.0));
    nodes.prepare_with(Box::new(move |directory| drop(new.write_server(directory))));
    nodes.add(2);
    nodes.until("the new node has a vote", TestNodes::is_whole);
}

/// The commands of docs/cluster.md make certificates with which nodes speak.
#[test]
fn certificates_are_made_by_the_commands_of_the_page() {
    let Some(openssl) = programs::find("openssl") else { return programs::skip("openssl") };
    let page = include_str!("../../../docs/cluster.md");
    let section = page.split("## TLS between nodes").nth(1).unwrap();
    let commands = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let made = data_directory();
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &commands.replace("DNS:a.example", "IP:127.0.0.1")]).current_dir(made.path());
    shell.env("PATH", openssl.parent().unwrap());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = |name: &str| made.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, issuer) = (path("a.crt"), path("a.key"), path("ca.crt"));
    let settings =
        [("cluster.tls.cert_file", &*certificate), ("cluster.tls.key_file", &key), ("cluster.tls.ca_file", &issuer)];
    let nodes = TestNodes::start_with(2, &settings);
    assert!(metric(&nodes, 2, "pubsub_link_tls_handshakes_total") > 0.0);
}

#[test]
fn certificates_that_can_not_be_used_are_told_at_the_start() {
    let home = data_directory();
    Authority::new("nodes").write_server(home.path());
    let with = |settings: &[(&str, &str)]| {
        let mut command = node_command();
        command.current_dir(home.path());
        for setting in ["server.port=0", "metrics.port=0", "cluster.listen=127.0.0.1:0", "cluster.init=true"] {
            command.args(["--set", setting]);
        }
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    };
    let [certificate, key, issuer] = TLS;
    let refused = |settings: &[(&str, &str)], said: &[&str]| {
        assert_refused(with(settings), ExitCode::Configuration, said);
    };
    refused(&[certificate, key], &["cluster.tls.cert_file is set", "cluster.tls.ca_file is not"]);
    refused(&[certificate, key, (issuer.0, "none.crt")], &["cluster.tls.ca_file", "none.crt"]);
    refused(&[certificate, (key.0, "ca.crt"), issuer], &["cluster.tls", "there is no key"]);
    let others = data_directory();
    Authority::new("others").write_server(others.path());
    let other = others.path().join("ca.crt");
    refused(&[certificate, key, (issuer.0, other.to_str().unwrap())], &["no node that trusts these issuers"]);
}
