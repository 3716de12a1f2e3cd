//! Which crate of the workspace may depend on which.

use crate::tree::Tree;

/// The arrows of `docs/ARCHITECTURE.md`: folder, package, what it may depend on.
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("shard/core", "shard-core", &[]),
    ("gateway/api", "gateway-api", &[]),
    ("shard", "shard", &["shard-core"]),
    ("raft", "raft", &["shard-core"]),
    ("gateway", "gateway", &["gateway-api", "shard", "raft", "shard-core"]),
    // Only the fuzzer builds it.
    ("gateway/fuzz", "gateway-fuzz", &["gateway", "gateway-api", "shard-core"]),
    ("node", "node", &["gateway", "raft", "shard", "shard-core"]),
    ("cli", "cli", &["gateway-api", "shard-core"]),
    ("loadtest", "loadtest", &["gateway-api", "shard-core"]),
    ("benches", "instructions", &["gateway", "gateway-api", "shard", "shard-core"]),
];

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (folder, package, allowed) in ARROWS {
        let path = format!("{folder}/Cargo.toml");
        match tree.file(&path) {
            Some(manifest) => violations.extend(check_manifest(package, allowed, &manifest.text)),
            None => violations.push(format!("{path} is missing")),
        }
    }
    let members = tree.files_ending("/Cargo.toml").len();
    if members != ARROWS.len() {
        violations.push(format!("{members} packages in the tree, {} in the arrows", ARROWS.len()));
    }
    violations
}

fn check_manifest(package: &str, allowed: &[&str], manifest: &str) -> Vec<String> {
    let ours = ARROWS.iter().map(|(_, name, _)| *name);
    let depended_on = dependencies(manifest);
    ours.filter(|name| depended_on.iter().any(|found| found == name) && !allowed.contains(name))
        .map(|name| format!("{package} depends on {name}: no such arrow in docs/ARCHITECTURE.md"))
        .collect()
}

/// The names in the tables of dependencies; tests may use more than the code they test.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies") && !table.contains("dev-dependencies");
            if let Some((_, name)) = table.split_once("dependencies.")
                && !table.contains("dev-dependencies")
            {
                names.push(name.to_owned());
            }
        } else if inside && let Some(end) = line.find(['.', '=', ' ']) {
            names.push(line.split_at(end).0.to_owned());
        }
    }
    names
}

#[test]
fn an_arrow_that_is_not_drawn_is_found() {
    let manifest = "[package]\nname = \"shard\"\n[dependencies]\nraft.workspace = true\nshard-core.workspace = true\n";
    assert_eq!(check_manifest("shard", &["shard-core"], manifest).len(), 1);
    assert_eq!(check_manifest("node", &["raft", "shard-core"], manifest).len(), 0);
    let manifest =
        "[dependencies.raft]\nworkspace = true\n[target.'cfg(unix)'.dependencies]\nshard = { path = \"..\" }\n";
    assert_eq!(check_manifest("shard-core", &[], manifest).len(), 2);
}

#[test]
fn what_only_tests_use_is_no_arrow() {
    assert_eq!(dependencies("[dev-dependencies]\nraft.workspace = true\n"), Vec::<String>::new());
}
