//! Runs a set of workloads with one command: starts the servers, one at a time, and keeps a report of each run and a page
//! of all.

pub mod builtin;
pub mod embedded;
pub mod process;
pub mod ratios;
pub mod set;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_api::client::TlsOptions;
use serde::Serialize;

use crate::host::{Host, HostError};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::{Origin, Report, html, json, text};
use crate::run::{self, RunError};
use crate::workload::Workload;
use crate::workload::file::{FileError, Override};

use process::{ServerProcess, StartError};
use ratios::Ratio;
use set::{RatioPlan, RunPlan, ServerPlan, Set, SetError};

/// What is run, and where its results go.
#[derive(Debug)]
pub struct Plan {
    /// The set.
    pub set: Set,
    /// The folder of its workload files; without, those that come with the program.
    pub workloads: Option<PathBuf>,
    /// What overrides each of them.
    pub overrides: Vec<Override>,
    /// Only these runs; all if there are none.
    pub only: Vec<String>,
    /// Where servers keep their data while they run.
    pub work: PathBuf,
    /// Where programs are looked for first.
    pub programs: Vec<PathBuf>,
    /// Where reports and the page go.
    pub out: PathBuf,
    /// The command line, for the reports.
    pub command: Vec<String>,
}

/// Why a set could not be run to its end. The reports of the runs before are written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum StandardError {
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{run}: {error}")]
    Run { run: String, error: RunError },
    #[error("{run}: it can't be measured: {error}")]
    Builtin { run: String, error: io::Error },
    #[error("{}: {error}", .path.display())]
    Path { path: PathBuf, error: io::Error },
    #[error("cannot tell what came of it: {0}")]
    Told(#[from] io::Error),
    #[error("no workload `{name}` comes with this program")]
    NoWorkload { name: String },
    #[error("--only {name}: the set has {known}")]
    NoSuchRun { name: String, known: String },
}

/// The ratios of a set, for programs.
#[derive(Debug, Serialize)]
struct RatioReport<'a> {
    #[serde(flatten)]
    plan: &'a RatioPlan,
    values: [Option<f64>; 2],
    ratio: Option<f64>,
    met: Option<bool>,
}

impl<'a> RatioReport<'a> {
    fn of(ratio: &'a Ratio) -> Self {
        Self { plan: &ratio.plan, values: ratio.values, ratio: ratio.value(), met: ratio.is_met() }
    }
}

/// Performs all runs; those whose server is not to be had are left out, and named. Returns whether all results are sound.
///
/// # Errors
///
/// When a run fails, or a result can't be written.
pub fn perform(plan: &Plan, progress: &mut dyn Progress, told: &mut dyn Write) -> Result<bool, StandardError> {
    fs::create_dir_all(&plan.out).map_err(at(&plan.out))?;
    let mut reports = BTreeMap::new();
    let mut left_out = Vec::new();
    let runs: Vec<&RunPlan> =
        plan.set.runs.iter().filter(|run| plan.only.is_empty() || plan.only.contains(&run.workload)).collect();
    for (number, run) in (1..).zip(&runs) {
        let workload = load(plan, &run.workload)?;
        writeln!(told, "{number} of {}: {}", runs.len(), workload.name.as_deref().unwrap_or(&run.workload))?;
        match perform_run(plan, run, &workload, progress)? {
            Ok(report) => {
                let path = plan.out.join(format!("{}.json", run.workload));
                File::create(&path).and_then(|mut file| json::write(&report, &mut file)).map_err(at(&path))?;
                writeln!(told, "    {}", text::headline(&report))?;
                reports.insert(run.workload.clone(), report);
            }
            Err(reason) => {
                writeln!(told, "    left out: {reason}")?;
                left_out.push(format!("{}: {reason}", workload.name.as_deref().unwrap_or(&run.workload)));
            }
        }
    }
    let ratios = Ratio::all(&plan.set.ratios, &reports);
    let ratios: Vec<Ratio> = ratios.into_iter().filter(|ratio| ratio.values.iter().any(Option::is_some)).collect();
    write_results(plan, &runs, &reports, (&ratios, &left_out))?;
    tell(&ratios, told)?;
    writeln!(told, "\n{}", plan.out.join("report.html").display())?;
    Ok(reports.values().all(Report::is_sound))
}

fn load(plan: &Plan, name: &str) -> Result<Workload, StandardError> {
    if let Some(folder) = &plan.workloads {
        return Ok(Workload::from_file(&folder.join(format!("{name}.yaml")), &plan.overrides)?);
    }
    let text = embedded::workload(name).ok_or_else(|| StandardError::NoWorkload { name: name.to_owned() })?;
    Ok(Workload::from_yaml(text, name, &plan.overrides)?)
}

/// The report, or why the run was left out.
fn perform_run(
    plan: &Plan,
    run: &RunPlan,
    workload: &Workload,
    progress: &mut dyn Progress,
) -> Result<Result<Report, String>, StandardError> {
    let no_server = || SetError::NoServer { origin: "the set".to_owned(), name: run.server.clone() };
    let server = plan.set.servers.get(&run.server).ok_or_else(no_server)?;
    let work = work_directory(&plan.work, &run.workload)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let origin = Origin {
        command: plan.command.clone(),
        started_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        machine: Machine::this(),
    };
    let report = match server.builtin {
        Some(builtin) => {
            let failed = |error| StandardError::Builtin { run: run.workload.clone(), error };
            let result = builtin.run(&work.0, workload).map_err(failed)?;
            Ok(Report::new(workload, &result, Vec::new(), origin))
        }
        None => match ServerProcess::start(server, &work.0, &plan.programs) {
            Ok(process) => Ok(measure((run, server), &process, workload, progress, origin)?),
            Err(StartError::NoProgram { program }) => Err(format!("`{program}` is not installed")),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(report)
}

fn measure(
    (run, server): (&RunPlan, &ServerPlan),
    process: &ServerProcess,
    workload: &Workload,
    progress: &mut dyn Progress,
    origin: Origin,
) -> Result<Report, StandardError> {
    let failed = |error| StandardError::Run { run: run.workload.clone(), error };
    let host = Host::new(workload.target, Some(&process.url), None, &TlsOptions::default())?;
    if let (true, Host::Broker(broker)) = (server.bare, &host) {
        let result = run::publish_only(broker, workload, progress).map_err(failed)?;
        return Ok(Report::new(workload, &result, Vec::new(), origin));
    }
    let (result, workload, steps) = run::run_steps(&host, workload, &process.pids, progress).map_err(failed)?;
    Ok(Report::new(&workload, &result, steps, origin))
}

fn write_results(
    plan: &Plan,
    runs: &[&RunPlan],
    reports: &BTreeMap<String, Report>,
    (ratios, left_out): (&[Ratio], &[String]),
) -> Result<(), StandardError> {
    let in_order: Vec<Report> = runs.iter().filter_map(|run| reports.get(&run.workload).cloned()).collect();
    let page = html::page_with("Standard load test", &in_order, &html::ratios_section(ratios, left_out));
    let path = plan.out.join("report.html");
    fs::write(&path, page).map_err(at(&path))?;
    let list: Vec<RatioReport<'_>> = ratios.iter().map(RatioReport::of).collect();
    let path = plan.out.join("ratios.json");
    File::create(&path).and_then(|file| Ok(serde_json::to_writer_pretty(file, &list)?)).map_err(at(&path))
}

/// Says of an error where it was.
fn at(path: &Path) -> impl Fn(io::Error) -> StandardError {
    move |error| StandardError::Path { path: path.to_owned(), error }
}

/// As the rows of a Markdown table.
fn tell(ratios: &[Ratio], told: &mut dyn Write) -> io::Result<()> {
    writeln!(told, "\n| run | against | figure | run | against | ratio | aim | |\n|---|---|---|---|---|---|---|---|")?;
    for ratio in ratios {
        let [run, against] = &ratio.titles;
        let [value, of] = ratio.values.map(|value| ratio.write(value));
        let told_ratio = ratio.value().map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let (figure, aim, verdict) = (ratio.figure(), ratio.aim(), ratio.verdict());
        writeln!(told, "| {run} | {against} | {figure} | {value} | {of} | {told_ratio} | {aim} | {verdict} |")?;
    }
    Ok(())
}

/// A directory that goes with this.
struct WorkDirectory(PathBuf);

fn work_directory(parent: &Path, name: &str) -> Result<WorkDirectory, StandardError> {
    let directory = parent.join(format!("loadtest-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).map_err(at(&directory))?;
    Ok(WorkDirectory(directory))
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
