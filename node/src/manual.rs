//! What a package of the node carries beside the binary: its manual page and completions, made of the command line itself.

use std::{io, path::Path};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;

/// Writes the manual page, `pubsub-node.1`, into a directory that is there.
///
/// # Errors
/// The file can't be written.
pub fn write_pages(directory: &Path) -> io::Result<()> {
    clap_mangen::generate_to(Args::command(), directory)
}

/// The script that completes command lines in a shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "pubsub-node", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_completions_have_every_flag() {
        let directory = tempfile::tempdir().unwrap();
        write_pages(directory.path()).unwrap();
        // In a manual page each hyphen of a flag is escaped.
        let page = std::fs::read_to_string(directory.path().join("pubsub-node.1")).unwrap().replace("\\-", "-");
        let script = String::from_utf8(completions(Shell::Bash)).unwrap();
        let command = Args::command();
        let flags: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert!(flags.len() > 10, "{flags:?}");
        for flag in flags {
            assert!(page.contains(&format!("--{flag}")), "the page has no --{flag}:\n{page}");
            assert!(script.contains(&format!("--{flag}")), "the completions have no --{flag}");
        }
        assert!(write_pages(&directory.path().join("nowhere")).is_err());
    }
}
