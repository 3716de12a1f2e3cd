//! Finds the commit that git has checked out, by git's files: no git has to be there to build.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The longest that may be said of a commit.
const LENGTH_MAX: usize = 64;

/// What a repository has checked out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// The commit, in hex digits.
    pub(crate) commit: String,
    /// What changes when another one is checked out.
    pub(crate) files: Vec<PathBuf>,
}

/// Whether it may stand in what is printed: the name of a commit or a version, in one line.
pub(crate) fn is_name(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(may_stand)
}

/// What is checked out in the repository whose work tree is `root`, if it is one.
pub(crate) fn checked_out(root: &Path) -> Option<Checkout> {
    let git = git_directory(root)?;
    let head = git.join("HEAD");
    let text = fs::read_to_string(&head).ok()?;
    let Some(branch) = text.trim_end().strip_prefix("ref: ") else {
        return Some(Checkout { commit: hex(&text)?, files: vec![head] });
    };
    // A second work tree has its own HEAD, and the branches of the first.
    let common =
        fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |path| git.join(path.trim_end()));
    let (loose, packed) = (common.join(branch), common.join("packed-refs"));
    if let Ok(text) = fs::read_to_string(&loose) {
        return Some(Checkout { commit: hex(&text)?, files: vec![head, loose] });
    }
    let refs = fs::read_to_string(&packed).ok()?;
    let commit = refs.lines().find_map(|line| line.split_once(' ').filter(|(_, name)| *name == branch))?.0;
    // With the next commit the branch has a file of its own.
    Some(Checkout { commit: hex(commit)?, files: vec![head, packed, common.join("refs")] })
}

/// `.git`, or where that file says it is.
fn git_directory(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(git).ok()?;
    Some(root.join(text.strip_prefix("gitdir: ")?.trim_end()))
}

fn hex(text: &str) -> Option<String> {
    let text = text.trim_end();
    let is_commit = text.len() >= 40 && text.len() <= LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| text.to_owned())
}
