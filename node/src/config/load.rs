//! Reads the layers one over the other: defaults, file, environment, flags. What is unknown is an error.

use std::path::{Path, PathBuf};

use serde_yaml_ng::{Mapping, Value as Yaml};

use super::{
    Config,
    schema::{Setting, settings},
    validate,
    value::Raw,
};
use crate::limits;

/// The file that is read if no other is named and it is there.
pub const DEFAULT_FILE: &str = "config.yaml";

/// Variables that begin like settings but belong to the tools.
const TOOL_VARIABLES: &[&str] =
    &["PUBSUB_SERVER", "PUBSUB_KEY", "PUBSUB_OUTPUT", "PUBSUB_CA_FILE", "PUBSUB_CLIENT_CERT", "PUBSUB_CLIENT_KEY"];

/// Where settings come from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by the caller; if none, [`DEFAULT_FILE`] is read where it exists.
    pub file: Option<PathBuf>,
    /// The environment; only variables that start with `PUBSUB_` matter.
    pub environment: Vec<(String, String)>,
    /// Settings given as flags: key and value.
    pub flags: Vec<(String, String)>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ConfigError {
    #[error("can't read {}: {error}", file.display())]
    File { file: PathBuf, error: std::io::Error },
    #[error("{} is larger than {limit} bytes", file.display())]
    FileTooLarge { file: PathBuf, limit: u64 },
    #[error("{} is not YAML: {error}", file.display())]
    Yaml { file: PathBuf, error: serde_yaml_ng::Error },
    #[error("{origin}: unknown setting `{key}`{}", suggestion(nearest.as_deref()))]
    Unknown { origin: String, key: String, nearest: Option<String> },
    #[error("{origin}: `{key}`: {reason}")]
    Value { origin: String, key: String, reason: String },
    #[error("{reason}")]
    Rule { reason: String },
}

/// Reads every source over the defaults and checks the whole.
///
/// # Errors
/// The first fault, with where it is written.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let default_file = Path::new(DEFAULT_FILE);
    if let Some(file) = sources.file.as_deref().or_else(|| default_file.exists().then_some(default_file)) {
        apply_file(&mut config, file)?;
    }
    for (variable, value) in &sources.environment {
        apply_variable(&mut config, variable, value)?;
    }
    for (key, value) in &sources.flags {
        apply(&mut config, "command line", key, &Raw::from_text(value))?;
    }
    validate::check(&config).map_err(|reason| ConfigError::Rule { reason })?;
    Ok(config)
}

fn apply_file(config: &mut Config, file: &Path) -> Result<(), ConfigError> {
    let unreadable = |error| ConfigError::File { file: file.to_owned(), error };
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    if length > limits::CONFIG_FILE_BYTES_MAX {
        return Err(ConfigError::FileTooLarge { file: file.to_owned(), limit: limits::CONFIG_FILE_BYTES_MAX });
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let root: Yaml =
        serde_yaml_ng::from_str(&text).map_err(|error| ConfigError::Yaml { file: file.to_owned(), error })?;
    let origin = file.display().to_string();
    match root {
        Yaml::Null => Ok(()),
        Yaml::Mapping(mapping) => apply_mapping(config, &origin, "", &mapping),
        Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) | Yaml::Sequence(_) | Yaml::Tagged(_) => {
            let reason = "expected sections with keys".to_owned();
            Err(ConfigError::Value { origin, key: "(whole file)".to_owned(), reason })
        }
    }
}

fn apply_mapping(config: &mut Config, origin: &str, prefix: &str, mapping: &Mapping) -> Result<(), ConfigError> {
    for (name, value) in mapping {
        let name = name.as_str().unwrap_or("(not a name)");
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let is_section = settings().any(|setting| is_below(setting.key, &key));
        match value {
            // A section with nothing below it, or only comments, says nothing.
            Yaml::Null if is_section => {}
            Yaml::Mapping(inner) => apply_mapping(config, origin, &key, inner)?,
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) | Yaml::Sequence(_) | Yaml::Tagged(_) => {
                let raw = Raw::from_yaml(value).unwrap_or(Raw::Scalar(String::new()));
                apply(config, origin, &key, &raw)?;
            }
        }
    }
    Ok(())
}

fn apply_variable(config: &mut Config, variable: &str, value: &str) -> Result<(), ConfigError> {
    if !variable.starts_with("PUBSUB_") || TOOL_VARIABLES.contains(&variable) {
        return Ok(());
    }
    if let Some(setting) = settings().find(|setting| setting.variable() == variable) {
        return apply(config, &format!("environment variable {variable}"), setting.key, &Raw::from_text(value));
    }
    if is_service_link(variable, value) {
        return Ok(());
    }
    let variables: Vec<_> = settings().map(Setting::variable).collect();
    let nearest = nearest(variable, variables.iter().map(String::as_str));
    Err(ConfigError::Unknown { origin: "environment".to_owned(), key: variable.to_owned(), nearest })
}

fn apply(config: &mut Config, origin: &str, key: &str, raw: &Raw) -> Result<(), ConfigError> {
    let (origin, key) = (origin.to_owned(), key.to_owned());
    let Some(setting) = settings().find(|setting| setting.key == key) else {
        let nearest = nearest(&key, settings().map(|setting| setting.key));
        return Err(ConfigError::Unknown { origin, key, nearest });
    };
    (setting.set)(config, raw).map_err(|reason| ConfigError::Value { origin, key, reason })
}

/// Whether Kubernetes put the variable there because a Service's name begins with `pubsub`: it is no setting.
fn is_service_link(variable: &str, value: &str) -> bool {
    let is_url = value.starts_with("tcp://") || value.starts_with("udp://");
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || (variable.ends_with("_PORT") && is_url)
        || (variable.contains("_PORT_") && (variable.contains("_TCP") || variable.contains("_UDP")))
}

fn is_below(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// The known name that is most like `unknown`, if any is like it at all.
fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(unknown, name);
    let best = known.max_by(|left, right| likeness(left).total_cmp(&likeness(right)))?;
    (likeness(best) >= limits::SUGGESTION_LIKENESS_MIN).then(|| best.to_owned())
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
