//! Relative links in pages lead to files that are there.

use std::path::Path;

use crate::tree::{SourceFile, Tree};

pub(crate) fn check(page: &SourceFile, tree: &Tree) -> Vec<String> {
    let folder = Path::new(&page.path).parent().unwrap_or_else(|| Path::new(""));
    let broken = |target: &&str| !tree.root.join(folder).join(target).exists();
    relative_targets(&page.text)
        .into_iter()
        .filter(broken)
        .map(|link| format!("{}: `{link}` is not there", page.path))
        .collect()
}

/// The files that the links of a page name, without anchors; code blocks have no links.
fn relative_targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") {
                targets.push(file);
            }
        }
    }
    targets
}

#[test]
fn a_broken_link_is_found() {
    let tree = Tree::read();
    let page = |text: &str| SourceFile { path: "docs/page.md".to_owned(), text: text.to_owned() };
    assert_eq!(check(&page("see [it](nowhere.md) and [that](../README.nowhere)"), &tree).len(), 2);
    assert_eq!(check(&page("see [it](GLOSSARY.md#words), [web](https://example.org), [here](#below)"), &tree).len(), 0);
}

#[test]
fn code_blocks_have_no_links() {
    assert_eq!(relative_targets("```\n[a](b.md)\n```\n[c](d.md)\n"), ["d.md"]);
}
