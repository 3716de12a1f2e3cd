//! A set of runs: the servers that it starts, what is run against which, and the ratios that it tells. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::standard::builtin::Builtin;

/// A set as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// By name.
    pub servers: BTreeMap<String, ServerPlan>,
    /// In their order.
    pub runs: Vec<RunPlan>,
    /// What is said of two runs.
    #[serde(default)]
    pub ratios: Vec<RatioPlan>,
}

/// How a server is started. In its texts, `{port}`, `{port2}`, `{port3}` and `{dir}` are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerPlan {
    /// One that is part of this program.
    pub builtin: Option<Builtin>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Another program that it needs, which lives as long.
    pub beside: Vec<String>,
    /// Where it is spoken to.
    pub url: String,
    /// A path that answers 200 when it is ready; without, it is ready when it listens.
    pub ready: Option<String>,
    /// Files that it reads, in its directory.
    pub files: BTreeMap<String, String>,
    /// Its environment, besides this program's own.
    pub environment: BTreeMap<String, String>,
    /// Whether it knows no topics, and is only published to.
    pub bare: bool,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPlan {
    /// The workload's file, without its ending.
    pub workload: String,
    /// The server's name.
    pub server: String,
}

/// A figure of one run in terms of another's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatioPlan {
    /// Which run.
    pub run: String,
    /// In terms of which.
    pub against: String,
    /// Which figure.
    pub figure: Figure,
    /// The ratio that is aimed at, or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The ratio that is aimed at, or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Figure {
    MessagesPerS,
    PayloadMbPerS,
    DeliveriesPerS,
    P50,
    P99,
}

/// Why a text is no set.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SetError {
    #[error("{origin}: {error}")]
    Yaml { origin: String, error: serde_yaml_ng::Error },
    #[error("{origin}: runs: there is no server `{name}`")]
    NoServer { origin: String, name: String },
    #[error("{origin}: ratios: there is no run `{name}`")]
    NoRun { origin: String, name: String },
    #[error("{origin}: servers.{name}: it has neither a command nor a builtin")]
    NoCommand { origin: String, name: String },
}

impl Set {
    /// The set in a text; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// When it names what it does not have: the message names the place.
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, SetError> {
        let origin = || origin.to_owned();
        let set: Self = serde_yaml_ng::from_str(text).map_err(|error| SetError::Yaml { origin: origin(), error })?;
        for (name, server) in &set.servers {
            if server.command.is_empty() && server.builtin.is_none() {
                return Err(SetError::NoCommand { origin: origin(), name: name.clone() });
            }
        }
        if let Some(run) = set.runs.iter().find(|run| !set.servers.contains_key(&run.server)) {
            return Err(SetError::NoServer { origin: origin(), name: run.server.clone() });
        }
        let is_run = |name: &String| set.runs.iter().any(|run| run.workload == *name);
        let missing =
            set.ratios.iter().flat_map(|ratio| [&ratio.run, &ratio.against]).find(|name| !is_run(name)).cloned();
        match missing {
            Some(name) => Err(SetError::NoRun { origin: origin(), name }),
            None => Ok(set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: &str = "servers: {a: {command: [x]}}\n";

    #[test]
    fn what_is_not_there_is_told() {
        for (text, part) in [
            (format!("{SERVERS}runs: [{{workload: w, server: b}}]"), "s: runs: there is no server `b`"),
            (
                format!("{SERVERS}runs: [{{workload: w, server: a}}]\nratios: [{{run: w, against: v, figure: p99}}]"),
                "s: ratios: there is no run `v`",
            ),
            ("servers: {a: {}}\nruns: []".to_owned(), "s: servers.a: it has neither a command nor a builtin"),
            ("servers: {a: {comand: [x]}}\nruns: []".to_owned(), "unknown field `comand`"),
        ] {
            let error = Set::from_yaml(&text, "s").unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
