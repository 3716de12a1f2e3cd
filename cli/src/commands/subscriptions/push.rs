//! What a push subscription is told on the command line.

use std::fs::File;
use std::io::Read as _;

use gateway_api::Nullable;
use gateway_api::push::PushSettings;

use crate::limits;
use crate::values::{milliseconds, number_or_none};

/// Where and how a push subscription sends; what is not given takes its default, or stays as it is.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named after them")]
pub(super) struct PushArgs {
    /// Where a push subscription sends its messages
    #[arg(long, value_name = "URL")]
    push_url: Option<String>,
    /// What it signs its messages with; `--push-secret-file` shows it to nobody else on this machine
    #[arg(long, value_name = "SECRET")]
    push_secret: Option<String>,
    /// A file that holds what it signs its messages with
    #[arg(long, value_name = "FILE", value_parser = secret_in_file, conflicts_with = "push_secret")]
    push_secret_file: Option<SecretText>,
    /// Send without a signature from now on
    #[arg(long, conflicts_with_all = ["push_secret", "push_secret_file"])]
    push_unsigned: bool,
    /// How many requests may be under way at a time
    #[arg(long, value_name = "N")]
    push_max_in_flight: Option<u32>,
    /// How many requests may be begun in a second, or `none` for any number
    #[arg(long, value_name = "N", value_parser = number_or_none)]
    push_max_per_second: Option<Nullable<u32>>,
    /// How long a request may take
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    push_timeout: Option<u64>,
    /// Send nothing until `--push-resume`
    #[arg(long, conflicts_with = "push_resume")]
    push_pause: bool,
    /// Send again, also to an address that answered 410
    #[arg(long)]
    push_resume: bool,
}

/// A secret that was read from a file.
#[derive(Clone)]
struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl PushArgs {
    /// The settings as the API has them; none if nothing was given.
    pub(super) fn settings(&self) -> Option<PushSettings> {
        let secret = self.push_secret.clone().or_else(|| self.push_secret_file.clone().map(|secret| secret.0));
        let paused = if self.push_pause { Some(true) } else { self.push_resume.then_some(false) };
        let settings = PushSettings {
            url: self.push_url.clone(),
            secret: if self.push_unsigned { Some(Nullable::Null) } else { secret.map(Nullable::Value) },
            max_in_flight: self.push_max_in_flight,
            max_per_second: self.push_max_per_second,
            timeout_ms: self.push_timeout,
            paused,
        };
        (settings != PushSettings::default()).then_some(settings)
    }
}

/// The text of a file without the end of its last line, which editors add.
fn secret_in_file(path: &str) -> Result<SecretText, String> {
    let mut text = String::new();
    let mut file = File::open(path).map_err(|error| error.to_string())?.take(limits::SECRET_FILE_BYTES_MAX);
    file.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(SecretText(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        push: PushArgs,
    }

    fn json(line: &[&str]) -> String {
        let line = Line::try_parse_from([&["x"], line].concat()).unwrap();
        serde_json::to_string(&line.push.settings()).unwrap()
    }

    #[test]
    fn settings_are_those_of_the_api() {
        let line = ["--push-url", "https://a.example", "--push-max-in-flight", "3", "--push-max-per-second", "none"];
        assert_eq!(json(&line), r#"{"url":"https://a.example","max_in_flight":3,"max_per_second":null}"#);
        assert_eq!(json(&["--push-timeout", "2s", "--push-pause"]), r#"{"timeout_ms":2000,"paused":true}"#);
        assert_eq!(json(&["--push-resume", "--push-unsigned"]), r#"{"secret":null,"paused":false}"#);
        assert_eq!(json(&[]), "null");
    }

    #[test]
    fn a_secret_comes_from_a_file_without_the_end_of_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(json(&["--push-secret-file", path]), r#"{"secret":"hunter2"}"#);
        let line = Line::try_parse_from(["x", "--push-secret-file", path]).unwrap();
        assert!(!format!("{:?}", line.push).contains("hunter2"));
        assert!(Line::try_parse_from(["x", "--push-secret-file", "/no/such/file"]).is_err());
    }
}
