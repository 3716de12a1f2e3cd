//! A new certificate while the node runs.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use rustix::process::Signal;

use super::{Authority, Bench, TlsClient};
use crate::harness::{data_directory, eventually};

/// So long that only a signal has the node look in time.
const NEVER: (&str, &str) = ("tls.reload_interval_ms", "86400000");

/// How a certificate was replaced, so often.
fn reloads(bench: &Bench, outcome: &str) -> f64 {
    let reloads = bench.node.metric("pubsub_tls_reloads_total");
    reloads.into_iter().find(|(labels, _)| labels.contains(outcome)).unwrap().1
}

/// Points a link at another directory, in one step, as Kubernetes does with a Secret.
fn point(link: &Path, directory: &Path) {
    let fresh = link.with_extension("new");
    std::os::unix::fs::symlink(directory, &fresh).unwrap();
    fs::rename(&fresh, link).unwrap();
}

/// F73: while the certificate is replaced again and again, no request fails, and each new connection has the newest.
#[test]
fn rotation_under_load_fails_no_request() {
    let (authority, files) = (Authority::new("servers"), data_directory());
    let version = |number: usize| {
        let directory = files.path().join(format!("version-{number}"));
        fs::create_dir(&directory).unwrap();
        let certificate = authority.write_server(&directory);
        point(&files.path().join("current"), &directory);
        certificate
    };
    version(0);
    let node = super::node(&files.path().join("current"), &[NEVER]);
    let bench = Bench { node, authority: Authority::new("unused"), files: data_directory() };
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let config = authority.client_config(None);
    let connect = || TlsClient::connect(bench.node.address(), Arc::clone(&config)).unwrap();
    thread::scope(|threads| {
        let load = |keeps: bool| {
            let mut client = connect();
            while !stop.load(Relaxed) {
                if !keeps {
                    client = connect();
                }
                assert_eq!(client.request("GET", "/healthz", b"").0, 200);
                answered.fetch_add(1, Relaxed);
            }
        };
        let loads = [true, false, false].map(|keeps| threads.spawn(move || load(keeps)));
        for number in 1..=20 {
            let certificate = version(number);
            bench.node.signal(Signal::HUP);
            let seen = eventually(|| connect().node_certificate() == certificate);
            assert!(seen, "certificate {number} is not shown");
        }
        stop.store(true, Relaxed);
        for load in loads {
            load.join().unwrap();
        }
    });
    assert!(answered.load(Relaxed) > 20);
    assert!(reloads(&bench, "replaced") >= 20.0);
    assert_eq!(bench.node.metric("pubsub_connection_panics_total"), [(String::new(), 0.0)]);
}

/// F73: a new certificate that is of no use leaves the old one where it is, with a warning and a metric.
#[test]
fn a_bad_new_certificate_keeps_the_old_one() {
    let bench = Bench::start(&[NEVER]);
    let old = bench.connect().node_certificate().to_vec();
    let certificate = bench.files.path().join("tls.crt");
    let expired = bench.authority.expired_server();
    let good_key = fs::read(bench.files.path().join("tls.key")).unwrap();
    let whole = fs::read_to_string(&certificate).unwrap();
    let half = whole[..whole.len() / 2].to_owned();
    let bad = ["no certificate".to_owned(), half, bench.authority.server().certificate, expired.certificate];
    for (count, text) in (1_u8..).zip(bad) {
        fs::write(&certificate, text).unwrap();
        if count == 4 {
            fs::write(bench.files.path().join("tls.key"), &expired.key).unwrap();
        }
        bench.node.signal(Signal::HUP);
        assert!(eventually(|| reloads(&bench, "failed") >= f64::from(count)), "{count}");
        assert_eq!(bench.connect().node_certificate(), old);
    }
    fs::remove_file(&certificate).unwrap();
    bench.node.signal(Signal::HUP);
    assert!(eventually(|| reloads(&bench, "failed") >= 5.0));
    assert!(bench.node.log().iter().any(|line| line.contains("the certificate stays as it is")));
    fs::write(bench.files.path().join("tls.key"), good_key).unwrap();
    let new = bench.authority.write_server(bench.files.path());
    bench.node.signal(Signal::HUP);
    assert!(eventually(|| bench.connect().node_certificate() == new));
}

/// Without a signal too, a new certificate is found.
#[test]
fn a_new_certificate_is_found_by_itself() {
    let bench = Bench::start(&[("tls.reload_interval_ms", "100")]);
    let mut standing = bench.connect();
    let new = bench.authority.write_server(bench.files.path());
    assert!(eventually(|| bench.connect().node_certificate() == new));
    assert_eq!(standing.request("GET", "/healthz", b"").0, 200, "what stands is not touched");
    let left = bench.node.metric("pubsub_tls_certificate_expiry_seconds")[0].1;
    assert!(left > 0.0, "{left}");
}
