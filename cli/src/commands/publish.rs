//! `publish`: a message, a file, or each line of standard input.

mod lines;
mod message;
mod pace;
mod progress;
mod render;
mod stream;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use gateway_api::client::Client;
use gateway_api::limits::{BATCH_MESSAGES_MAX, BODY_BYTES_MAX};
use gateway_api::publish::{PublishRequest, PublishResult};

use self::message::MessageArgs;
use self::progress::Progress;
use self::stream::Stream;
use crate::error::{CliError, Doing as _};
use crate::output::{Format, Output};
use crate::values::per_second;

/// What to publish, and where.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("payload").required(true).args(["message", "file", "stdin"]))]
pub(crate) struct PublishArgs {
    /// The topic's name
    topic: String,
    /// The message
    message: Option<OsString>,
    /// Publish this file as one message; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Publish each line of standard input as a message
    #[arg(long, conflicts_with = "id")]
    stdin: bool,
    /// Makes it safe to publish the message again, with the same key
    // Lines would all be published under it, and all but the first batch taken for repeats.
    #[arg(long, value_name = "KEY", conflicts_with = "stdin")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    options: MessageArgs,
    /// Publish at most so many messages per second
    #[arg(long, value_name = "N/s", value_parser = per_second, conflicts_with_all = ["message", "file"])]
    rate: Option<f64>,
    /// How many lines may go together in one request, if so many are there
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=BATCH_MESSAGES_MAX as u64)
    )]
    batch: usize,
}

/// Publishes it.
pub(crate) async fn run(args: PublishArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    if args.stdin {
        let progress = Progress::new(bar_fits(output.format()));
        let lines = lines::spawn(io::stdin(), pace::batch_size(args.batch, args.rate));
        let stream = Stream { topic: &args.topic, options: &args.options, rate: args.rate };
        return stream.run(lines, client, &progress, output).await;
    }
    let payload = match (&args.message, &args.file) {
        (Some(message), _) => message.as_encoded_bytes().to_vec(),
        (None, Some(file)) => read_file(file)?,
        (None, None) => Vec::new(),
    };
    // A file is bytes, whatever they look like; what was typed is text.
    let message = args.options.message(&payload, args.file.is_some());
    let request = PublishRequest { messages: vec![message] };
    let published = match &args.idempotency_key {
        None => client.publish(&args.topic, &request).await,
        Some(key) => client.publish_once(&args.topic, &request, key).await,
    };
    let response = published.doing(|| format!("publish to `{}`", args.topic))?;
    match response.results.first() {
        Some(PublishResult::Published(published)) => output.result(published),
        Some(PublishResult::Failed { error }) => Err(render::partly(1, 1, error)),
        None => Err(CliError::Render { format: "a result", detail: "the node gave none".to_owned() }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Input { what: format!("`{}`", path.display()), source };
    let reader: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut payload = Vec::new();
    reader.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut payload).map_err(failed)?;
    if payload.len() > BODY_BYTES_MAX {
        let detail = format!("it has more than {BODY_BYTES_MAX} bytes, which is more than a node takes");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, detail)));
    }
    Ok(payload)
}

/// Whether a progress bar disturbs neither what is printed nor what is typed.
fn bar_fits(format: Format) -> bool {
    let quiet = format == Format::Table || !io::stdout().is_terminal();
    quiet && io::stderr().is_terminal() && !io::stdin().is_terminal()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        publish: PublishArgs,
    }

    #[test]
    fn a_publish_has_one_source() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.publish);
        assert_eq!(parse("x orders hello").unwrap().message.unwrap(), "hello");
        assert!(parse("x orders --stdin --rate 100/s --batch 10").unwrap().stdin);
        assert!(parse("x orders --file a.png --content-type image/png").unwrap().file.is_some());
        assert_eq!(parse("x orders hello --idempotency-key k").unwrap().idempotency_key.unwrap(), "k");
        assert!(parse("x orders --stdin --idempotency-key k").is_err());
        for line in ["x orders", "x orders hello --stdin", "x orders --stdin --id a", "x orders hello --rate 5"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("x orders --stdin --batch 0").is_err());
        assert!(parse("x orders hello --priority 10").is_err());
    }

    #[test]
    fn a_file_is_read_as_it_is() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[0, 255, b'\n']).unwrap();
        assert_eq!(read_file(file.path()).unwrap(), [0, 255, b'\n']);
        assert!(read_file(Path::new("/does/not/exist")).unwrap_err().to_string().contains("/does/not/exist"));
    }
}
