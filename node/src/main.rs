//! `pubsub-node`: reads the command line, checks the machine, runs the node until it is told to stop.

use clap::Parser as _;
use node::args::Args;

fn main() -> std::process::ExitCode {
    drop(Args::parse());
    node::exit_code::ExitCode::Failed.into()
}
