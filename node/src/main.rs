//! `pubsub-node`: reads the command line and the configuration, and runs a node until it is told to stop.

mod ring_setup;

use std::fmt::Display;

use clap::Parser as _;
use node::{
    args::Args,
    bootstrap,
    config::{self, Config},
    control,
    exit_code::ExitCode,
    health_check, manual,
};

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let code = run(&args);
    // Executors that did not end in time hold their threads; the process ends all the same.
    std::process::exit(code.number().into());
}

fn run(args: &Args) -> ExitCode {
    if let Some(shell) = args.completions {
        tell(&mut std::io::stdout(), &manual::completions(shell));
        return ExitCode::Stopped;
    }
    if let Some(directory) = &args.man_pages {
        let written = manual::write_pages(directory);
        return outcome(written.map(|()| None).map_err(|error| format!("{}: {error}", directory.display())));
    }
    match config::load(&args.sources()) {
        Ok(config) => run_configured(args, &config),
        Err(error) => {
            complain(&error);
            ExitCode::Configuration
        }
    }
}

fn run_configured(args: &Args, config: &Config) -> ExitCode {
    if args.print_config {
        match config::to_yaml(config) {
            Ok(yaml) => tell(&mut std::io::stdout(), yaml.as_bytes()),
            Err(_) => return ExitCode::Failed,
        }
    }
    if args.print_config || args.check_config {
        return ExitCode::Stopped;
    }
    if let Some(question) = args.health_check {
        return outcome(health_check::run(config, question).map(Some));
    }
    if let Some(principal) = &args.bootstrap_key {
        return match bootstrap::run(config, principal, args.force) {
            Ok(key) => outcome::<String>(Ok(Some(key.expose().to_owned()))),
            Err(code) => code,
        };
    }
    control::run(config, args.sources(), args.rejoin, args.ready_file.clone())
}

/// Says what came of something that is over at once.
fn outcome<E: Display>(result: Result<Option<String>, E>) -> ExitCode {
    match result {
        Ok(None) => ExitCode::Stopped,
        Ok(Some(said)) => {
            tell(&mut std::io::stdout(), format!("{said}\n").as_bytes());
            ExitCode::Stopped
        }
        Err(error) => {
            complain(&error);
            ExitCode::Failed
        }
    }
}

fn complain(error: &impl Display) {
    tell(&mut std::io::stderr(), format!("pubsub-node: {error}\n").as_bytes());
}

/// A reader who has gone is no fault of ours.
fn tell(out: &mut impl std::io::Write, bytes: &[u8]) {
    drop(out.write_all(bytes).and_then(|()| out.flush()));
}
