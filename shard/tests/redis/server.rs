//! A `redis-server` of a test's own, on a port and in a directory that nobody else uses.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use redis::{Connection, FromRedisValue};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What every server is started with, unless a test says otherwise: the durable setting.
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

/// A running server; killed when dropped.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts a server that syncs before it answers.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with more arguments, which win over the usual ones.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let arguments: Vec<_> = DURABLE.iter().chain(more).map(|argument| (*argument).to_owned()).collect();
        // Between finding a free port and using it, another process may take it.
        for _ in 0..20 {
            let port = free_port();
            if let Some(process) = spawn(port, &directory, &arguments) {
                return Self { process, port, directory, arguments };
            }
        }
        panic!("redis-server did not start on any of 20 free ports; run it by hand to see why");
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut of the process would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port, with what its directory holds.
    pub(crate) fn restart(&mut self) {
        let started = spawn(self.port, &self.directory, &self.arguments);
        self.process = started.expect("the port was in use a moment ago and is free now");
    }

    /// Starts it again with nothing.
    pub(crate) fn restart_empty(&mut self) {
        std::fs::remove_dir_all(self.directory.path()).unwrap();
        std::fs::create_dir(self.directory.path()).unwrap();
        self.restart();
    }

    /// Stops it in the middle of whatever it does.
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Ends all connections but the test's own.
    pub(crate) fn hang_up(&self) {
        let ended: u64 = self.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert!(ended > 0, "somebody was connected");
    }

    /// Runs a command over a connection of the test's own.
    pub(crate) fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.bytes_command(&command)
    }

    /// Runs a command with arguments that are no text.
    pub(crate) fn bytes_command<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        command.query(&mut self.client()).unwrap()
    }

    fn client(&self) -> Connection {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection().unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits until it says that it is ready; `None` if it ends before.
fn spawn(port: u16, directory: &TempDir, arguments: &[String]) -> Option<Child> {
    let mut process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server can't be run ({error}): apt-get install redis-server"));
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("Ready to accept connections")) {
        // Read on, so that the server never waits for somebody to take its log.
        std::thread::spawn(move || lines.for_each(drop));
        return Some(process);
    }
    process.wait().unwrap();
    None
}
