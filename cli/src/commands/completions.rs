//! `completions`: what a shell needs to complete this program's command lines.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::CliError;
use crate::output::Output;

/// Which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the shell.
pub(crate) fn run(args: &CompletionsArgs, output: &mut Output<'_>) -> Result<(), CliError> {
    // By way of a buffer, since the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "pubsub-cli", &mut script);
    output.raw(&script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn completions_know_the_commands() {
        let mut script = Vec::new();
        run(&CompletionsArgs { shell: Shell::Bash }, &mut Output::new(Format::Table, &mut script)).unwrap();
        assert!(String::from_utf8(script).unwrap().contains("subscriptions"));
    }
}
