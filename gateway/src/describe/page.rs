//! The page at `/docs`: three files in the binary, nothing from elsewhere.

use std::sync::LazyLock;

use super::Document;

/// Name below `/docs/`, media type and text; the page itself has no name.
pub(super) const FILES: &[(&str, &str, &str)] = &[
    ("", "text/html; charset=utf-8", include_str!("page/page.html")),
    ("page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
];

static PAGE: LazyLock<Vec<(&str, Document)>> = LazyLock::new(|| {
    let document = |(name, media_type, text): &(&'static str, &'static str, &'static str)| {
        (*name, Document::new(media_type, text.as_bytes().to_vec()))
    };
    FILES.iter().map(document).collect()
});

/// A file of the page by its name; the page itself has the empty one.
#[must_use]
pub fn page_file(name: &str) -> Option<&'static Document> {
    PAGE.iter().find(|(known, _)| *known == name).map(|(_, document)| document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_its_files_and_nothing_from_elsewhere() {
        let page = String::from_utf8(page_file("").unwrap().body().to_vec()).unwrap();
        for (name, _, text) in FILES {
            assert!(page.contains(&format!("\"/docs/{name}\"")) || name.is_empty(), "{name}");
            assert!(!text.contains("https:") && !text.contains("http:"), "{name} refers to something elsewhere");
            assert!(!text.contains("style=") && !text.contains("onclick="), "{name} is refused by its own policy");
        }
        assert_eq!(page_file("other.js"), None);
    }
}
