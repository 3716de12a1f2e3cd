//! Has the log say more or less while the node runs: on SIGHUP its settings are read again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use super::Log;
use crate::{
    config::{self, LogConfig, Sources},
    limits,
};

/// A file in the data directory whose content, a level or a filter, goes before `log.level` when the settings are read again.
const LEVEL_FILE: &str = "log-level";

/// What looks after the log while the node runs.
pub(crate) struct LogKeeper {
    log: Log,
    sources: Sources,
    level_file: PathBuf,
}

impl LogKeeper {
    pub(crate) fn new(log: Log, sources: Sources, data_dir: &Path) -> Self {
        Self { log, sources, level_file: data_dir.join(LEVEL_FILE) }
    }

    /// Begins to listen to SIGHUP, which no longer ends the process by itself.
    ///
    /// # Errors
    /// The signal can't be listened to.
    pub(crate) fn start(self) -> io::Result<JoinHandle<()>> {
        Ok(tokio::spawn(self.run(signal(SignalKind::hangup())?)))
    }

    async fn run(self, mut hangup: Signal) {
        let mut ticks = interval(limits::LOG_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.log.tell_left_out(),
                _ = hangup.recv() => self.read_again().await,
            }
        }
    }

    async fn read_again(&self) {
        let (sources, level_file) = (self.sources.clone(), self.level_file.clone());
        // A file may be on a filesystem that stands still; the control thread may not.
        let Ok(settings) = spawn_blocking(move || read(&sources, &level_file)).await else { return };
        // Whoever asked is told, whether it is now that less is logged or was before.
        let tell = |settings: &LogConfig| tracing::info!(filter = settings.level, "the log has new settings");
        let is_told_before = tracing::enabled!(tracing::Level::INFO);
        let applied = settings.and_then(|settings| {
            if is_told_before {
                tell(&settings);
            }
            self.log.apply(&settings).map(|()| settings)
        });
        match applied {
            Ok(settings) if !is_told_before => tell(&settings),
            Ok(_) => {}
            Err(reason) => tracing::error!(reason, "the log's settings stay as they are"),
        }
    }
}

fn read(sources: &Sources, level_file: &Path) -> Result<LogConfig, String> {
    let mut settings = config::load(sources).map_err(|error| error.to_string())?.log;
    if let Some(level) = read_level(level_file)? {
        settings.level = level;
    }
    Ok(settings)
}

/// What the file says, if there is one.
fn read_level(file: &Path) -> Result<Option<String>, String> {
    let cannot = |error: io::Error| format!("{} can't be read: {error}", file.display());
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot(error)),
        Ok(found) if found.len() > limits::LOG_LEVEL_BYTES_MAX => {
            Err(format!("{} is larger than {} bytes", file.display(), limits::LOG_LEVEL_BYTES_MAX))
        }
        Ok(_) => fs::read_to_string(file).map(|level| Some(level.trim().to_owned())).map_err(cannot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_data_directory_goes_before_the_settings() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(LEVEL_FILE);
        let sources = Sources { flags: vec![("log.level".to_owned(), "warn".to_owned())], ..Sources::default() };
        assert_eq!(read(&sources, &file).unwrap().level, "warn");
        fs::write(&file, "debug,shard=trace\n").unwrap();
        assert_eq!(read(&sources, &file).unwrap().level, "debug,shard=trace");
        fs::write(&file, "a".repeat(5_000)).unwrap();
        assert!(read(&sources, &file).unwrap_err().contains("is larger than"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(&sources, &file).unwrap_err().contains("can't be read"));
    }
}
