//! Puts the directory of a damaged partition out of the way. Nothing of it is ever removed: who knows what it is good for.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use shard_core::{layout, model::TopicPartition};

use super::file_error::FileError;
use crate::{blocking::off_the_shard, store::StoreError};

/// Renames a partition's directory durably; returns its new name, or none if there is no such directory.
pub(super) async fn set_aside(data_dir: &Path, partition: TopicPartition) -> Result<Option<PathBuf>, StoreError> {
    let directory = layout::partition_dir(data_dir, partition);
    let moved = off_the_shard({
        let (data_dir, directory) = (data_dir.to_owned(), directory.clone());
        move || rename(&data_dir, &directory, partition)
    });
    moved.await.map_err(|error| StoreError::new(FileError::of_io("setting aside", &directory, error)))
}

fn rename(data_dir: &Path, directory: &Path, partition: TopicPartition) -> io::Result<Option<PathBuf>> {
    if !directory.try_exists()? {
        return Ok(None);
    }
    let mut number = 1;
    loop {
        let aside = layout::damaged_dir(data_dir, partition, number);
        if !aside.try_exists()? {
            fs::rename(directory, &aside)?;
            File::open(layout::topic_dir(data_dir, partition))?.sync_all()?;
            return Ok(Some(aside));
        }
        number += 1;
    }
}
