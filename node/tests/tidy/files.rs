//! What holds for each file by itself.

/// The most lines of a file without its tests.
const LINES_MAX: usize = 600;

/// Words that say that work is left; put together here so that this file has none of them.
const WORK_LEFT: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("to", "do!(")];

/// Paths of one person's machine.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Size, opening line and place of a Rust file.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    if !text.starts_with("//!") {
        violations.push(format!("{path} does not open with a sentence (`//!`) that says what it is for"));
    }
    let lines = production_lines(path, text);
    if lines > LINES_MAX {
        violations.push(format!("{path} has {lines} lines without its tests, at most {LINES_MAX} are allowed"));
    }
    if path.ends_with("/mod.rs") {
        violations.push(format!("{path}: name the file after its module instead"));
    }
    violations
}

/// Words that no file should hold.
pub(crate) fn check_words(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in WORK_LEFT.iter().filter(|word| line.contains(**word)) {
            violations.push(format!("{path}:{}: `{word}`: do it or leave it", number + 1));
        }
        for machine_path in MACHINE_PATHS.iter().filter(|machine_path| line.contains(**machine_path)) {
            violations.push(format!("{path}:{}: `{machine_path}` is on one machine only", number + 1));
        }
    }
    violations
}

/// Formats that have no folder of their own.
const FORMATS: &[&str] = &[
    "raft/src/snapshots/format.rs",
    "raft/src/store/identity.rs",
    "raft/src/store/reached.rs",
    "raft/src/store/sealed.rs",
];

/// Whether a file describes a disk or wire format.
pub(crate) fn is_format(path: &str) -> bool {
    if FORMATS.contains(&path) {
        return true;
    }
    let Some(name) = path.strip_prefix("shard/core/src/format/") else { return false };
    // The others are helpers of the formats.
    !name.contains('/') && !matches!(name, "golden.rs" | "checksum.rs" | "fields.rs")
}

/// Whether a file holds frozen bytes of a disk format.
pub(crate) fn is_golden(path: &str) -> bool {
    path.starts_with("shard/core/tests/golden/") || path.starts_with("raft/tests/golden/")
}

/// The formats that `page` does not name: modules by their path, frozen bytes by the name of their file.
pub(crate) fn undescribed_formats(page: &str, formats: impl Iterator<Item = String>) -> Vec<String> {
    let name = |path: &str| if is_golden(path) { path.rsplit('/').next().unwrap_or_default() } else { path }.to_owned();
    formats
        .filter(|path| !page.contains(&format!("`{}`", name(path))))
        .map(|path| format!("{path}: docs/formats.md has no `{}`", name(&path)))
        .collect()
}

fn production_lines(path: &str, text: &str) -> usize {
    if path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/") {
        return 0;
    }
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn a_file_that_is_too_long_is_found_and_its_tests_do_not_count() {
    let line = "let a = 1;\n";
    let long = format!("//! Long.\n{}", line.repeat(600));
    assert_eq!(check("a/src/b.rs", &long).len(), 1);
    let tested = format!("//! Short.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(599), line.repeat(600));
    assert_eq!(check("a/src/b.rs", &tested), Vec::<String>::new());
}

#[test]
fn a_file_without_its_purpose_is_found() {
    assert_eq!(check("a/src/b.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(check("a/src/b/mod.rs", "//! B.\n").len(), 1);
}

#[test]
fn work_left_and_machine_paths_are_found() {
    let text = format!("// {}: later\n// see {}x\n", WORK_LEFT[0], MACHINE_PATHS[0]);
    assert_eq!(check_words("a.md", &text).len(), 2);
}

#[test]
fn a_format_that_is_not_described_is_found() {
    assert!(is_format("shard/core/src/format/segment_header.rs"));
    assert!(!is_format("shard/core/src/format/golden.rs"));
    assert!(!is_format("shard/core/src/format/record_batch/tests.rs"));
    assert!(is_format("raft/src/store/reached.rs") && is_golden("raft/tests/golden/a.v1.hex"));
    let formats = || ["raft/src/store/reached.rs", "raft/tests/golden/a.v1.hex"].map(str::to_owned).into_iter();
    assert_eq!(undescribed_formats("nothing", formats()).len(), 2);
    assert_eq!(undescribed_formats("`raft/src/store/reached.rs`, golden `a.v1.hex`", formats()).len(), 0);
}
