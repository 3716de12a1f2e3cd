//! A small filesystem in a file, which can be made to stand still.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::harness::data_directory;

/// Mounted while it lives.
pub(crate) struct LoopFilesystem {
    mount: PathBuf,
    _files: TempDir,
}

/// Writes wait while this lives.
pub(crate) struct Frozen(Child);

impl LoopFilesystem {
    /// Makes an ext4 of so many MiB and mounts it; says why if this machine can't.
    pub(crate) fn mount(mib: u64) -> Result<Self, String> {
        let files = data_directory();
        let (image, mount) = (files.path().join("image"), files.path().join("mount"));
        File::create(&image).and_then(|file| file.set_len(mib << 20)).map_err(|error| error.to_string())?;
        std::fs::create_dir(&mount).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").arg("-qF").arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        let filesystem = Self { mount, _files: files };
        // Also whether it can be frozen is to be known before the test begins.
        run(Command::new("fsfreeze").arg("-f").arg(&filesystem.mount))?;
        run(Command::new("fsfreeze").arg("-u").arg(&filesystem.mount))?;
        Ok(filesystem)
    }

    /// A directory on it.
    pub(crate) fn directory(&self) -> TempDir {
        tempfile::tempdir_in(&self.mount).unwrap()
    }

    /// Makes every write wait. The shell thaws it also when this process ends without having done so.
    pub(crate) fn freeze(&self) -> Frozen {
        let script = "fsfreeze -f \"$0\" && echo frozen && read -r end; fsfreeze -u \"$0\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(&self.mount).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let frozen = Frozen(shell);
        assert_eq!(said, "frozen\n");
        frozen
    }
}

impl Drop for LoopFilesystem {
    fn drop(&mut self) {
        // Lazily: the kernel may still be busy with the rings of a node that was killed a moment ago.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.mount)) {
            eprintln!("{error}");
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait().map_err(|error| error.to_string()));
    }
}

/// Runs a command to its end; what it complained of if it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
