//! Starts, kills and restarts a real node, on free ports and a directory of its own on a real filesystem.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use gateway_api::client::{Client, Endpoint};
use serde_json::Value;
use tempfile::TempDir;

/// How long a node may take to serve or to end; only a broken one takes nearly as long.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// Log lines that are shown when a test fails.
const LOG_LINES_KEPT: usize = 100;

/// A node under test. Dropping it kills the process and removes the directory.
pub(crate) struct TestNode {
    /// Where it works; its data is in a directory below.
    home: PathBuf,
    /// The same, if it goes with the node.
    _directory: Option<TempDir>,
    settings: Vec<(String, String)>,
    /// What else is on its command line.
    flags: Vec<String>,
    /// A program that becomes the node after it has arranged something, and its arguments.
    wrapper: Vec<String>,
    running: Option<Running>,
}

/// One life of the process.
struct Running {
    child: Child,
    http: String,
    metrics: String,
    recovery_ms: u64,
    log: Arc<Mutex<VecDeque<String>>>,
}

/// A process of which it is not known whether it serves. Dropping it kills it.
pub(crate) struct Starting {
    child: Option<Child>,
    started: Receiver<Started>,
    log: Arc<Mutex<VecDeque<String>>>,
}

/// The first lines of a log: what a start has led to.
enum Started {
    Serving { http: String, metrics: String, recovery_ms: u64 },
    Ended,
}

impl TestNode {
    /// A node with default settings and an empty directory.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A node with these settings besides free ports.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(data_directory(), settings)
    }

    /// The same in a directory of the test's choice.
    pub(crate) fn start_in(home: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut node = Self::new(home.path().to_owned(), Some(home), settings);
        node.restart();
        node
    }

    /// The same in a directory that stays.
    pub(crate) fn start_at(home: PathBuf, settings: &[(&str, &str)]) -> Self {
        Self::start_flagged_at(home, settings, &[])
    }

    /// The same with flags on the command line.
    pub(crate) fn start_flagged_at(home: PathBuf, settings: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut node = Self::new(home, None, settings);
        node.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        node.restart();
        node
    }

    /// A node that is started by another program, which becomes the node.
    pub(crate) fn start_under(wrapper: &[&str], settings: &[(&str, &str)]) -> Self {
        let home = data_directory();
        let mut node = Self::new(home.path().to_owned(), Some(home), settings);
        node.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        node.restart();
        node
    }

    /// The same in a directory of the test's choice.
    pub(crate) fn start_in_under(home: TempDir, wrapper: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut node = Self::new(home.path().to_owned(), Some(home), settings);
        node.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        node.restart();
        node
    }

    fn new(home: PathBuf, directory: Option<TempDir>, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { home, _directory: directory, settings, flags: Vec::new(), wrapper: Vec::new(), running: None }
    }

    /// Kills the process without a word, as a power cut would as far as the process is concerned.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
        }
    }

    /// Starts the process again on the same directory; kills it first if it runs.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.running = Some(Running::start(self.command()));
    }

    /// Starts the process again without a wait until it serves.
    pub(crate) fn begin_restart(&mut self) -> Starting {
        self.kill();
        Running::begin(self.command())
    }

    /// Waits until a process that was started serves.
    pub(crate) fn serves(&mut self, starting: Starting) {
        self.running = Some(starting.serves());
    }

    /// Starts the process on the same directory, where it should not get far: what it exits with, and what it says.
    pub(crate) fn refused(&mut self) -> (Option<i32>, String) {
        self.kill();
        let output = self.command().stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn command(&self) -> Command {
        let mut command = node_command();
        if let [program, arguments @ ..] = &self.wrapper[..] {
            let node = command;
            command = Command::new(program);
            command.env_clear().args(arguments).arg(node.get_program());
        }
        // The directory for data is the default one, so that it is a path from there.
        command.current_dir(&self.home).args(["--set", "server.port=0", "--set", "metrics.port=0"]);
        command.args(["--set", "log.format=json"]);
        for (key, value) in &self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.args(&self.flags);
        command
    }

    /// Changes a setting for the next restart.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Asks the process to end by SIGTERM and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait_for_end()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.running().child), signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("the node runs");
        wait(&mut running.child)
    }

    /// The node's address for URLs.
    pub(crate) fn address(&self) -> &str {
        &self.running().http
    }

    /// Where metrics are scraped.
    pub(crate) fn metrics_address(&self) -> &str {
        &self.running().metrics
    }

    /// A client of the node as it runs now.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.endpoint(), None)
    }

    /// Where the node is, for clients.
    pub(crate) fn endpoint(&self) -> Endpoint {
        format!("http://{}", self.address()).parse().unwrap()
    }

    /// How long the last start took to recover all partitions, by the node's own account.
    pub(crate) fn recovery_ms(&self) -> u64 {
        self.running().recovery_ms
    }

    /// Whether the process was started and not ended by the test.
    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The lines of the log so far, newest last.
    pub(crate) fn log(&self) -> Vec<String> {
        self.running().log.lock().unwrap().iter().cloned().collect()
    }

    /// The samples of one metric: labels and value.
    pub(crate) fn metric(&self, name: &str) -> Vec<(String, f64)> {
        let page = crate::http::get(&self.running().metrics, "/metrics").body_text();
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then(|| (labels.to_owned(), value.parse().unwrap()))
        };
        page.lines().filter_map(sample).collect()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the node runs")
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(running) = &self.running
        {
            eprintln!("log of the node:\n{}", self.log().join("\n"));
            eprintln!("its process was {}", running.child.id());
        }
        self.kill();
    }
}

impl Running {
    fn start(command: Command) -> Self {
        Self::begin(command).serves()
    }

    fn begin(mut command: Command) -> Starting {
        let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let started = follow_log(&mut child, Arc::clone(&log));
        Starting { child: Some(child), started, log }
    }
}

impl Starting {
    fn serves(mut self) -> Running {
        let mut child = self.child.take().expect("it waits once");
        let log = Arc::clone(&self.log);
        match self.started.recv_timeout(DEADLINE) {
            Ok(Started::Serving { http, metrics, recovery_ms }) => Running { child, http, metrics, recovery_ms, log },
            Ok(Started::Ended) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                child.kill().unwrap();
                let status = child.wait().unwrap();
                panic!("the node does not serve ({status}):\n{}", Vec::from(log.lock().unwrap().clone()).join("\n"));
            }
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// The node's binary, with an environment that has no settings.
pub(crate) fn node_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubsub-node"));
    command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// The binary of another package, which lies beside the node's.
pub(crate) fn tool_command(name: &str) -> Command {
    let tool = Path::new(env!("CARGO_BIN_EXE_pubsub-node")).with_file_name(name);
    assert!(tool.exists(), "{} is not built: run scripts/test, or cargo build --workspace --bins", tool.display());
    let mut command = Command::new(tool);
    command.env_clear();
    command
}

/// An empty directory on the filesystem of the build, which has direct I/O; a temporary one often has not.
pub(crate) fn data_directory() -> TempDir {
    tempfile::Builder::new().prefix("pubsub-").tempdir_in(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).unwrap()
}

/// Looks again and again until it is so, at most until the deadline.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + DEADLINE;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
    }
}

/// Waits for a process that is about to end; kills it if it does not.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let pid = rustix::process::Pid::from_child(child);
    let (ended, end) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if end.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            drop(rustix::process::kill_process(pid, rustix::process::Signal::KILL).map_err(|error| error.to_string()));
        }
    });
    let status = child.wait().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    status
}

/// Reads the log in a thread of its own: keeps the newest lines, and says once what the start has led to.
fn follow_log(child: &mut Child, log: Arc<Mutex<VecDeque<String>>>) -> Receiver<Started> {
    let (started, outcome) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    thread::spawn(move || {
        let mut recovery_ms = 0;
        for line in lines.map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            match text("message").as_str() {
                "all partitions have been recovered" => recovery_ms = event["recovery_ms"].as_u64().unwrap_or_default(),
                "the node serves" => {
                    let (http, metrics) = (text("http"), text("metrics"));
                    drop(started.send(Started::Serving { http, metrics, recovery_ms }));
                }
                _ => {}
            }
            let mut log = log.lock().unwrap();
            log.push_back(line);
            if log.len() > LOG_LINES_KEPT {
                log.pop_front();
            }
        }
        drop(started.send(Started::Ended));
    });
    outcome
}
