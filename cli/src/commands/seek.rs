//! `seek`: moves a subscription to another place.

use std::collections::BTreeMap;

use gateway_api::client::Client;
use gateway_api::subscriptions::{Position, SeekRequest};

use crate::error::{CliError, Doing as _};
use crate::output::Output;
use crate::values::partition_offset;

/// Which subscription, and where to.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("where").required(true).args(["to", "offsets"]))]
pub(crate) struct SeekArgs {
    /// The subscription's name
    subscription: String,
    /// Every partition: earliest, latest or an RFC 3339 time
    #[arg(long, value_name = "WHERE")]
    to: Option<Position>,
    /// One partition; may be given for several
    #[arg(long = "offset", value_name = "PARTITION=OFFSET", value_parser = partition_offset)]
    offsets: Vec<(u32, u64)>,
}

/// Moves it, and shows where it stands.
pub(crate) async fn run(args: SeekArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let moved = client.seek(&args.subscription, &args.request()).await;
    output.result(&moved.doing(|| format!("move subscription `{}`", args.subscription))?)
}

impl SeekArgs {
    fn request(&self) -> SeekRequest {
        let offsets: BTreeMap<_, _> = self.offsets.iter().copied().collect();
        SeekRequest { to: self.to, offsets: (!offsets.is_empty()).then_some(offsets) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        seek: SeekArgs,
    }

    fn request(line: &str) -> Result<String, clap::Error> {
        let line = Line::try_parse_from(line.split(' '))?;
        Ok(serde_json::to_string(&line.seek.request()).unwrap())
    }

    #[test]
    fn a_seek_goes_to_a_place_or_to_offsets() {
        assert_eq!(request("x s --to earliest").unwrap(), r#"{"to":"earliest"}"#);
        assert_eq!(request("x s --offset 1=7 --offset 0=42").unwrap(), r#"{"offsets":{"0":42,"1":7}}"#);
        assert!(request("x s").is_err());
        assert!(request("x s --to latest --offset 0=1").is_err());
        assert!(request("x s --to yesterday").is_err());
    }
}
