//! The store of the run: a Redis that syncs before it answers.

use std::path::{Path, PathBuf};

use super::process::Process;
use crate::{history::Installed, network::Namespace};

/// On a host of its own, whose port nobody else uses.
pub(crate) struct Store {
    host: Namespace,
    directory: PathBuf,
    process: Option<Process>,
}

impl Store {
    pub(super) fn new(host: &Namespace, directory: &Path) -> Self {
        let directory = directory.join("redis");
        std::fs::create_dir(&directory).unwrap();
        let mut store = Self { host: host.clone(), directory, process: None };
        store.start();
        store
    }

    /// Starts it with what its directory holds, unless it runs.
    pub(crate) fn start(&mut self) {
        if self.process.is_none() {
            let mut command = self.host.command("redis-server");
            command.args(["--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]);
            command.args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]);
            command.arg("--dir").arg(&self.directory);
            self.process = Some(Process::start(command, &self.directory.with_extension("log")));
        }
    }

    pub(crate) fn kill(&mut self) -> Result<(), Installed> {
        self.running()?.kill();
        self.process = None;
        Ok(())
    }

    pub(crate) fn pause(&mut self) -> Result<(), Installed> {
        self.running()?.pause()
    }

    pub(crate) fn resume(&mut self) {
        if let Ok(process) = self.running() {
            process.resume();
        }
    }

    fn running(&mut self) -> Result<&mut Process, Installed> {
        self.process.as_mut().ok_or_else(|| Installed::Skipped("the store does not run".to_owned()))
    }
}
