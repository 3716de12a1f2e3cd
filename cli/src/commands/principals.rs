//! `principals` and `whoami`: who may do what.

use clap::{Args, Subcommand};
use gateway_api::Page;
use gateway_api::access::{Action, Grant, Limits, Principal, PrincipalSettings, Whoami};
use gateway_api::client::Client;
use serde::Serialize;
use serde::de::value::{Error, StrDeserializer};

use crate::error::{CliError, Doing as _};
use crate::output::{Output, Render, Table, api_word, or_dash};
use crate::pages;

/// What to do with principals.
#[derive(Debug, Subcommand)]
pub(crate) enum PrincipalsCommand {
    /// List all principals
    List,
    /// Show a principal
    Describe {
        /// The principal's name
        principal: String,
    },
    /// Create a principal, or say anew what it may do: all that is not given is taken away
    Put {
        /// The principal's name
        principal: String,
        #[command(flatten)]
        grants: GrantsArgs,
        #[command(flatten)]
        limits: LimitsArgs,
        /// Only if the principal still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Delete a principal and its keys
    Delete {
        /// The principal's name
        principal: String,
        /// Only if the principal still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
}

/// What a principal may do.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct GrantsArgs {
    /// Allow actions on topics, such as `orders-*=publish,consume`; may be repeated
    #[arg(long = "topics", value_name = "PREFIX=ACTIONS", value_parser = scoped)]
    topics: Vec<(String, Vec<Action>)>,
    /// Allow actions on subscriptions, such as `billing=consume`; may be repeated
    #[arg(long = "subscriptions", value_name = "PREFIX=ACTIONS", value_parser = scoped)]
    subscriptions: Vec<(String, Vec<Action>)>,
    /// Allow everything
    #[arg(long)]
    admin: bool,
}

/// How much a principal may use.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct LimitsArgs {
    /// Messages published in a second
    #[arg(long, value_name = "NUMBER")]
    messages_per_s: Option<u64>,
    /// Bytes of requests in a second
    #[arg(long, value_name = "NUMBER")]
    bytes_per_s: Option<u64>,
    /// Requests and frames in a second
    #[arg(long, value_name = "NUMBER")]
    requests_per_s: Option<u64>,
    /// Connections of WebSocket at a time
    #[arg(long, value_name = "NUMBER")]
    connections: Option<u64>,
    /// Topics within its grants to manage
    #[arg(long, value_name = "NUMBER")]
    topics_max: Option<u64>,
    /// Subscriptions within its grants to manage
    #[arg(long, value_name = "NUMBER")]
    subscriptions_max: Option<u64>,
    /// Requests under way at a time
    #[arg(long, value_name = "NUMBER")]
    in_flight: Option<u64>,
}

/// Does it.
pub(crate) async fn run(command: PrincipalsCommand, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        PrincipalsCommand::List => list(client, output).await,
        PrincipalsCommand::Describe { principal } => {
            let tagged = client.principal(&principal).await.doing(|| format!("describe principal `{principal}`"))?;
            output.result(&Described { value: tagged.value, etag: tagged.etag })
        }
        PrincipalsCommand::Put { principal, grants, limits, if_match } => {
            let settings = PrincipalSettings { grants: grants.grants(), limits: limits.limits() };
            let put = client.put_principal(&principal, &settings, if_match.as_deref()).await;
            let put = put.doing(|| format!("put principal `{principal}`"))?;
            output.result(&Described { value: put.value, etag: None })
        }
        PrincipalsCommand::Delete { principal, if_match } => {
            let action = || format!("delete principal `{principal}`");
            client.delete_principal(&principal, if_match.as_deref()).await.doing(action)?;
            output.note(&format!("Deleted principal {principal} and its keys."))
        }
    }
}

/// Shows who the node takes us for.
pub(crate) async fn whoami(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let whoami = client.whoami().await.doing(|| "ask who we are".to_owned())?;
    output.result(&Me(whoami))
}

async fn list(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let fetch = async |token: Option<&str>| client.principals(None, token).await.doing(|| "list principals".to_owned());
    pages::show(&pages::all(fetch).await?, "There are no principals.", output)
}

impl GrantsArgs {
    fn grants(self) -> Vec<Grant> {
        let admin =
            self.admin.then(|| Grant { topic_prefix: None, subscription_prefix: None, actions: vec![Action::Admin] });
        let topics = self.topics.into_iter().map(|(prefix, actions)| Grant {
            topic_prefix: Some(prefix),
            subscription_prefix: None,
            actions,
        });
        let subscriptions = self.subscriptions.into_iter().map(|(prefix, actions)| Grant {
            topic_prefix: None,
            subscription_prefix: Some(prefix),
            actions,
        });
        topics.chain(subscriptions).chain(admin).collect()
    }

    /// The grants of a principal that is to be created, if any are given.
    pub(super) fn some_grants(self) -> Option<Vec<Grant>> {
        let grants = self.grants();
        (!grants.is_empty()).then_some(grants)
    }
}

impl LimitsArgs {
    const fn limits(self) -> Limits {
        Limits {
            messages_per_s: self.messages_per_s,
            bytes_per_s: self.bytes_per_s,
            requests_per_s: self.requests_per_s,
            connections: self.connections,
            topics: self.topics_max,
            subscriptions: self.subscriptions_max,
            in_flight: self.in_flight,
        }
    }

    /// The limits, if any are given.
    pub(super) fn some_limits(self) -> Option<Limits> {
        let limits = self.limits();
        (limits != Limits::default()).then_some(limits)
    }
}

/// A prefix and what is allowed there: `orders-*=publish,consume`.
fn scoped(text: &str) -> Result<(String, Vec<Action>), String> {
    let (prefix, actions) = text.split_once('=').ok_or("expected PREFIX=ACTIONS, such as orders-*=publish,consume")?;
    let action = |word: &str| {
        serde::Deserialize::deserialize(StrDeserializer::<Error>::new(word.trim())).map_err(|error| error.to_string())
    };
    Ok((prefix.to_owned(), actions.split(',').map(action).collect::<Result<_, String>>()?))
}

/// A principal and its tag; the tag is shown to people only.
#[derive(Serialize)]
#[serde(transparent)]
struct Described {
    value: Principal,
    #[serde(skip)]
    etag: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Me(Whoami);

impl Render for Described {
    fn table(&self) -> Table {
        let Principal { name, grants, limits, created_at } = &self.value;
        let table = Table::fields([
            ("Name", name.clone()),
            ("Limits", limits_in_words(limits)),
            ("Created", created_at.to_string()),
            ("Etag", or_dash(self.etag.clone())),
        ]);
        add_grants(table, grants)
    }
}

impl Render for Me {
    fn table(&self) -> Table {
        let Whoami { principal, grants, limits, expires_at } = &self.0;
        let table = Table::fields([
            ("Principal", principal.clone().unwrap_or_else(|| "anyone: no keys are asked for".to_owned())),
            ("Limits", limits_in_words(limits)),
            ("Expires", or_dash(expires_at.map(|time| time.to_string()))),
        ]);
        add_grants(table, grants)
    }
}

impl Render for Page<Principal> {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["NAME", "GRANTS", "LIMITS", "CREATED"]);
        for Principal { name, grants, limits, created_at } in &self.items {
            let grants = grants.iter().map(grant_in_words).collect::<Vec<_>>().join("; ");
            table.row([name.clone(), or_dash(Some(grants)), limits_in_words(limits), created_at.to_string()]);
        }
        table
    }
}

fn add_grants(table: Table, grants: &[Grant]) -> Table {
    let mut table = table.then(&["GRANT"]);
    for grant in grants {
        table.row([grant_in_words(grant)]);
    }
    table
}

fn grant_in_words(grant: &Grant) -> String {
    let actions = grant.actions.iter().map(api_word).collect::<Vec<_>>().join(",");
    match (&grant.topic_prefix, &grant.subscription_prefix) {
        (Some(prefix), _) => format!("topics {prefix}: {actions}"),
        (None, Some(prefix)) => format!("subscriptions {prefix}: {actions}"),
        (None, None) => actions,
    }
}

fn limits_in_words(limits: &Limits) -> String {
    let Limits { messages_per_s, bytes_per_s, requests_per_s, connections, topics, subscriptions, in_flight } = *limits;
    let named = [
        ("messages/s", messages_per_s),
        ("bytes/s", bytes_per_s),
        ("requests/s", requests_per_s),
        ("connections", connections),
        ("topics", topics),
        ("subscriptions", subscriptions),
        ("in flight", in_flight),
    ];
    let given = named.iter().filter_map(|(name, limit)| limit.map(|limit| format!("{limit} {name}")));
    let given = given.collect::<Vec<_>>().join(", ");
    if given.is_empty() { "the node's own".to_owned() } else { given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_on_the_command_line_is_a_prefix_and_its_actions() {
        let (prefix, actions) = scoped("orders-*=publish, consume").unwrap();
        assert_eq!((prefix.as_str(), actions), ("orders-*", vec![Action::Publish, Action::Consume]));
        assert!(scoped("orders").is_err() && scoped("orders=fly").is_err());
    }

    #[test]
    fn grants_are_shown_as_they_are_given() {
        let args = GrantsArgs {
            topics: vec![("a-*".to_owned(), vec![Action::Publish])],
            subscriptions: vec![("s".to_owned(), vec![Action::Consume, Action::Manage])],
            admin: true,
        };
        let words: Vec<_> = args.grants().iter().map(grant_in_words).collect();
        assert_eq!(words, ["topics a-*: publish", "subscriptions s: consume,manage", "admin"]);
        assert_eq!(GrantsArgs::default().some_grants(), None);
    }
}
