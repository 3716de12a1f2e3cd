//! `man-pages`: a manual page for each command, made of the command line itself.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::args::Args;
use crate::error::CliError;

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct ManPagesArgs {
    /// A directory that is there, such as /usr/local/share/man/man1
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes `pubsub-cli.1`, `pubsub-cli-topics.1` and so on.
pub(crate) fn run(args: &ManPagesArgs) -> Result<(), CliError> {
    clap_mangen::generate_to(Args::command(), &args.directory)
        .map_err(|error| CliError::Usage { detail: format!("cannot write into {}: {error}", args.directory.display()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        run(&ManPagesArgs { directory: directory.path().to_owned() }).unwrap();
        // In a manual page each hyphen of an option is escaped.
        let page = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap().replace("\\-", "-");
        assert!(page("pubsub-cli.1").contains("cannot connect"), "the exit codes are in it");
        assert!(page("pubsub-cli-topics-create.1").contains("--partitions"));
        for command in Args::command().get_subcommands() {
            assert!(page(&format!("pubsub-cli-{}.1", command.get_name())).contains("--server"));
        }
        let nowhere = run(&ManPagesArgs { directory: directory.path().join("nowhere") }).unwrap_err();
        assert!(nowhere.report().contains("nowhere"), "{}", nowhere.report());
    }
}
