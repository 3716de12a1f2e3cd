//! `--rejoin`: puts metadata that can't be read aside, so that the node can come back as a new one.
//!
//! Messages stay where they are: nothing of them is deleted on the word of metadata that is damaged.

use std::{fs, io, path::Path};

use raft::{OpenLogError, StartError, metadata::NodeId};

use crate::{config::Config, exit_code::ExitCode};

/// What an operator may do about metadata that can't be read.
const ADVICE: &str = "restore the directory `raft` as a whole from a backup that is not older, or, if there are other nodes, \
                      come back as a new one of them: --rejoin, with a cluster.node_id that was never used";

/// Sets the metadata of an earlier life of the machine aside, if there are any, and says where to in the log.
///
/// # Errors
/// What the process exits with; the metadata are where they were.
pub(crate) fn run(config: &Config) -> Result<(), ExitCode> {
    if config.cluster.listen.is_empty() || config.cluster.seeds.is_empty() {
        tracing::error!("--rejoin: there is no cluster to come back to without cluster.listen and cluster.seeds");
        return Err(ExitCode::Configuration);
    }
    match set_aside(&config.storage.data_dir, config.cluster.node_id) {
        Ok(Some(aside)) => tracing::warn!(aside = %aside.display(), "the metadata of the lost node were set aside"),
        Ok(None) => tracing::info!("--rejoin: there are no metadata of another node here"),
        Err(error) => {
            tracing::error!(%error, "the metadata can't be set aside");
            return Err(ExitCode::DataDirectory);
        }
    }
    Ok(())
}

/// What is to be done about metadata that did not start; empty if the error says that by itself.
pub(crate) const fn advice(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::Log(
            OpenLogError::Database { .. }
            | OpenLogError::Fact { .. }
            | OpenLogError::Entry { .. }
            | OpenLogError::Identity { .. }
            | OpenLogError::Reached { .. }
            | OpenLogError::Lost { .. }
            | OpenLogError::Shortened { .. },
        )
        | StartError::Snapshots(_)
        | StartError::Unreadable { .. }
        | StartError::MissingEntries { .. } => Some(ADVICE),
        StartError::Log(OpenLogError::Directory { .. } | OpenLogError::OtherNode { .. })
        | StartError::Directory(_)
        | StartError::Raft { .. }
        | StartError::Refused(_) => None,
    }
}

/// Moves the metadata out of the way, unless they are those of `node`: then it is back already, however often it is started
/// like that. Returns where to, or `None` if nothing was moved.
fn set_aside(data_dir: &Path, node: u64) -> io::Result<Option<std::path::PathBuf>> {
    let metadata = data_dir.join("raft");
    if !metadata.try_exists()? || raft::metadata_owner(data_dir) == Some(NodeId::new(node)) {
        return Ok(None);
    }
    let free = (1_u32..).map(|number| data_dir.join(format!("raft.lost-{number}")));
    for aside in free {
        if !aside.try_exists()? {
            fs::rename(&metadata, &aside)?;
            fs::File::open(data_dir)?.sync_all()?;
            return Ok(Some(aside));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_moved_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(home.path(), 1).unwrap(), None);
        for number in 1..=2 {
            fs::create_dir_all(home.path().join("raft/log")).unwrap();
            fs::create_dir_all(home.path().join("topics")).unwrap();
            let aside = set_aside(home.path(), 1).unwrap().unwrap();
            assert_eq!(aside, home.path().join(format!("raft.lost-{number}")));
            assert!(aside.join("log").is_dir() && home.path().join("topics").is_dir());
            assert!(!home.path().join("raft").exists());
        }
    }

    #[tokio::test]
    async fn a_node_that_is_back_already_keeps_its_metadata() {
        let home = tempfile::tempdir().unwrap();
        let alone = raft::MetadataConfig::alone(home.path().to_owned(), 4, "node".to_owned());
        let (_, _, metadata) = raft::start(alone, None).await.unwrap();
        metadata.shutdown().await;
        assert_eq!(set_aside(home.path(), 4).unwrap(), None);
        assert!(home.path().join("raft").exists());
        assert!(set_aside(home.path(), 5).unwrap().is_some(), "another node's");
    }
}
