//! `--rejoin`: puts metadata that can't be read aside, so that the node can come back as a new one.
//!
//! Messages stay where they are: nothing of them is deleted on the word of metadata that is damaged.

use std::{fs, io, path::Path};

/// Moves the metadata of an earlier life out of the way; returns where to, or `None` if there was none.
///
/// # Errors
/// It is where it was.
pub fn set_aside(data_dir: &Path) -> io::Result<Option<std::path::PathBuf>> {
    let metadata = data_dir.join("raft");
    if !metadata.try_exists()? {
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
        assert_eq!(set_aside(home.path()).unwrap(), None);
        for number in 1..=2 {
            fs::create_dir_all(home.path().join("raft/log")).unwrap();
            fs::create_dir_all(home.path().join("topics")).unwrap();
            let aside = set_aside(home.path()).unwrap().unwrap();
            assert_eq!(aside, home.path().join(format!("raft.lost-{number}")));
            assert!(aside.join("log").is_dir() && home.path().join("topics").is_dir());
            assert!(!home.path().join("raft").exists());
        }
    }
}
