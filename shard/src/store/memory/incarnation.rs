//! Counts the starts of a node with the memory store, durably: the number of each is its incarnation.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use shard_core::format::incarnation::IncarnationFile;

/// Where it is kept, below the data directory.
const NAME: &str = "memory-incarnation";
/// The highest number: offsets above it would not fit.
const INCARNATION_MAX: u64 = 1 << 22;

/// Takes the next number, and writes down that it is taken; blocks. The first one is 0 in a data directory that never
/// held a log, whose offsets a client might know.
///
/// # Errors
/// The file can't be read or written. No number was taken, or it is lost.
pub fn next_incarnation(data_dir: &Path) -> Result<u64, String> {
    let path = data_dir.join(NAME);
    let error = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let number = match fs::read(&path) {
        Ok(bytes) => IncarnationFile::decode(&bytes).map_err(|damage| error(&damage))?.number + 1,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => u64::from(data_dir.join("partitions").exists()),
        Err(unreadable) => return Err(error(&unreadable)),
    };
    if number > INCARNATION_MAX {
        return Err(error(&format_args!("number {number} is more than offsets have room for")));
    }
    write(&path, &IncarnationFile { number }.encode()).map_err(|failed| error(&failed))?;
    Ok(number)
}

/// Writes the file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(unfinished, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
