//! Where log lines go, how they look, and which are left out.

mod lines;
mod reload;
mod repeats;

use std::{io, sync::Arc, time::Duration};

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    reload::{Handle, Layer as Reloaded},
    util::SubscriberInitExt,
};

use self::{
    lines::{Lines, Throttle},
    repeats::RepeatLimit,
};
use crate::config::{LogConfig, LogFormat};

pub(crate) use reload::LogKeeper;

/// Libraries that say at `info` what only their authors want to know; a filter that names one decides for itself.
///
/// openraft calls it an error whenever a node can't be reached, twice a second; what matters of it is told by `raft`.
const CHATTY: &[(&str, &str)] = &[("openraft", "off"), ("sled", "warn")];

/// The log of this process, of which more or less can be asked.
#[derive(Clone, Debug)]
pub struct Log {
    filter: Handle<EnvFilter, Registry>,
    throttle: Arc<Throttle>,
}

/// Sends log lines of this process to standard error from now on. A second call changes nothing.
///
/// # Errors
/// The level is no filter; the configuration has checked that already.
pub fn start(config: &LogConfig) -> Result<Log, String> {
    let has_colours = io::IsTerminal::is_terminal(&io::stderr());
    let (log, subscriber) = prepare(config, io::stderr, has_colours)?;
    // The one error is that someone was first.
    drop(subscriber.try_init());
    Ok(log)
}

/// What takes lines and writes them to `writer`.
fn prepare<W>(config: &LogConfig, writer: W, has_colours: bool) -> Result<(Log, impl SubscriberInitExt), String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let throttle = Arc::new(Throttle::new(repeat_limit(config)));
    let (filter, handle) = Reloaded::new(filter(&config.level)?);
    let lines = fmt::layer().with_writer(writer);
    let shared = Arc::clone(&throttle);
    let lines = match config.format {
        LogFormat::Text => {
            let format = |format: fmt::format::Format| format.with_ansi(has_colours);
            let lines = lines.with_ansi(has_colours).map_event_format(format);
            lines.map_event_format(|format| Lines::new(format, LogFormat::Text, shared)).boxed()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.map_event_format(|format| Lines::new(format, LogFormat::Json, shared)).boxed()
        }
    };
    Ok((Log { filter: handle, throttle }, Registry::default().with(filter).with(lines)))
}

impl Log {
    /// Takes over what is logged and how often; how a line looks stays.
    ///
    /// # Errors
    /// The level is no filter. Nothing has changed then.
    pub fn apply(&self, config: &LogConfig) -> Result<(), String> {
        let filter = filter(&config.level)?;
        self.filter.reload(filter).map_err(|error| error.to_string())?;
        self.throttle.set_limit(repeat_limit(config));
        Ok(())
    }

    /// Says how many lines were left out, where that is due.
    pub fn tell_left_out(&self) {
        self.throttle.tell_due();
    }

    /// Says how many lines were left out that nobody knows of: nothing comes after this.
    pub fn finish(&self) {
        self.throttle.tell_rest();
    }
}

/// Reads what is to be logged.
///
/// # Errors
/// Says why the text is no filter.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    if level.trim().is_empty() {
        return Err("expected a level or a filter, found nothing".to_owned());
    }
    EnvFilter::try_new(with_quiet_libraries(level)).map_err(|error| error.to_string())
}

const fn repeat_limit(config: &LogConfig) -> RepeatLimit {
    RepeatLimit { lines_max: config.repeats_max, window: Duration::from_millis(config.repeats_window_ms) }
}

fn with_quiet_libraries(level: &str) -> String {
    let quiet = CHATTY.iter().filter(|(library, _)| !level.contains(library));
    let quiet = quiet.map(|(library, least)| format!("{library}={least}"));
    quiet.chain([level.to_owned()]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
