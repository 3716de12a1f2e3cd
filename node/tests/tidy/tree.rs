//! The files of the repository, read once.
#![expect(clippy::unwrap_used, reason = "a tree that can't be read fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that are made, not written.
const SKIPPED: &[&str] = &["target", "data", ".git"];

/// One text file; binary files are passed over.
pub(crate) struct SourceFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
}

/// Every text file of the repository.
pub(crate) struct Tree {
    pub root: PathBuf,
    pub files: Vec<SourceFile>,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let mut files = Vec::new();
        walk(&root, &root, &mut files);
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self { root, files }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn files_ending(&self, suffix: &str) -> Vec<&SourceFile> {
        self.files.iter().filter(|file| file.path.ends_with(suffix)).collect()
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // A temporary directory of a test that runs beside this one is not part of the repository.
        if SKIPPED.contains(&name.as_str()) || name.starts_with(".tmp") {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push(SourceFile { path, text });
        }
    }
}
