//! TLS to the server.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use shard::redis::{FailureKind, RedisConfig, RedisLink, RedisTls, TlsError, check_server};
use tempfile::TempDir;

use crate::{
    fixture::{append, config, on_executor, open_new, read_all},
    server::{RedisServer, free_port},
};

/// Writes an issuer's certificate, and a server's certificate and key.
fn certificates(directory: &TempDir, name: &str) {
    let mut issuer = CertificateParams::new(Vec::new()).unwrap();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let write = |file: &str, text: String| std::fs::write(directory.path().join(file), text).unwrap();
    write("ca.pem", issuer.pem());
    write("server.pem", server.pem());
    write("server.key", key.serialize_pem());
}

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[test]
fn messages_go_over_tls_to_a_server_that_proves_its_name() {
    let files = directory();
    certificates(&files, "redis.test");
    let path = |file: &str| files.path().join(file).to_str().unwrap().to_owned();
    let tls_port = free_port();
    let server = RedisServer::start_with(&[
        "--tls-port",
        &tls_port.to_string(),
        "--tls-cert-file",
        &path("server.pem"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    let with = |ca: &str, name: &str| {
        let tls = RedisTls::load(Some(std::path::Path::new(ca)), name).unwrap();
        RedisConfig { tls: Some(tls), ..config(tls_port) }
    };

    let good = with(&path("ca.pem"), "redis.test");
    on_executor(async move || {
        let mut partition = open_new(&RedisLink::start(good)).await;
        let mut sent = Vec::new();
        for _ in 0..50 {
            sent.push(append(&mut partition, 100).await.0);
        }
        assert_eq!(read_all(&partition.reader, 0).await, sent);
    });

    let others = directory();
    certificates(&others, "redis.test");
    let stranger = with(others.path().join("ca.pem").to_str().unwrap(), "redis.test");
    let misnamed = with(&path("ca.pem"), "other.test");
    for refused in [stranger, misnamed] {
        let failure = on_executor(async move || check_server(&refused).await).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unreachable);
        assert!(failure.to_string().contains("TLS"), "{failure}");
    }
    drop(server);
}

#[test]
fn a_file_without_certificates_is_named() {
    let files = directory();
    let path = files.path().join("empty.pem");
    std::fs::write(&path, "nothing").unwrap();
    for path in [path.as_path(), &files.path().join("missing.pem")] {
        let Err(TlsError::CaFile { path: named, .. }) = RedisTls::load(Some(path), "redis.test") else {
            panic!("{} was taken", path.display());
        };
        assert_eq!(named, path.display().to_string());
    }
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_in_time() {
    let files = directory();
    certificates(&files, "redis.test");
    let tls = RedisTls::load(Some(&files.path().join("ca.pem")), "redis.test").unwrap();
    let server = RedisServer::start();
    let plain = RedisConfig { tls: Some(tls), ..crate::fixture::impatient(server.port()) };
    let failure = on_executor(async move || check_server(&plain).await).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Unreachable);
}
