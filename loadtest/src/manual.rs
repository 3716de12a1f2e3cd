//! Manual pages and completions, made of the command line itself.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Args;

/// `completions`.
#[derive(Debug, ClapArgs)]
pub struct CompletionsCommand {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `man-pages`.
#[derive(Debug, ClapArgs)]
pub struct ManPagesCommand {
    /// A directory that is there, such as /usr/local/share/man/man1.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

impl CompletionsCommand {
    /// Prints the script.
    ///
    /// # Errors
    /// It can't be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        // By way of a buffer, since the generator panics when its writer fails.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "pubsub-loadtest", &mut script);
        out.write_all(&script)
    }
}

impl ManPagesCommand {
    /// Writes a page for each command.
    ///
    /// # Errors
    /// They can't be written.
    pub fn write(&self) -> io::Result<()> {
        clap_mangen::generate_to(Args::command(), &self.directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_completions() {
        let directory = tempfile::tempdir().unwrap();
        ManPagesCommand { directory: directory.path().to_owned() }.write().unwrap();
        let mut script = Vec::new();
        CompletionsCommand { shell: Shell::Bash }.print(&mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for command in Args::command().get_subcommands() {
            let page = directory.path().join(format!("pubsub-loadtest-{}.1", command.get_name()));
            assert!(page.exists(), "{}", page.display());
            assert!(script.contains(command.get_name()), "{}", command.get_name());
        }
        assert!(ManPagesCommand { directory: directory.path().join("nowhere") }.write().is_err());
    }
}
