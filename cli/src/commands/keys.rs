//! `keys`: make, list and delete the keys by which a node knows its clients.

use clap::Subcommand;
use gateway_api::access::{CreatedKey, Key, KeyRequest};
use gateway_api::client::Client;
use gateway_api::{Page, Timestamp};
use serde::Serialize;

use super::principals::{GrantsArgs, LimitsArgs};
use crate::error::{CliError, Doing as _};
use crate::output::{Output, Render, Table, or_dash};
use crate::pages;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and print it this once
    Create {
        /// Whose key it is to be
        principal: String,
        /// When it ends, such as 2030-01-01T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<Timestamp>,
        #[command(flatten)]
        grants: GrantsArgs,
        #[command(flatten)]
        limits: LimitsArgs,
    },
    /// List all keys, without their secrets
    List,
    /// Delete a key; what it opened is closed
    Delete {
        /// The key's id (see `list`)
        key_id: String,
    },
}

/// Does it.
pub(crate) async fn run(command: KeysCommand, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        KeysCommand::Create { principal, expires_at, grants, limits } => {
            let (grants, limits) = (grants.some_grants(), limits.some_limits());
            let request = KeyRequest { principal, grants, limits, expires_at };
            let action = || format!("make a key for `{}`", request.principal);
            let made = client.create_key(&request).await.doing(action)?;
            output.note("Keep the key: it is shown this once.\n")?;
            output.result(&Made(made))
        }
        KeysCommand::List => list(client, output).await,
        KeysCommand::Delete { key_id } => {
            client.delete_key(&key_id).await.doing(|| format!("delete key `{key_id}`"))?;
            output.note(&format!("Deleted key {key_id}."))
        }
    }
}

async fn list(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let all = pages::all(async |token| client.keys(None, token).await.doing(|| "list keys".to_owned())).await?;
    pages::show(&all, "There are no keys.", output)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Made(CreatedKey);

impl Render for Made {
    fn table(&self) -> Table {
        let CreatedKey { key_id, key, principal, expires_at, .. } = &self.0;
        Table::fields([
            ("Key", key.expose().to_owned()),
            ("Id", key_id.clone()),
            ("Principal", principal.clone()),
            ("Expires", or_dash(expires_at.map(|time| time.to_string()))),
        ])
    }
}

impl Render for Page<Key> {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["ID", "PRINCIPAL", "CREATED", "EXPIRES"]);
        for Key { key_id, principal, created_at, expires_at } in &self.items {
            let expires_at = or_dash(expires_at.map(|time| time.to_string()));
            table.row([key_id.clone(), principal.clone(), created_at.to_string(), expires_at]);
        }
        table
    }
}
