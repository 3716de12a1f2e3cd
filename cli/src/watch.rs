//! `--watch`: a result that is shown again and again.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::error::CliError;
use crate::limits;
use crate::output::{Format, Output};
use crate::values::seconds;

/// Moves the cursor to the corner and clears what is below it.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Whether a result is shown again and again.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Show it anew every so many seconds, until Ctrl-C
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = limits::WATCH_SECONDS,
        value_parser = seconds
    )]
    watch: Option<Duration>,
}

/// Says when a result is to be shown.
#[derive(Debug)]
pub(crate) struct Watch {
    every: Option<Duration>,
    interrupts: Option<Signal>,
    shown: u64,
}

impl Watch {
    /// Shows it once, or as the arguments say.
    pub(crate) fn new(args: WatchArgs) -> Result<Self, CliError> {
        let no_signals = |source| CliError::Input { what: "signals".to_owned(), source };
        let interrupts = args.watch.map(|_| signal(SignalKind::interrupt())).transpose().map_err(no_signals)?;
        Ok(Self { every: args.watch, interrupts, shown: 0 })
    }

    /// Waits until the result is to be shown, and makes room for it; false when that was the last time.
    pub(crate) async fn next(&mut self, output: &mut Output<'_>) -> Result<bool, CliError> {
        self.shown += 1;
        let (Some(every), Some(interrupts)) = (self.every, &mut self.interrupts) else { return Ok(self.shown == 1) };
        if self.shown > 1 {
            output.flush()?;
            tokio::select! {
                () = sleep(every) => {}
                _ = interrupts.recv() => return Ok(false),
            }
        }
        if output.format() == Format::Table {
            if io::stdout().is_terminal() {
                output.raw(CLEAR)?;
            } else if self.shown > 1 {
                output.raw(b"\n")?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        name: String,
        #[command(flatten)]
        watch: WatchArgs,
    }

    fn watch(line: &str) -> Option<Duration> {
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(line.name, "orders");
        line.watch.watch
    }

    #[test]
    fn the_seconds_may_be_left_out() {
        assert_eq!(watch("x orders"), None);
        assert_eq!(watch("x --watch orders"), Some(Duration::from_secs(2)));
        assert_eq!(watch("x orders --watch=0.5"), Some(Duration::from_millis(500)));
        for bad in ["0", "-1", "x", "1e9"] {
            assert!(Line::try_parse_from(["x", "orders", &format!("--watch={bad}")]).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn without_watching_a_result_is_shown_once() {
        let mut bytes = Vec::new();
        let mut output = Output::new(Format::Table, &mut bytes);
        let mut once = Watch::new(WatchArgs { watch: None }).unwrap();
        assert!(once.next(&mut output).await.unwrap() && !once.next(&mut output).await.unwrap());
        let every = Some(Duration::from_millis(1));
        let mut again = Watch::new(WatchArgs { watch: every }).unwrap();
        assert!(again.next(&mut output).await.unwrap() && again.next(&mut output).await.unwrap());
        drop(output);
        assert_eq!(bytes, b"\n", "an empty line between two blocks");
    }
}
