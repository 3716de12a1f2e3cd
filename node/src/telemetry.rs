//! Where log lines go and how they look.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Sends log lines of this process to standard error from now on. A second call changes nothing.
///
/// # Errors
/// The level is no filter; the configuration has checked that already.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.level).map_err(|error| error.to_string())?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match config.format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // The one error is that someone was first.
    drop(outcome);
    Ok(())
}
