//! Where log lines go and how they look.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Libraries that say at `info` what only their authors want to know; a filter that names one decides for itself.
///
/// openraft calls it an error whenever a node can't be reached, twice a second; what matters of it is told by `raft`.
const CHATTY: &[(&str, &str)] = &[("openraft", "off"), ("sled", "warn")];

/// Sends log lines of this process to standard error from now on. A second call changes nothing.
///
/// # Errors
/// The level is no filter; the configuration has checked that already.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(with_quiet_libraries(&config.level)).map_err(|error| error.to_string())?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match config.format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // The one error is that someone was first.
    drop(outcome);
    Ok(())
}

fn with_quiet_libraries(level: &str) -> String {
    let quiet = CHATTY.iter().filter(|(library, _)| !level.contains(library));
    let quiet = quiet.map(|(library, least)| format!("{library}={least}"));
    quiet.chain([level.to_owned()]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        assert_eq!(with_quiet_libraries("info"), "openraft=off,sled=warn,info");
        assert_eq!(with_quiet_libraries("info,openraft=debug"), "sled=warn,info,openraft=debug");
    }
}
