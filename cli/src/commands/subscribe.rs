//! `subscribe`: prints messages as they come, from a topic or a subscription.

mod quota;
mod session;
mod template;

use gateway_api::client::WebSocketClient;
use gateway_api::frame::{Subscribe, SubscribeFrom};

use self::quota::Quota;
use self::session::{Session, Source};
use self::template::Template;
use crate::args::GlobalArgs;
use crate::error::{CliError, Doing as _};
use crate::output::{Format, Output};

/// What to read, from where on, and how to print it.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["topic", "subscription"]))]
pub(crate) struct SubscribeArgs {
    /// A topic, read without a subscription
    topic: Option<String>,
    /// A subscription; its messages are acked once they are printed
    #[arg(long, short, value_name = "NAME")]
    subscription: Option<String>,
    /// Where reading a topic starts: latest, earliest or a cursor
    #[arg(long, value_name = "WHERE", default_value = "latest", conflicts_with = "subscription")]
    from: SubscribeFrom,
    /// Which messages of a topic to read, such as 'priority >= 5'
    #[arg(long, value_name = "FILTER", conflicts_with = "subscription")]
    filter: Option<String>,
    /// The consumer that comes back, where partitions are assigned (see `groups`)
    #[arg(long, value_name = "ID", conflicts_with = "topic")]
    consumer_id: Option<String>,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How to print a message, such as '{partition}:{offset} {key} {data}'
    #[arg(long, value_name = "FORMAT", long_help = template::HELP)]
    format: Option<Template>,
    /// Don't ack: the messages are delivered again once this ends
    #[arg(long, conflicts_with = "topic")]
    no_ack: bool,
}

/// Prints messages until there were enough, or the user has had enough.
pub(crate) async fn run(args: SubscribeArgs, global: &GlobalArgs, output: &mut Output<'_>) -> Result<(), CliError> {
    if args.format.is_some() && output.format() != Format::Table {
        let detail = "--format and --output exclude each other".to_owned();
        return Err(CliError::Usage { detail });
    }
    let source = match (args.topic, args.subscription) {
        (_, Some(subscription)) => Source::Subscription(subscription),
        (Some(topic), None) => Source::Topic(topic),
        (None, None) => return Err(CliError::Usage { detail: "give a topic or a subscription".to_owned() }),
    };
    let quota = Quota::new(args.count);
    let subscribe = Subscribe {
        reference: Some(session::SUBSCRIBE_REF),
        topic: source.topic().map(|topic| topic.to_owned().into()),
        subscription: source.subscription().map(|subscription| subscription.to_owned().into()),
        from: source.topic().is_some().then_some(args.from),
        filter: args.filter.map(Into::into),
        credit: Some(quota.first_credit()),
        consumer_id: args.consumer_id.map(Into::into),
    };
    let socket = WebSocketClient::connect(&global.server, global.key.as_ref()).await;
    let socket = socket.doing(|| format!("subscribe to {source}"))?;
    let template = args.format.unwrap_or_default();
    Session::new(source, quota, !args.no_ack, template).run(socket, subscribe, output).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        subscribe: SubscribeArgs,
    }

    #[test]
    fn a_subscribe_has_one_source() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.subscribe);
        assert_eq!(parse("x orders --from earliest --count 3").unwrap().from, SubscribeFrom::Earliest);
        assert!(parse("x --subscription s --no-ack").unwrap().no_ack);
        assert_eq!(parse("x orders --filter attributes:a").unwrap().filter.unwrap(), "attributes:a");
        assert_eq!(parse("x --subscription s --consumer-id ann").unwrap().consumer_id.unwrap(), "ann");
        for line in ["x --subscription s --filter attributes:a", "x orders --consumer-id ann"] {
            assert!(parse(line).is_err(), "{line}");
        }
        let bad = ["x", "x orders --subscription s", "x orders --no-ack", "x --subscription s --from earliest"];
        for line in bad {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("x orders --count 0").is_err());
        assert!(parse("x orders --from yesterday").is_err());
    }
}
