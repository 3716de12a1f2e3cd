//! A server that runs for as long as it is measured, with a directory and ports of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::standard::set::ServerPlan;
use crate::watch;

/// How long a server may take until it is ready.
const READY_TIME_MAX: Duration = Duration::from_mins(1);
/// How long it may take to end when it is told to.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);
const LOG_TAIL_BYTES: usize = 2_000;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    children: Vec<Child>,
    /// Where it is spoken to.
    pub url: String,
    /// The process that listens there.
    pub pids: Vec<u32>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum StartError {
    #[error("`{program}` is not there")]
    NoProgram { program: String },
    #[error("{program} can't be started: {error}")]
    Start { program: String, error: io::Error },
    #[error("{program} ended at once; it said:\n{said}")]
    Ended { program: String, said: String },
    #[error("{program} was not ready within {} s; it said:\n{said}", READY_TIME_MAX.as_secs())]
    NotReady { program: String, said: String },
}

impl ServerProcess {
    /// Starts it, with its data in `directory`, and waits until it is ready. Programs are looked for in `programs` first.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub fn start(plan: &ServerPlan, directory: &Path, programs: &[PathBuf]) -> Result<Self, StartError> {
        let name = plan.command.first().cloned().unwrap_or_default();
        let failed = |error| StartError::Start { program: name.clone(), error };
        fs::create_dir_all(directory).map_err(failed)?;
        let (ports, texts) = texts(directory).map_err(failed)?;
        let fill = |text: &String| texts.iter().fold(text.clone(), |text, (name, value)| text.replace(name, value));
        for (file, text) in &plan.files {
            fs::write(directory.join(file), fill(text)).map_err(failed)?;
        }
        let mut server = Self { children: Vec::new(), url: fill(&plan.url), pids: Vec::new() };
        let log = directory.join("log.txt");
        for command in [&plan.beside, &plan.command] {
            let words: Vec<String> = command.iter().map(fill).collect();
            if let Some((program, arguments)) = words.split_first() {
                let program =
                    find(program, programs).ok_or_else(|| StartError::NoProgram { program: program.clone() })?;
                let environment: BTreeMap<&String, String> =
                    plan.environment.iter().map(|(name, value)| (name, fill(value))).collect();
                let out = File::options().create(true).append(true).open(&log).map_err(failed)?;
                let child = Command::new(program)
                    .args(arguments)
                    .envs(environment)
                    .current_dir(directory)
                    .stdin(Stdio::null())
                    .stdout(out.try_clone().map_err(failed)?)
                    .stderr(out)
                    .process_group(0)
                    .spawn();
                server.children.push(child.map_err(failed)?);
            }
        }
        let address = SocketAddr::from(([127, 0, 0, 1], ports));
        server.await_ready(plan.ready.as_deref(), address, &name, &log)?;
        server.pids = watch::listener(&address.to_string()).into_iter().collect();
        Ok(server)
    }

    fn await_ready(
        &mut self,
        path: Option<&str>,
        address: SocketAddr,
        name: &str,
        log: &Path,
    ) -> Result<(), StartError> {
        let began = Instant::now();
        while !is_ready(path, address) {
            let ended = self.children.iter_mut().any(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            let (program, said) = (name.to_owned(), tail(log));
            if ended {
                return Err(StartError::Ended { program, said });
            }
            if began.elapsed() > READY_TIME_MAX {
                return Err(StartError::NotReady { program, said });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    /// Asks the group of each process to end, and ends it if it does not.
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { continue };
            let _ = kill_process_group(group, Signal::TERM);
            let began = Instant::now();
            while child.try_wait().is_ok_and(|status| status.is_none()) && began.elapsed() < STOP_TIME_MAX {
                std::thread::sleep(POLL);
            }
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// A port that is free now, and what stands for what in a server's texts.
fn texts(directory: &Path) -> io::Result<(u16, Vec<(&'static str, String)>)> {
    // All are held until all are chosen, so that they differ.
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = Vec::new();
    for listener in &listeners {
        let listener = listener.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        ports.push(listener.local_addr()?.port());
    }
    let names = ["{port}", "{port2}", "{port3}"];
    let mut texts: Vec<(&'static str, String)> = names.into_iter().zip(ports.iter().map(u16::to_string)).collect();
    texts.push(("{dir}", directory.display().to_string()));
    Ok((ports.first().copied().unwrap_or(0), texts))
}

/// In these folders, or where programs are.
fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/lib/rabbitmq/bin"].map(PathBuf::from));
    // Debian's wrapper of this one changes the user, whose the directory is not.
    let first = if program == "rabbitmq-server" { vec![PathBuf::from("/usr/lib/rabbitmq/bin")] } else { Vec::new() };
    let candidates = folders.iter().cloned().chain(first).chain(others).map(|folder| folder.join(program));
    // It is started in another directory.
    candidates.into_iter().find(|candidate| candidate.is_file()).and_then(|found| std::path::absolute(found).ok())
}

fn is_ready(path: Option<&str>, address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, READY_TIME_MAX) else { return false };
    let Some(path) = path else { return true };
    let mut answer = [0; 12];
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let asked = stream.set_read_timeout(Some(READY_TIME_MAX)).and_then(|()| stream.write_all(request.as_bytes()));
    asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer.ends_with(b" 200")
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(text.get(text.len().saturating_sub(LOG_TAIL_BYTES)..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> ServerPlan {
        ServerPlan {
            command: ["sh", "-c", line].map(str::to_owned).to_vec(),
            url: "x://127.0.0.1:{port}".to_owned(),
            ..ServerPlan::default()
        }
    }

    #[test]
    fn a_program_that_is_not_there_or_ends_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let plan = ServerPlan { command: vec!["no-such-program".to_owned()], ..ServerPlan::default() };
        let error = ServerProcess::start(&plan, directory.path(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program` is not there");
        let error = ServerProcess::start(&shell("echo it is {dir}; exit 3"), directory.path(), &[]).unwrap_err();
        let expected = format!("it is {}", directory.path().display());
        assert!(error.to_string().contains(&expected), "{error}");
    }
}
