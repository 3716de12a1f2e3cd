//! The disks of a node: one for its metadata and one for its partitions, so that each can fail by itself.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    harness::run,
    volatile_disk::{CutDisk, EXT4, Filesystem, VolatileDisk},
};

/// A little of it is ever written.
const FILESYSTEM: Filesystem = Filesystem { mib: 512, ..EXT4 };
/// What a full disk has left, in the beginning.
const LEFT_BYTES: u64 = 64 << 10;

/// The disks of one node.
pub(super) struct Disks {
    data: Disk,
    partitions: Disk,
}

/// A disk, or what is left of it.
enum Disk {
    Whole(VolatileDisk),
    Cut(CutDisk),
    /// Only while one becomes the other.
    Nothing,
}

impl Disks {
    /// Makes them; says why if this machine can't.
    pub(super) fn new() -> Result<Self, String> {
        let disk = || VolatileDisk::mount(FILESYSTEM).map(Disk::Whole);
        Ok(Self { data: disk()?, partitions: disk()? })
    }

    /// Has a node find them below its home, and what is left of those that were cut.
    pub(super) fn mount(&mut self, home: &Path) {
        let data = self.data.mount().join("data");
        fs::create_dir_all(&data).unwrap();
        link(&data, &home.join("data"));
        let partitions = self.partitions.mount().join("partitions");
        fs::create_dir_all(&partitions).unwrap();
        link(&partitions, &data.join("partitions"));
    }

    /// From now on nothing reaches them, and what was not flushed is gone.
    pub(super) fn cut(&self) {
        self.data.cut();
        self.partitions.cut();
    }

    /// From now on the one with the partitions fails whatever is asked of it.
    pub(super) fn fail_partitions(&self) {
        self.partitions.cut();
    }

    /// Nobody uses them any more: takes what is left of both after a cut.
    pub(super) fn take_rest(&mut self) {
        self.data.take_rest();
        self.partitions.take_rest();
    }

    /// The same of the one with the partitions.
    pub(super) fn take_rest_of_partitions(&mut self) {
        self.partitions.take_rest();
    }

    /// Takes nearly all the room that there is for partitions.
    pub(super) fn fill(&mut self) {
        let ballast = self.ballast();
        let mut bytes = FILESYSTEM.mib << 20;
        let mut number = 0;
        // The largest pieces that fit, from large to small.
        while bytes >= LEFT_BYTES {
            let path = ballast.with_extension(number.to_string());
            number += 1;
            let fits = run(Command::new("fallocate").args(["-l", &bytes.to_string()]).arg(&path)).is_ok();
            if !fits {
                drop(fs::remove_file(&path));
                bytes /= 2;
            }
        }
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).is_ok() {}
    }

    /// Gives the room back.
    pub(super) fn empty(&mut self) {
        let ballast = self.ballast();
        for entry in fs::read_dir(ballast.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem() == ballast.file_stem() {
                fs::remove_file(path).unwrap();
            }
        }
        // A power cut would bring it back.
        File::open(self.partitions.mount()).unwrap().sync_all().unwrap();
    }

    fn ballast(&mut self) -> PathBuf {
        self.partitions.mount().join("ballast")
    }
}

impl Disk {
    /// Where it is mounted; it is first, if it was cut.
    fn mount(&mut self) -> PathBuf {
        if let Self::Cut(_) = self
            && let Self::Cut(rest) = std::mem::replace(self, Self::Nothing)
        {
            *self = Self::Whole(rest.mount());
        }
        match self {
            Self::Whole(disk) => disk.path(),
            Self::Cut(_) | Self::Nothing => unreachable!("it was mounted"),
        }
    }

    fn cut(&self) {
        if let Self::Whole(disk) = self {
            disk.cut();
        }
    }

    fn take_rest(&mut self) {
        if let Self::Whole(_) = self
            && let Self::Whole(disk) = std::mem::replace(self, Self::Nothing)
        {
            *self = Self::Cut(disk.into_cut());
        }
    }
}

fn link(target: &Path, name: &Path) {
    // What it named before is mounted somewhere else now.
    drop(fs::remove_file(name));
    symlink(target, name).unwrap();
}
