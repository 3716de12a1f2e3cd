//! The WebSocket codec behind a real socket: what a client sends comes back; and the test suite of the Autobahn project,
//! which sends everything that RFC 6455 has an opinion on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use gateway::{
    config::GatewayConfig,
    websocket::{
        Upgraded,
        codec::{Codec, Incoming},
    },
};

use crate::fixture::Front;

/// Cases that don't apply: compression, which is not negotiated (there are none that tungstenite could speak).
const NOT_OURS: &str = r#"["12.*", "13.*"]"#;

/// Echoes messages until one side has closed.
pub(crate) async fn serve(connection: Upgraded, message_bytes_max: usize) {
    let Upgraded { mut socket, leftover, .. } = connection;
    let mut codec = Codec::new(message_bytes_max);
    codec.inbound_mut().extend_from_slice(&leftover);
    loop {
        let is_over = loop {
            match codec.next_incoming() {
                Ok(Some(Incoming::Text(text))) => codec.send_text(&[&text]),
                Ok(Some(Incoming::Binary(bytes))) => codec.send_binary(&[&bytes]),
                Ok(Some(Incoming::Alive)) => {}
                Ok(None) => break false,
                Ok(Some(Incoming::Closed { .. })) | Err(_) => break true,
            }
        };
        let outbound = std::mem::take(codec.outbound_mut());
        if socket.write_all(&outbound).await.is_err() || is_over {
            return;
        }
        if !socket.read(codec.inbound_mut()).await.is_ok_and(|count| count > 0) {
            return;
        }
    }
}

/// F64.
#[test]
fn autobahn_finds_no_failure() {
    let Some(wstest) = wstest() else {
        eprintln!("SKIPPED: no wstest: it is in PyPI's autobahntestsuite, which needs Python 2.7");
        return;
    };
    let front = Front::start(GatewayConfig::default());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("autobahn");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let (spec, url) = (directory.join("spec.json"), format!("ws://{}/v1/ws", front.address()));
    let outdir = directory.display();
    let servers = format!(r#"[{{"agent": "ours", "url": "{url}"}}]"#);
    let text = format!(
        r#"{{"outdir": "{outdir}", "servers": {servers}, "cases": ["*"], "exclude-cases": {NOT_OURS}, "exclude-agent-cases": {{}}}}"#
    );
    fs::write(&spec, text).unwrap();
    let run = Command::new(wstest).args(["-m", "fuzzingclient", "-s"]).arg(&spec).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(directory.join("index.json")).unwrap()).unwrap();
    let cases = report.get("ours").unwrap().as_object().unwrap();
    assert!(cases.len() >= 240, "{}", cases.len());
    let accepted = ["OK", "NON-STRICT", "INFORMATIONAL"];
    let wrong = |case: &serde_json::Value| {
        let said = |key| case.get(key).and_then(serde_json::Value::as_str).unwrap();
        !accepted.contains(&said("behavior")) || !accepted.contains(&said("behaviorClose"))
    };
    let failed: Vec<_> = cases.iter().filter(|(_, case)| wrong(case)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    fs::remove_dir_all(directory).unwrap();
}

/// The program of the suite, where it is: among the tools of this build, or on the path.
fn wstest() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("ci-tools27/bin/wstest");
    let candidates = [tools, PathBuf::from("wstest")];
    candidates.into_iter().find(|wstest| Command::new(wstest).arg("-a").output().is_ok_and(|out| out.status.success()))
}
