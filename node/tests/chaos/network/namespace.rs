//! A network namespace that is gone when nobody uses it any more.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::fd::{AsFd as _, AsRawFd as _},
    process::{Command, Stdio},
    sync::Arc,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A host of its own: with its addresses, links and rules.
#[derive(Clone, Debug)]
pub(crate) struct Namespace(Arc<File>);

impl Namespace {
    /// Makes one, with nothing but a loopback.
    pub(super) fn new() -> Result<Self, String> {
        // A process makes it and waits until it is held here.
        let mut maker = Command::new("unshare");
        maker.args(["--net", "sh", "-c", "ip link set lo up && echo made && read -r held"]);
        maker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut maker = maker.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        let read = BufReader::new(maker.stdout.take().unwrap()).read_line(&mut said);
        let held = read.and_then(|_| File::open(format!("/proc/{}/ns/net", maker.id())));
        drop(maker.stdin.take());
        let ended = maker.wait_with_output().map_err(|error| error.to_string())?;
        if said == "made\n" {
            return held.map(|file| Self(Arc::new(file))).map_err(|error| format!("a network namespace: {error}"));
        }
        Err(format!("a network namespace: {}", String::from_utf8_lossy(&ended.stderr).trim()))
    }

    /// A path by which other programs find it while this process lives.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// A program that runs there, and is killed when the thread that starts it ends, and with it the test's process.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nsenter", &format!("--net={}", self.path()), program]);
        command
    }

    /// Runs a program there to its end; what it complained of if it failed.
    pub(super) fn run(&self, words: &[&str]) -> Result<(), String> {
        run(self.command(words[0]).args(&words[1..]))
    }

    /// Replaces the rules of its firewall.
    pub(super) fn apply(&self, script: &str) -> Result<(), String> {
        let mut nft = self.command("nft");
        nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut nft = nft.spawn().map_err(|error| format!("nft: {error}"))?;
        let written = nft.stdin.take().unwrap().write_all(script.as_bytes());
        let output = nft.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() && written.is_ok() {
            return Ok(());
        }
        Err(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Takes the calling thread there.
    pub(crate) fn enter(&self) {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }
}

/// Runs a command to its end; what it complained of if it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
