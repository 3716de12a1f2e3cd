//! The few facts beside the log entries: vote, what is committed, what is purged, whose log it is.

use std::{io, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    open::OpenLogError,
    sealed::{DamagedValue, seal, unseal},
};
use crate::type_config::{LogId, Vote};

const NODE_ID: &str = "node_id";
const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";

/// Facts by name. Setting one makes it readable at once, and durable with the next flush.
#[derive(Clone, Debug)]
pub(super) struct Facts(sled::Tree);

/// Why a fact can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFactError {
    #[error("{0}")]
    Database(#[from] sled::Error),
    #[error("{0}")]
    Damaged(#[from] DamagedValue),
}

impl Facts {
    pub(super) const fn new(tree: sled::Tree) -> Self {
        Self(tree)
    }

    pub(super) fn set_node_id(&self, node_id: u64) -> io::Result<()> {
        self.set(NODE_ID, &node_id)
    }

    pub(super) fn set_vote(&self, vote: &Vote) -> io::Result<()> {
        self.set(VOTE, vote)
    }

    pub(super) fn set_committed(&self, committed: Option<LogId>) -> io::Result<()> {
        self.set(COMMITTED, &committed)
    }

    pub(super) fn set_purged(&self, purged: LogId) -> io::Result<()> {
        self.set(PURGED, &purged)
    }

    pub(super) fn node_id(&self) -> Result<Option<u64>, ReadFactError> {
        self.get(NODE_ID)
    }

    pub(super) fn vote(&self) -> Result<Option<Vote>, ReadFactError> {
        self.get(VOTE)
    }

    /// How far the log was known to be committed: a hint, at most as far as the log reaches.
    pub(super) fn committed(&self) -> Result<Option<LogId>, ReadFactError> {
        self.get::<Option<LogId>>(COMMITTED).map(Option::flatten)
    }

    /// The last entry that is gone from the log's beginning.
    pub(super) fn purged(&self) -> Result<Option<LogId>, ReadFactError> {
        self.get(PURGED)
    }

    fn set<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let sealed = seal(value).map_err(io::Error::other)?;
        self.0.insert(name, sealed).map_err(io::Error::other)?;
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ReadFactError> {
        self.0.get(name)?.map(|sealed| Ok(unseal(&sealed)?)).transpose()
    }
}

impl ReadFactError {
    pub(super) fn located(self, path: &Path, what: &'static str) -> OpenLogError {
        let path = path.to_owned();
        match self {
            Self::Database(source) => OpenLogError::Database { path, source },
            Self::Damaged(source) => OpenLogError::Fact { path, what, source },
        }
    }
}
