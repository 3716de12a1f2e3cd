//! The rules of this repository that no compiler knows: crate arrows, file sizes, purity, formats, links.
//!
//! Each rule is a function over text, tested on a bad example first, so that it can fail.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/cases.rs"]
mod cases;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/tree.rs"]
mod tree;

use tree::Tree;

/// Fails with every violation at once, one a line.
#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn crates_depend_along_the_arrows_only() {
    let tree = Tree::read();
    assert_none(&arrows::check(&tree));
}

#[test]
fn every_rust_file_is_short_and_says_what_it_is_for() {
    let tree = Tree::read();
    let rust = tree.files_ending(".rs");
    assert!(rust.len() > 50, "the walk found only {} Rust files", rust.len());
    assert_none(&rust.iter().flat_map(|file| files::check(&file.path, &file.text)).collect::<Vec<_>>());
}

#[test]
fn no_file_speaks_of_one_machine_or_of_work_left() {
    let tree = Tree::read();
    assert_none(&tree.files.iter().flat_map(|file| files::check_words(&file.path, &file.text)).collect::<Vec<_>>());
}

#[test]
fn pure_code_reaches_nothing_outside() {
    let tree = Tree::read();
    let pure: Vec<_> = tree.files.iter().filter(|file| purity::is_pure(&file.path)).collect();
    assert!(pure.len() > 20, "only {} pure files were found", pure.len());
    assert_none(&pure.iter().flat_map(|file| purity::check(&file.path, &file.text)).collect::<Vec<_>>());
}

#[test]
fn every_format_is_described() {
    let tree = Tree::read();
    let page = tree.file("docs/formats.md").map(|file| file.text.clone()).unwrap_or_default();
    let is_format = |path: &str| files::is_format(path) || files::is_golden(path);
    let formats: Vec<_> = tree.files.iter().map(|file| file.path.clone()).filter(|path| is_format(path)).collect();
    assert!(formats.len() > 10, "only {} formats were found", formats.len());
    assert_none(&files::undescribed_formats(&page, formats.into_iter()));
}

#[test]
fn every_fault_case_has_its_tests_or_says_why_not() {
    let tree = Tree::read();
    let page = tree.file("docs/testing.md").map(|file| file.text.clone()).unwrap_or_default();
    let tests: Vec<_> = tree.files_ending(".rs").into_iter().flat_map(|file| cases::tests_in(&file.text)).collect();
    assert!(tests.len() > 50, "only {} tests name a case", tests.len());
    assert_none(&cases::check(&page, &tests));
}

#[test]
fn relative_links_lead_somewhere() {
    let tree = Tree::read();
    let pages = tree.files_ending(".md");
    assert_none(&pages.iter().flat_map(|page| links::check(page, &tree)).collect::<Vec<_>>());
}
