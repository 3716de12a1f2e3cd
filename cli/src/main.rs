//! `pubsub-cli`: administers PubSubRing, publishes and consumes.

mod args;
mod commands;
mod error;
mod exit_code;
mod limits;
mod output;
mod pages;
mod values;
mod watch;

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::error::CliError;
use crate::exit_code::ExitKind;
use crate::output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitKind::Done.into(),
        Err(error) => {
            let kind = error.exit_kind();
            if kind != ExitKind::Done {
                // If standard error is gone too, the exit code is all that can be said.
                let _ = io::stderr().write_all(error.report().as_bytes());
            }
            kind.into()
        }
    }
}

fn run(mut args: Args) -> Result<(), CliError> {
    args.global.prepare().map_err(|error| CliError::Usage { detail: error.to_string() })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Input { what: "the system's events".to_owned(), source })?;
    let mut output = Output::new(args.global.output, BufWriter::new(io::stdout()));
    let result = runtime.block_on(commands::run(args, &mut output));
    // A thread that still reads standard input must not hold the program up.
    runtime.shutdown_background();
    result.and_then(|()| output.flush())
}
