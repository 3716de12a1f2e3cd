//! `pubsub-node`: reads the command line and the configuration, and runs a node until it is told to stop.

mod ring_setup;

use clap::Parser as _;
use node::{args::Args, bootstrap, config, control, exit_code::ExitCode};

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let code = run(&args);
    // Executors that did not end in time hold their threads; the process ends all the same.
    std::process::exit(code.number().into());
}

fn run(args: &Args) -> ExitCode {
    let config = match config::load(&args.sources()) {
        Ok(config) => config,
        Err(error) => {
            tell(&mut std::io::stderr(), &format!("pubsub-node: {error}\n"));
            return ExitCode::Configuration;
        }
    };
    if args.print_config {
        match config::to_yaml(&config) {
            Ok(yaml) => tell(&mut std::io::stdout(), &yaml),
            Err(_) => return ExitCode::Failed,
        }
    }
    if args.print_config || args.check_config {
        return ExitCode::Stopped;
    }
    if let Some(principal) = &args.bootstrap_key {
        return match bootstrap::run(&config, principal, args.force) {
            Ok(key) => {
                tell(&mut std::io::stdout(), &format!("{}\n", key.expose()));
                ExitCode::Stopped
            }
            Err(code) => code,
        };
    }
    control::run(&config, args.rejoin, args.ready_file.clone())
}

/// A reader who has gone is no fault of ours.
fn tell(out: &mut impl std::io::Write, text: &str) {
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
