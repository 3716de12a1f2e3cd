//! What decides may not reach outside: no clock, file, socket, thread or executor in the pure parts.

/// The pure parts of the tree.
const PURE: &[&str] = &[
    "shard/core/src/",
    "raft/src/metadata/",
    "raft/src/metadata.rs",
    "raft/src/groups/coordinator/",
    "raft/src/groups/coordinator.rs",
    "gateway/src/auth/",
    "gateway/src/describe.rs",
    "gateway/src/describe/",
    "gateway/src/http/",
    "gateway/api/src/",
];

/// The one part of `gateway/api` that is not: the client.
const CLIENT: &[&str] = &["gateway/api/src/client/", "gateway/api/src/client.rs"];

/// Ways to the outside.
const OUTSIDE: &[&str] = &[
    "glommio",
    "tokio::",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "Instant::now",
    "SystemTime",
    "async fn",
    "thread_rng",
    "HashMap",
    "HashSet",
];

/// Modules of `std` that lead outside, looked for in grouped imports.
const OUTSIDE_MODULES: &[&str] = &["fs", "net", "thread", "process", "env"];

/// Whether a file belongs to a pure part.
pub(crate) fn is_pure(path: &str) -> bool {
    let within = |parts: &[&str]| parts.iter().any(|part| path.starts_with(part));
    within(PURE) && !within(CLIENT)
}

/// Each line of code that reaches outside; comments and tests may speak of it.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.ends_with("/golden.rs") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (number, line) in text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]") {
        let code = line.split("//").next().unwrap_or_default();
        for way in OUTSIDE.iter().filter(|way| code.contains(**way)) {
            violations.push(format!("{path}:{}: `{way}` in a part that only decides", number + 1));
        }
    }
    let imports = grouped_imports(text);
    for module in OUTSIDE_MODULES.iter().filter(|module| imports.contains(module)) {
        violations.push(format!("{path}: imports `std::{{{module}}}` in a part that only decides"));
    }
    violations
}

/// The words in `use std::{…}` of the code before the tests.
fn grouped_imports(text: &str) -> Vec<&str> {
    let code = text.split("\n#[cfg(test)]\n").next().unwrap_or_default();
    let groups = code.split("use std::{").skip(1).map(|rest| rest.split(';').next().unwrap_or_default());
    groups.flat_map(|group| group.split(|letter: char| !letter.is_alphanumeric() && letter != '_')).collect()
}

#[test]
fn a_way_outside_is_found() {
    let text = "//! Decides.\nlet now = Instant::now();\nuse std::{\n    fmt, fs,\n    net::IpAddr,\n};\nstd::fs::read(path);\n";
    assert_eq!(check("shard/core/src/log/appender.rs", text).len(), 4);
}

#[test]
fn comments_and_tests_may_speak_of_it() {
    let text = "//! Never calls Instant::now.\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    assert_eq!(check("shard/core/src/log/appender.rs", text), Vec::<String>::new());
}

#[test]
fn the_client_is_not_pure_and_the_frames_are() {
    assert!(is_pure("gateway/api/src/frame.rs"));
    assert!(!is_pure("gateway/api/src/client/connection.rs"));
    assert!(!is_pure("gateway/src/server.rs"));
}
