//! Makes the data directory if need be and takes it for this process.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::Path,
};

use super::PreflightError;

/// The file in the data directory whose lock says that a process has it.
const LOCK_FILE: &str = "LOCK";

/// The data directory is this process's own while this lives; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirectoryLock {
    _file: File,
}

/// Takes the directory, or says which process has it.
pub(super) fn lock(directory: &Path) -> Result<DataDirectoryLock, PreflightError> {
    let path = directory.display().to_string();
    let fault = |operation| {
        let path = path.clone();
        move |error| PreflightError::DataDirectory { path, operation, error }
    };
    fs::create_dir_all(directory).map_err(fault("creating it"))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(directory.join(LOCK_FILE))
        .map_err(fault("opening its LOCK file"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(directory.join(LOCK_FILE)).unwrap_or_default();
            return Err(PreflightError::DataDirectoryLocked { path, holder: name_of_holder(&holder) });
        }
        Err(TryLockError::Error(error)) => return Err(fault("locking its LOCK file")(error)),
    }
    write_pid(&mut file).map_err(fault("writing its LOCK file"))?;
    Ok(DataDirectoryLock { _file: file })
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn name_of_holder(lock_file: &str) -> String {
    lock_file.trim().parse::<u32>().map_or_else(|_| "another process".to_owned(), |pid| format!("process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F30.
    #[test]
    fn a_directory_is_made_and_held_until_the_lock_goes() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let held = lock(&directory).unwrap();
        let refused = lock(&directory).unwrap_err();
        let pid = std::process::id();
        assert!(refused.to_string().contains(&format!("in use by process {pid}")), "{refused}");
        drop(held);
        assert!(lock(&directory).is_ok());
    }

    #[test]
    fn a_file_in_its_place_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = lock(file.path()).unwrap_err();
        assert!(refused.to_string().contains(&file.path().display().to_string()), "{refused}");
    }

    #[test]
    fn a_lock_file_without_a_pid_still_names_someone() {
        assert_eq!(name_of_holder(""), "another process");
        assert_eq!(name_of_holder("42\n"), "process 42");
    }
}
