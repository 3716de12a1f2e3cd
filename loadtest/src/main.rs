//! The program `pubsub-loadtest`: command line in, report out.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Parser as _;

use loadtest::args::{Args, Command, CommonArgs, Output, OutputArgs};
use loadtest::machine::Machine;
use loadtest::progress::{Bar, Progress, Silent};
use loadtest::report::{Origin, Report, json, text};
use loadtest::server::without_key;
use loadtest::workload::Workload;
use loadtest::{responder, run};

const USAGE: u8 = 2;
const UNSOUND: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    let (common, workload, output) = match &args.command {
        Command::Publish(command) => (Some(&command.common), command.workload(), &command.common.output),
        Command::Consume(command) => (Some(&command.common), command.workload(), &command.common.output),
        Command::EndToEnd(command) => (Some(&command.common), command.workload(), &command.common.output),
        Command::Read(command) => (Some(&command.common), command.workload(), &command.common.output),
        Command::FanOut(command) => (Some(&command.common), command.workload(), &command.common.output),
        Command::Ceiling(command) => (None, command.workload(), &command.output),
        Command::Completions(command) => return exit_code(command.print(&mut io::stdout())),
        Command::ManPages(command) => return exit_code(command.write()),
    };
    if let Err(error) = workload.check() {
        let _ = writeln!(io::stderr(), "error: {error}");
        return ExitCode::from(USAGE);
    }
    match perform(common, &workload, output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(UNSOUND),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn exit_code(written: io::Result<()>) -> ExitCode {
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

/// Runs and reports; whether the result is sound.
fn perform(common: Option<&CommonArgs>, workload: &Workload, output: &OutputArgs) -> anyhow::Result<bool> {
    let origin = Origin {
        command: without_key(std::env::args()),
        started_unix_ms: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?,
        machine: Machine::this(),
    };
    let mut progress: Box<dyn Progress> =
        if io::stderr().is_terminal() { Box::new(Bar::new()) } else { Box::new(Silent) };
    let result = if let Some(common) = common {
        run::run(&common.server()?, workload, progress.as_mut())?
    } else {
        let address = responder::start().context("cannot start the responder")?;
        let server = format!("http://{address}").parse()?;
        run::publish_only(&server, workload, progress.as_mut())?
    };
    let report = Report::new(workload, &result, origin);
    if let Some(path) = &output.report {
        let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        json::write(&report, &mut file).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&report, output.output)?;
    Ok(report.is_sound())
}

fn print(report: &Report, output: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = match output {
        Output::Text => text::write(report, &mut out),
        Output::Json => json::write(report, &mut out),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
