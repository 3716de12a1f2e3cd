//! `ack`, `nack` and `extend`: what becomes of messages that were pulled.

use gateway_api::CowStr;
use gateway_api::client::Client;
use gateway_api::consume::{AckRequest, AckResponse, ExtendRequest, NackRequest};

use crate::error::{CliError, Doing as _};
use crate::output::{Output, Render, Table};
use crate::values::milliseconds;

/// Which messages are done.
#[derive(Debug, clap::Args)]
pub(crate) struct AckArgs {
    /// The subscription's name
    subscription: String,
    /// The ack ids of the messages, as pulled
    #[arg(required_unless_present = "partition", conflicts_with = "partition")]
    ack_ids: Vec<String>,
    /// All of this partition instead, as far as `--up-to`
    #[arg(long, value_name = "N", requires = "up_to")]
    partition: Option<u32>,
    /// The last offset that is done
    #[arg(long, value_name = "OFFSET", requires = "partition", conflicts_with = "ack_ids")]
    up_to: Option<u64>,
    /// The consumer that acks, where partitions are assigned (see `groups`)
    #[arg(long, value_name = "ID", requires_all = ["generation", "up_to"])]
    consumer_id: Option<String>,
    /// The generation in which it got its partitions
    #[arg(long, value_name = "N", requires = "consumer_id")]
    generation: Option<u64>,
}

/// Which messages are to be delivered again.
#[derive(Debug, clap::Args)]
pub(crate) struct NackArgs {
    /// The subscription's name
    subscription: String,
    /// The ack ids of the messages, as pulled
    #[arg(required = true)]
    ack_ids: Vec<String>,
    /// After how long; the subscription's back-off if it is not given
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    delay: Option<u64>,
    /// Make them dead letters instead
    #[arg(long, conflicts_with = "delay")]
    dead_letter: bool,
}

/// Which messages need more time.
#[derive(Debug, clap::Args)]
pub(crate) struct ExtendArgs {
    /// The subscription's name
    subscription: String,
    /// The ack ids of the messages, as pulled
    #[arg(required = true)]
    ack_ids: Vec<String>,
    /// Their new ack deadline, counted from now; the subscription's if it is not given
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    deadline: Option<u64>,
}

/// Says that messages are done.
pub(crate) async fn ack(args: AckArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let request = AckRequest {
        ack_ids: borrowed(&args.ack_ids),
        partition: args.partition,
        up_to_offset: args.up_to,
        consumer_id: args.consumer_id.as_deref().map(CowStr::from),
        generation: args.generation,
    };
    let answer = client.ack(&args.subscription, &request).await;
    print(&answer.doing(|| format!("ack messages of `{}`", args.subscription))?, "acks", output)
}

/// Has messages delivered again.
pub(crate) async fn nack(args: NackArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let request = NackRequest {
        ack_ids: borrowed(&args.ack_ids),
        delay_ms: args.delay,
        dead_letter: args.dead_letter.then_some(true),
    };
    let answer = client.nack(&args.subscription, &request).await;
    print(&answer.doing(|| format!("nack messages of `{}`", args.subscription))?, "nacks", output)
}

/// Asks for more time with messages.
pub(crate) async fn extend(args: ExtendArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let request = ExtendRequest { ack_ids: borrowed(&args.ack_ids), deadline_ms: args.deadline };
    let answer = client.extend(&args.subscription, &request).await;
    print(&answer.doing(|| format!("extend leases of `{}`", args.subscription))?, "extensions", output)
}

/// What was refused is an error of the command, after all of it was printed.
pub(super) fn check(answer: &AckResponse, what: &'static str) -> Result<(), CliError> {
    let Some(first) = answer.failed.first() else { return Ok(()) };
    let failed = answer.failed.len() as u64;
    let detail = format!(" (ack id {})", first.ack_id);
    Err(CliError::Partly { what, failed, total: failed + answer.succeeded, code: first.code, detail })
}

impl Render for AckResponse {
    fn table(&self) -> Table {
        let table =
            Table::fields([("Succeeded", self.succeeded.to_string()), ("Failed", self.failed.len().to_string())]);
        if self.failed.is_empty() {
            return table;
        }
        let mut table = table.then(&["ACK ID", "CODE"]);
        for failed in &self.failed {
            table.row([failed.ack_id.as_str(), failed.code.as_str()]);
        }
        table
    }
}

fn print(answer: &AckResponse, what: &'static str, output: &mut Output<'_>) -> Result<(), CliError> {
    output.result(answer)?;
    check(answer, what)
}

fn borrowed(ack_ids: &[String]) -> Vec<CowStr<'_>> {
    ack_ids.iter().map(|ack_id| CowStr::from(ack_id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use gateway_api::Code;
    use gateway_api::consume::FailedAck;

    use super::*;
    use crate::exit_code::ExitKind;
    use crate::output::Format;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        ack: AckArgs,
    }

    #[test]
    fn an_ack_takes_ids_or_the_beginning_of_a_partition() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.ack);
        assert_eq!(parse("x s a b").unwrap().ack_ids, ["a", "b"]);
        let ack = parse("x s --partition 1 --up-to 9").unwrap();
        assert_eq!((ack.partition, ack.up_to), (Some(1), Some(9)));
        for line in ["x s", "x s a --partition 1 --up-to 9", "x s --partition 1", "x s a --up-to 9"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_refused_ack_is_printed_and_is_an_error() {
        let failed = vec![FailedAck { ack_id: "b".to_owned(), code: Code::LeaseExpired }];
        let answer = AckResponse { succeeded: 1, failed };
        let mut bytes = Vec::new();
        let error = print(&answer, "acks", &mut Output::new(Format::Table, &mut bytes)).unwrap_err();
        assert_eq!(error.exit_kind(), ExitKind::Conflict);
        assert_eq!(error.to_string(), "1 of 2 acks failed, the first one with lease_expired (ack id b)");
        let table = String::from_utf8(bytes).unwrap();
        assert_eq!(table, "Succeeded  1\nFailed     1\n\nACK ID  CODE\nb       lease_expired\n");
    }
}
