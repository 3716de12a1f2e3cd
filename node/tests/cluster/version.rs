//! What the binaries say of themselves: the commit they are built from, their manual pages, their completions.

use std::{fs, path::Path, process::Command};

use crate::harness::{data_directory, node_command, tool_command};

#[path = "../../build/commit.rs"]
mod commit;

use commit::{Checkout, checked_out};

const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
const TWO: &str = "89abcdef0123456789abcdef0123456789abcdef";

fn binaries() -> [(&'static str, Command); 3] {
    [
        ("pubsub-node", node_command()),
        ("pubsub-cli", tool_command("pubsub-cli")),
        ("pubsub-loadtest", tool_command("pubsub-loadtest")),
    ]
}

/// What a command that succeeds prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_binary_says_its_version_and_the_same_commit() {
    let versions = binaries().map(|(name, mut command)| {
        let version = printed(command.arg("--version"));
        version.strip_prefix(&format!("{name} ")).unwrap_or_else(|| panic!("{name}: {version}")).to_owned()
    });
    assert_eq!(versions[0], format!("{} ({})\n", env!("CARGO_PKG_VERSION"), node::version::COMMIT));
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
}

#[test]
fn every_binary_has_manual_pages_and_completions() {
    let pages = data_directory();
    for (name, _) in binaries() {
        let of = |words: [&str; 2]| {
            let mut command = if name == "pubsub-node" { node_command() } else { tool_command(name) };
            let words = if name == "pubsub-node" { [&format!("--{}", words[0]), words[1]] } else { words };
            printed(command.args(words))
        };
        of(["man-pages", pages.path().to_str().unwrap()]);
        let page = fs::read_to_string(pages.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".TH"), "{page}");
        for shell in ["bash", "zsh", "fish"] {
            assert!(of(["completions", shell]).contains(name), "{name} {shell}");
        }
    }
}

/// A repository, as far as it says what is checked out.
fn repository(at: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn the_commit_is_found_however_git_keeps_it() {
    let home = data_directory();
    let found = |root: &str| {
        checked_out(&home.path().join(root)).map(|Checkout { commit, files }| {
            assert!(
                files.iter().all(|file| file.exists()),
                "what is not there would always count as changed: {files:?}"
            );
            commit
        })
    };
    assert_eq!(found("."), None, "as in a tarball");
    repository(home.path(), &[("detached/.git/HEAD", &format!("{ONE}\n"))]);
    assert_eq!(found("detached").unwrap(), ONE);
    let branch = "ref: refs/heads/a/b\n";
    let packed = format!("# pack-refs with: peeled\n{ONE} refs/heads/a\n{TWO} refs/heads/a/b\n^{ONE}\n");
    repository(home.path(), &[("packed/.git/HEAD", branch), ("packed/.git/packed-refs", &packed)]);
    fs::create_dir_all(home.path().join("packed/.git/refs")).unwrap();
    assert_eq!(found("packed").unwrap(), TWO);
    // A file of the branch's own goes before.
    repository(home.path(), &[("packed/.git/refs/heads/a/b", &format!("{ONE}\n"))]);
    assert_eq!(found("packed").unwrap(), ONE);
    // A second work tree.
    let own = "packed/.git/worktrees/second";
    let files = [("second/.git", "gitdir: ../packed/.git/worktrees/second\n"), (&format!("{own}/HEAD"), branch)];
    repository(home.path(), &files);
    repository(home.path(), &[(&format!("{own}/commondir"), "../..\n")]);
    assert_eq!(found("second").unwrap(), ONE);
}

#[test]
fn what_is_no_commit_is_not_taken_for_one() {
    let home = data_directory();
    for (at, head) in ["", "ref: refs/heads/none", "not a commit", &ONE[1..]].iter().enumerate() {
        let root = home.path().join(at.to_string());
        repository(&root, &[(".git/HEAD", head)]);
        assert_eq!(checked_out(&root), None, "{head}");
    }
    assert!(commit::is_name(ONE) && commit::is_name("v1.2.3-4-g01234567+dirty"));
    assert!(
        !commit::is_name("")
            && !commit::is_name("a b")
            && !commit::is_name("a\nb")
            && !commit::is_name(&"a".repeat(65))
    );
}
