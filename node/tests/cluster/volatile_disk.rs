//! A disk that holds what it was given only once it was told to flush, and whose power can be cut at any moment.
//!
//! The filesystem of the node lies on a loop device, whose file lies on a second filesystem: what is written to the device
//! stays in the page cache, and a flush of the device syncs the file. A cut shuts the second filesystem down, so that
//! nothing reaches its own device any more. What had reached it is copied, and mounted as after a power cut.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{filesystem::run, harness::data_directory};

/// Stops a filesystem without writing its journal (`EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`).
const SHUTDOWN: &str = "import fcntl, os, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, (2).to_bytes(4, 'little'))";

/// A kind of filesystem.
#[derive(Clone, Copy)]
pub(crate) struct Filesystem {
    /// Makes one in a file.
    pub mkfs: &'static [&'static str],
    /// How it is mounted.
    pub options: &'static str,
    /// How large it is made; little of it is ever written.
    pub mib: u64,
}

/// Mounted while it lives.
pub(crate) struct VolatileDisk {
    files: TempDir,
    filesystem: Filesystem,
    /// Where something is mounted, lowest first.
    mounts: Vec<PathBuf>,
}

/// A disk after a power cut.
pub(crate) struct CutDisk {
    files: TempDir,
    filesystem: Filesystem,
}

/// What most nodes have.
pub(crate) const EXT4: Filesystem = Filesystem { mkfs: &["mkfs.ext4", "-qF"], options: "loop", mib: 160 };

/// The smallest that its tools make. The kernel may still have the one that was cut when its copy is mounted.
pub(crate) const XFS: Filesystem = Filesystem { mkfs: &["mkfs.xfs", "-qf"], options: "loop,nouuid", mib: 320 };

impl VolatileDisk {
    /// Makes a disk with a filesystem and mounts it; says why if this machine can't.
    pub(crate) fn mount(filesystem: Filesystem) -> Result<Self, String> {
        let mut disk = Self { files: data_directory(), filesystem, mounts: Vec::new() };
        make_sparse(&disk.device(), (filesystem.mib + 64) << 20)?;
        make(EXT4, &disk.device())?;
        disk.mount_below()?;
        make_sparse(&disk.image(), filesystem.mib << 20)?;
        make(filesystem, &disk.image())?;
        disk.mount_above()?;
        // Also whether its power can be cut is to be known before the test begins.
        run(Command::new("python3").args(["-c", "import fcntl"]))?;
        Ok(disk)
    }

    /// Where its filesystem is.
    pub(crate) fn path(&self) -> PathBuf {
        self.files.path().join("mount")
    }

    /// Cuts the power: from here on every write and flush fails, and what was not flushed is gone.
    pub(crate) fn cut(&self) {
        run(Command::new("python3").args(["-c", SHUTDOWN]).arg(self.below())).unwrap();
    }

    /// What is left after a cut.
    pub(crate) fn into_cut(self) -> CutDisk {
        let files = data_directory();
        run(Command::new("cp").arg("--sparse=always").arg(self.device()).arg(files.path())).unwrap();
        CutDisk { files, filesystem: self.filesystem }
    }

    fn device(&self) -> PathBuf {
        self.files.path().join("device")
    }

    fn below(&self) -> PathBuf {
        self.files.path().join("below")
    }

    fn image(&self) -> PathBuf {
        self.below().join("image")
    }

    fn mount_below(&mut self) -> Result<(), String> {
        self.mount_at(EXT4, &self.device(), self.below())
    }

    fn mount_above(&mut self) -> Result<(), String> {
        self.mount_at(self.filesystem, &self.image(), self.path())
    }

    fn mount_at(&mut self, filesystem: Filesystem, image: &Path, at: PathBuf) -> Result<(), String> {
        fs::create_dir(&at).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-o", filesystem.options]).arg(image).arg(&at))?;
        self.mounts.push(at);
        Ok(())
    }
}

impl CutDisk {
    /// Mounts it again, which replays the journals of both filesystems.
    pub(crate) fn mount(self) -> VolatileDisk {
        let mut disk = VolatileDisk { files: self.files, filesystem: self.filesystem, mounts: Vec::new() };
        disk.mount_below().unwrap();
        disk.mount_above().unwrap();
        disk
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        for mount in self.mounts.iter().rev() {
            // Lazily: the kernel may still be busy with the rings of a node that was killed a moment ago.
            if let Err(error) = run(Command::new("umount").arg("--lazy").arg(mount)) {
                eprintln!("{error}");
            }
        }
    }
}

fn make_sparse(path: &Path, bytes: u64) -> Result<(), String> {
    File::create(path).and_then(|file| file.set_len(bytes)).map_err(|error| error.to_string())
}

fn make(filesystem: Filesystem, image: &Path) -> Result<(), String> {
    let [program, options @ ..] = filesystem.mkfs else { return Err("no program makes this filesystem".to_owned()) };
    run(Command::new(program).args(options).arg(image))
}
