//! schemathesis, a tool of others, reads the description and sends what it can think of: what the description allows, what
//! it does not, one thing made with another.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{TestNode, data_directory};

/// How many requests it thinks of for each operation and phase unless `PUBSUB_TEST_API_EXAMPLES` says otherwise.
const EXAMPLES_DEFAULT: &str = "25";
/// Where it begins unless `PUBSUB_TEST_API_SEED` says otherwise.
const SEED_DEFAULT: &str = "1";
/// After so many seconds it is given up.
const SECONDS_MAX: &str = "300";
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/described/schemathesis.toml");

/// No answer of 5xx, no status, header or content that is not described, nothing taken that the description rules out.
#[test]
fn schemathesis_finds_nothing() {
    let Some(tool) = tool() else {
        eprintln!("SKIPPED: there is no schemathesis, on the path or in target/ci-tools, where .ci/run puts it");
        return;
    };
    let node = TestNode::start();
    // It keeps notes where it runs.
    let place = data_directory();
    let setting = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let output = Command::new("timeout")
        .arg(SECONDS_MAX)
        .arg(tool)
        .args(["--config-file", CONFIG, "--no-color", "run", "--continue-on-failure"])
        .args(["--max-examples", &setting("PUBSUB_TEST_API_EXAMPLES", EXAMPLES_DEFAULT)])
        // Streams have no end that it could wait for.
        .args(["--exclude-operation-id", "events"])
        .args(["--seed", &setting("PUBSUB_TEST_API_SEED", SEED_DEFAULT)])
        .arg(format!("http://{}/openapi.json", node.address()))
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Stateful"), "not all was tried: {said}");
}

/// Where it is: on the path, or where `.ci/run` puts it.
fn tool() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders =
        env::split_paths(&path).chain([Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ci-tools/bin")]);
    folders.map(|folder| folder.join("schemathesis")).find(|tool| tool.is_file())
}
