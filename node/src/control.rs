//! A node's whole life on the control thread: checks, start, signals, stop, exit code.

use std::path::PathBuf;

use crate::{
    Node, NodeFailure,
    config::{Config, Sources},
    exit_code::ExitCode,
    limits,
    preflight::{self, DataDirectoryLock},
    ready_file::ReadyFile,
    rejoin,
    shutdown::StopSignals,
    telemetry::{self, LogKeeper},
    version,
};

/// Runs a node until it is told to stop or can't go on, after it has set aside the metadata of a lost one, if it is to rejoin.
/// Blocks this thread, which becomes the control thread. The configuration is what the sources said; some of it is read again.
#[must_use]
pub fn run(config: &Config, sources: Sources, rejoin: bool, ready_file: Option<PathBuf>) -> ExitCode {
    let log = match telemetry::start(&config.log) {
        Ok(log) => log,
        Err(reason) => {
            tracing::error!(reason, "logging can't be set up");
            return ExitCode::Configuration;
        }
    };
    let mut config = match config.with_absolute_data_dir() {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the path of the data directory can't be made absolute");
            return ExitCode::DataDirectory;
        }
    };
    let lock = match preflight::run(&config) {
        Ok(lock) => lock,
        Err(error) => {
            tracing::error!("{error}");
            return error.exit_code();
        }
    };
    // Only now is the directory this process's alone.
    if rejoin {
        if let Err(code) = rejoin::run(&config) {
            return code;
        }
        // Whatever the file says: who comes back founds nothing.
        config.cluster.init = false;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the control thread can't be set up");
            return ExitCode::Failed;
        }
    };
    let keeper = LogKeeper::new(log.clone(), sources, &config.storage.data_dir);
    let code = runtime.block_on(live(&config, lock, keeper, ready_file));
    // What still blocks a helper thread after a stop that timed out is not waited for.
    runtime.shutdown_background();
    log.finish();
    code
}

async fn live(config: &Config, lock: DataDirectoryLock, keeper: LogKeeper, ready_file: Option<PathBuf>) -> ExitCode {
    let signals = StopSignals::listen().and_then(|signals| Ok((signals, keeper.start()?)));
    let (mut signals, keeping) = match signals {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals can't be listened to");
            return ExitCode::Failed;
        }
    };
    let started = tokio::select! {
        started = Box::pin(Node::start(config, lock)) => started,
        // Nothing has been promised yet, so there is nothing to finish.
        code = signals.next() => return code,
    };
    let node = match started {
        Ok(node) => node,
        Err(error) => {
            let advice = error.advice().map_or_else(String::new, |advice| format!(": {advice}"));
            tracing::error!("{error}{advice}");
            return error.exit_code();
        }
    };
    let code = serve_until_stopped(node, &mut signals, ready_file).await;
    keeping.abort();
    code
}

async fn serve_until_stopped(mut node: Node, signals: &mut StopSignals, ready_file: Option<PathBuf>) -> ExitCode {
    let addresses = node.addresses();
    let ready_file = match ready_file.map(|path| ReadyFile::write(&path, &addresses)).transpose() {
        Ok(ready_file) => ready_file,
        Err(error) => {
            tracing::error!(%error, "the ready file can't be written");
            return ExitCode::Failed;
        }
    };
    let metrics = addresses.metrics.map(|address| address.to_string());
    tracing::info!(http = %addresses.http, metrics, version = env!("CARGO_PKG_VERSION"), commit = version::COMMIT, "the node serves");
    let was_removed = tokio::select! {
        failure = node.failed() => {
            tracing::error!("{failure}");
            if !matches!(failure, NodeFailure::Removed) {
                return exit_code(&failure);
            }
            true
        }
        _ = signals.next() => false,
    };
    tracing::info!("stopping: finishing requests, then writing what is left");
    drop(ready_file);
    let code = stop(node, signals).await;
    if was_removed && code == ExitCode::Stopped { ExitCode::Removed } else { code }
}

async fn stop(node: Node, signals: &mut StopSignals) -> ExitCode {
    tokio::select! {
        stopped = Box::pin(tokio::time::timeout(limits::STOP_TIMEOUT, node.stop())) => match stopped {
            Ok(Ok(())) => {
                tracing::info!("stopped; everything is on disk");
                ExitCode::Stopped
            }
            Ok(Err(failure)) => {
                tracing::error!("{failure}");
                exit_code(&failure)
            }
            Err(_) => {
                tracing::error!("stopping took longer than {:?}", limits::STOP_TIMEOUT);
                ExitCode::StopTimedOut
            }
        },
        code = signals.next() => {
            tracing::warn!("a second signal: ending at once");
            code
        }
    }
}

const fn exit_code(failure: &NodeFailure) -> ExitCode {
    match failure {
        NodeFailure::Core(_) => ExitCode::ThreadDied,
        NodeFailure::Metadata => ExitCode::Metadata,
        NodeFailure::Removed => ExitCode::Removed,
    }
}
