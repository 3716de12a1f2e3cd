//! The file that says the node serves, and where: for scripts and tests that let the system choose ports.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::addresses::Addresses;

/// Removes the file when the node stops.
#[derive(Debug)]
pub struct ReadyFile {
    path: PathBuf,
}

#[derive(Serialize)]
struct Contents<'a> {
    pid: u32,
    #[serde(flatten)]
    addresses: &'a Addresses,
}

impl ReadyFile {
    /// Writes the file as a whole: who sees it can read it.
    ///
    /// # Errors
    /// Nothing is at `path` then, or what was there before.
    pub fn write(path: &Path, addresses: &Addresses) -> io::Result<Self> {
        let contents = serde_json::to_string(&Contents { pid: std::process::id(), addresses })?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".tmp");
        fs::write(&unfinished, contents + "\n")?;
        fs::rename(&unfinished, path)?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the ready file can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_the_addresses_and_goes_with_the_node() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ready.json");
        let addresses = Addresses { http: "127.0.0.1:8081".parse().unwrap(), metrics: None };
        let file = ReadyFile::write(&path, &addresses).unwrap();
        let expected = format!("{{\"pid\":{},\"http\":\"127.0.0.1:8081\",\"metrics\":null}}\n", std::process::id());
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
