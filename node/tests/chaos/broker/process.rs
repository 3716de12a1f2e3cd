//! One process of a run.

use std::{
    fs::{File, read_to_string},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::history::Installed;

/// How long a process may take to end when it is asked to, or to stand still.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long to rest between two looks at it.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// The lines of a log that are shown.
const LINES_SHOWN: usize = 40;

/// Killed when it is dropped.
pub(super) struct Process(Child);

impl Process {
    /// Starts it; what it writes is added to a file.
    pub(super) fn start(mut command: Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let errors = log.try_clone().unwrap();
        Self(command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().unwrap())
    }

    /// How it has ended, if it has.
    pub(super) fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn terminate(&mut self) -> Result<(), Installed> {
        self.signal(Signal::TERM);
        let until = Instant::now() + DEADLINE;
        while self.status().is_none() {
            if Instant::now() > until {
                self.kill();
                return Err(Installed::Unknown(format!("it did not end within {DEADLINE:?}, and was killed")));
            }
            thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Makes it stand still, and waits until it does.
    pub(super) fn pause(&mut self) -> Result<(), Installed> {
        if self.status().is_some() {
            return Err(Installed::Skipped("it has ended".to_owned()));
        }
        self.signal(Signal::STOP);
        let until = Instant::now() + DEADLINE;
        while !is_stopped(self.0.id()) {
            if Instant::now() > until {
                return Err(Installed::Unknown(format!("it did not stand still within {DEADLINE:?}")));
            }
            thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Lets it go on, if it stands still.
    pub(super) fn resume(&mut self) {
        if self.status().is_none() {
            self.signal(Signal::CONT);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether all threads of a process stand still.
fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(Result::ok).all(|thread| {
        let status = read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state is behind the name, which is in brackets and may have any.
        status.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
    })
}

/// The end of a log, under its name.
pub(super) fn tail(log: &Path) -> String {
    let text = read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    format!("{}:\n{}\n", log.file_name().unwrap().display(), shown.join("\n"))
}
