//! Lists in pages: how many items, and behind which name.

use gateway_api::{Page, base64, limits};

use super::query;
use crate::{
    error::{self, Failure},
    http::request::Request,
};

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageRequest {
    size: usize,
    /// The last name of the page before; empty on the first.
    pub(super) after: String,
}

impl PageRequest {
    /// Reads `page_size` and `page_token`.
    pub(super) fn of(request: &Request) -> Result<Self, Failure> {
        query::check_names(request, &["page_size", "page_token"])?;
        let size = query::number(request, "page_size", limits::PAGE_SIZE_DEFAULT.into(), limits::PAGE_SIZE_MAX.into())?;
        let after = decode_token(request.query("page_token").unwrap_or_default())?;
        let size = usize::try_from(size).unwrap_or(1).max(1);
        Ok(Self { size, after })
    }

    /// Takes this page's items off the front of those behind its token.
    pub(super) fn cut<T>(&self, mut rest: impl Iterator<Item = T>, name: impl Fn(&T) -> &str) -> Page<T> {
        let items: Vec<_> = rest.by_ref().take(self.size).collect();
        let last = items.last().filter(|_| rest.next().is_some());
        let next_page_token = last.map(|item| base64::encode_token(name(item).as_bytes()));
        Page { items, next_page_token }
    }
}

fn decode_token(token: &str) -> Result<String, Failure> {
    let bytes = base64::decode_token(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| error::invalid("page_token", "not a token that a page of this list gave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(size: usize, names: &[&str]) -> Vec<Vec<String>> {
        let mut after = String::new();
        let mut pages = Vec::new();
        loop {
            let request = PageRequest { size, after: after.clone() };
            let rest = names.iter().filter(|name| **name > after.as_str()).map(|name| (*name).to_owned());
            let page = request.cut(rest, |name| name);
            pages.push(page.items);
            match page.next_page_token {
                Some(token) => after = decode_token(&token).unwrap(),
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_together_are_the_list() {
        assert_eq!(pages(2, &["a", "b", "c"]), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(pages(2, &["a", "b"]), [vec!["a", "b"]]);
        assert_eq!(pages(5, &[]), [Vec::<String>::new()]);
    }

    #[test]
    fn a_token_that_no_page_gave_is_refused() {
        for token in ["%", "//8", "_w"] {
            assert!(decode_token(token).is_err(), "{token}");
        }
    }
}
