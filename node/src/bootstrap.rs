//! The first key: it is put into the metadata while the node does not run, since nobody could ask for it over HTTP.

use gateway::auth::{self, NewKey};
use raft::{
    MetadataHandle, ProposeError,
    metadata::{ApiKey, Command, Grant, PrincipalConfig, PrincipalName, Refusal},
};
use shard_core::model::Timestamp;

use crate::{
    config::Config,
    entry::metadata_config,
    exit_code::ExitCode,
    preflight::{self, PreflightError},
    telemetry,
};

/// Why there is no new key. Nothing was changed.
#[derive(Debug, thiserror::Error)]
enum BootstrapError {
    #[error("`{name}` is not the name of a principal: {reason}")]
    Name { name: String, reason: String },
    #[error("the path of the data directory can't be made absolute: {0}")]
    Path(std::io::Error),
    #[error("{0}")]
    Preflight(#[from] PreflightError),
    #[error("the control thread can't be set up: {0}")]
    Runtime(std::io::Error),
    #[error("{0}")]
    Metadata(#[from] raft::StartError),
    #[error("there is a key already that may do everything; if it is lost, make another with --force")]
    AdminKeyExists,
    #[error("the system gives no random bytes")]
    NoRandomBytes,
    #[error("principal `{name}` is there with other grants: choose another name, --bootstrap-key NAME")]
    OtherGrants { name: String },
    #[error("principal `{name}` has as many keys as it may: choose another name, --bootstrap-key NAME")]
    KeysFull { name: String },
    #[error("the key was not made: {0}")]
    Propose(ProposeError),
}

/// Makes a key of a principal that may do everything.
///
/// # Errors
/// What the process exits with; why is in the log.
pub fn run(config: &Config, principal: &str, force: bool) -> Result<NewKey, ExitCode> {
    if let Err(reason) = telemetry::start(&config.log) {
        tracing::error!(reason, "logging can't be set up");
        return Err(ExitCode::Configuration);
    }
    make(config, principal, force).map_err(|error| {
        tracing::error!("{error}");
        error.exit_code()
    })
}

fn make(config: &Config, principal: &str, force: bool) -> Result<NewKey, BootstrapError> {
    let name = PrincipalName::new(principal)
        .map_err(|refused| BootstrapError::Name { name: principal.to_owned(), reason: refused.to_string() })?;
    let config = config.with_absolute_data_dir().map_err(BootstrapError::Path)?;
    let _lock = preflight::run(&config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BootstrapError::Runtime)?;
    runtime.block_on(in_metadata(&config, name, force))
}

/// Starts the metadata alone, and stops it again.
async fn in_metadata(config: &Config, name: PrincipalName, force: bool) -> Result<NewKey, BootstrapError> {
    let address = config.data_address();
    let (handle, mut updates, node) =
        Box::pin(raft::start(metadata_config(config, &address, &address.to_string(), 1), None)).await?;
    // There are no shards to take a state: it counts as taken at once.
    let publishing = tokio::spawn(async move {
        while let Some(state) = updates.next().await {
            updates.published(state.version());
        }
    });
    let made = create(&handle, name, force).await;
    publishing.abort();
    node.shutdown().await;
    made
}

async fn create(handle: &MetadataHandle, name: PrincipalName, force: bool) -> Result<NewKey, BootstrapError> {
    let created_at = auth::now();
    if !force && handle.state().access().has_admin_key(created_at) {
        return Err(BootstrapError::AdminKeyExists);
    }
    let new = auth::draw_key().ok_or(BootstrapError::NoRandomBytes)?;
    let command = command(&new, name.clone(), created_at);
    let name = name.as_str().to_owned();
    match handle.propose(command).await {
        Ok(_) => Ok(new),
        Err(ProposeError::Refused(Refusal::PrincipalExists)) => Err(BootstrapError::OtherGrants { name }),
        Err(ProposeError::Refused(Refusal::LimitReached { .. })) => Err(BootstrapError::KeysFull { name }),
        Err(error) => Err(BootstrapError::Propose(error)),
    }
}

fn command(new: &NewKey, principal: PrincipalName, created_at: Timestamp) -> Command {
    let key = ApiKey { id: new.id.clone(), principal, hash: new.hash, created_at, expires_at: None };
    let everything = PrincipalConfig { grants: vec![Grant::admin()], ..PrincipalConfig::default() };
    Command::CreateKey { key, principal: Some(everything) }
}

impl BootstrapError {
    const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Preflight(error) => error.exit_code(),
            Self::Name { .. } => ExitCode::Usage,
            Self::Path(_) => ExitCode::DataDirectory,
            Self::Metadata(_) | Self::Propose(_) => ExitCode::Metadata,
            Self::Runtime(_)
            | Self::AdminKeyExists
            | Self::NoRandomBytes
            | Self::OtherGrants { .. }
            | Self::KeysFull { .. } => ExitCode::Failed,
        }
    }
}
