//! The program `pubsub-loadtest`: command line in, report out.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Parser as _;

use loadtest::args::{Args, Command, CompareCommand, HtmlCommand, Output, OutputArgs, ServerArgs, StandardCommand};
use loadtest::machine::Machine;
use loadtest::progress::{Bar, Progress, Silent};
use loadtest::report::{Origin, Report, compare, html, json, text};
use loadtest::server::without_key;
use loadtest::workload::Workload;
use loadtest::{responder, run, standard};

const USAGE: u8 = 2;
const UNSOUND: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Command::Publish(command) => checked(Some(&command.common.server), &command.workload(), &command.common.output),
        Command::Consume(command) => checked(Some(&command.common.server), &command.workload(), &command.common.output),
        Command::EndToEnd(command) => {
            checked(Some(&command.common.server), &command.workload(), &command.common.output)
        }
        Command::Read(command) => checked(Some(&command.common.server), &command.workload(), &command.common.output),
        Command::FanOut(command) => checked(Some(&command.common.server), &command.workload(), &command.common.output),
        Command::Ceiling(command) => checked(None, &command.workload(), &command.output),
        Command::Run(command) => match command.workload() {
            Ok(workload) => checked(Some(&command.server), &workload, &command.output),
            Err(error) => Ok(wrong_usage(&error)),
        },
        Command::Standard(command) => standard_set(command),
        Command::Compare(command) => compare_reports(command),
        Command::Html(command) => html_of_reports(command),
        Command::Completions(command) => Ok(exit_code(command.print(&mut io::stdout()))),
        Command::ManPages(command) => Ok(exit_code(command.write())),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn wrong_usage(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(USAGE)
}

fn checked(server: Option<&ServerArgs>, workload: &Workload, output: &OutputArgs) -> anyhow::Result<ExitCode> {
    if let Err(error) = workload.check() {
        return Ok(wrong_usage(&error));
    }
    let is_sound = perform(server, workload, output)?;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(UNSOUND) })
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
fn perform(server: Option<&ServerArgs>, workload: &Workload, output: &OutputArgs) -> anyhow::Result<bool> {
    let origin = Origin {
        command: without_key(std::env::args()),
        started_unix_ms: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?,
        machine: Machine::this(),
    };
    let mut progress = progress();
    let (result, workload, steps) = if let Some(server) = server {
        let host = server.host(workload.target)?;
        run::run_steps(&host, workload, &server.server_pid, progress.as_mut())?
    } else {
        let address = responder::start().context("cannot start the responder")?;
        let server = format!("http://{address}").parse()?;
        (run::publish_only(&server, workload, progress.as_mut())?, workload.clone(), Vec::new())
    };
    let report = Report::new(&workload, &result, steps, origin);
    if let Some(path) = &output.report {
        write_file(path, |file| json::write(&report, file))?;
    }
    if let Some(path) = &output.html {
        let page = html::page(&report.title(), std::slice::from_ref(&report), None);
        write_file(path, |file| file.write_all(page.as_bytes()))?;
    }
    print(|out| match output.output {
        Output::Text => text::write(&report, out),
        Output::Json => json::write(&report, out),
    })?;
    Ok(report.is_sound())
}

fn standard_set(command: &StandardCommand) -> anyhow::Result<ExitCode> {
    let plan = match command.plan(without_key(std::env::args())) {
        Ok(plan) => plan,
        Err(error) => return Ok(wrong_usage(&error)),
    };
    let is_sound = standard::perform(&plan, progress().as_mut(), &mut io::stdout())?;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(UNSOUND) })
}

/// A bar for people, nothing for files.
fn progress() -> Box<dyn Progress> {
    if io::stderr().is_terminal() { Box::new(Bar::new()) } else { Box::new(Silent) }
}

fn compare_reports(command: &CompareCommand) -> anyhow::Result<ExitCode> {
    let (a, b) = (json::read_file(&command.a)?, json::read_file(&command.b)?);
    let comparison = compare::Comparison::of(&a, &b);
    if let Some(path) = &command.html {
        let title = format!("{} and {}", a.title(), b.title());
        let page = html::page(&title, &[a, b], Some(&comparison));
        write_file(path, |file| file.write_all(page.as_bytes()))?;
    }
    print(|out| comparison.write(out))?;
    Ok(ExitCode::SUCCESS)
}

fn html_of_reports(command: &HtmlCommand) -> anyhow::Result<ExitCode> {
    let reports = command.reports.iter().map(|path| json::read_file(path)).collect::<Result<Vec<_>, _>>()?;
    let page = html::page(&command.title, &reports, None);
    write_file(&command.html, |file| file.write_all(page.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let create_and_write = || {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    create_and_write().with_context(|| format!("cannot write {}", path.display()))
}

fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write(&mut out) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
