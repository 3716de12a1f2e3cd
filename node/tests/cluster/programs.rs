//! Programs of others that tests use where they are there: in `target/ci-tools`, where `.ci/run` puts them, or on the path.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::harness;

/// The oldest Node that has what the pages use.
const NODE_VERSION_MIN: u32 = 22;

/// A program that ends with the test, if it has not before.
pub(crate) struct Program(pub(crate) Child);

/// Where a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    candidates(name).find(|program| program.is_file())
}

/// A Python that has these modules.
pub(crate) fn python_with(modules: &str) -> Option<PathBuf> {
    candidates("python3").find(|python| answers(python, &["-c", &format!("import {modules}")]))
}

/// A Node that is new enough for the pages' examples.
pub(crate) fn javascript() -> Option<PathBuf> {
    let check = format!("if (parseInt(process.versions.node) < {NODE_VERSION_MIN}) process.exit(1)");
    candidates("node").find(|node| answers(node, &["-e", &check]))
}

/// What tells a person that a test was left out.
pub(crate) fn skip(what: &str) {
    eprintln!("SKIPPED: there is no {what}, in target/ci-tools, where .ci/run puts it, or on the path");
}

fn candidates(name: &str) -> impl Iterator<Item = PathBuf> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ci-tools/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = [own]
        .into_iter()
        .chain(env::split_paths(&path))
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(name))
        .collect();
    folders.into_iter()
}

fn answers(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Program {
    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        if self.has_ended() {
            return;
        }
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        harness::wait(&mut self.0);
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}
