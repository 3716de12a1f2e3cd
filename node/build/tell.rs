//! A part of the build scripts of all binaries: has them compiled with the commit that `--version` prints.

#[path = "commit.rs"]
mod commit;

use std::{env, path::Path};

/// Of a tree that does not say what it is, as one from a tarball.
const UNKNOWN: &str = "unknown";
/// Of a debug build: it is not made anew for each commit, so it does not claim to be one.
const DEVELOPMENT: &str = "development build";

/// Not `PUBSUB_…`: cargo gives it to what it runs too, and there each of those is a setting of the node.
const VARIABLE: &str = "BUILD_COMMIT";

/// Sets [`VARIABLE`] for the crate of this build script: to what it is in the environment, else to what the repository
/// at `root` has checked out. The crate is compiled anew when that changes.
///
/// # Panics
/// What is in the environment is no name of a commit.
pub(crate) fn commit(root: &Path) {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rustc-env={VARIABLE}={}", find(root));
}

fn find(root: &Path) -> String {
    let given = env::var(VARIABLE).unwrap_or_default();
    if !given.is_empty() {
        assert!(commit::is_name(&given), "{VARIABLE}: expected the name of a commit, found `{given}`");
        return given;
    }
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return DEVELOPMENT.to_owned();
    }
    let Some(checkout) = commit::checked_out(root) else { return UNKNOWN.to_owned() };
    for file in &checkout.files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    checkout.commit
}
