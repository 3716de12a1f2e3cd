//! Lists that come in pages: fetched to their end, or as far as they are wanted, and shown.

use gateway_api::{Page, limits::PAGE_SIZE_MAX};

use crate::error::CliError;
use crate::limits;
use crate::output::{Format, Output, Render};

/// All items, page after page; `fetch` gets the token of the next one.
pub(crate) async fn all<T>(
    mut fetch: impl AsyncFnMut(Option<&str>) -> Result<Page<T>, CliError>,
) -> Result<Page<T>, CliError> {
    up_to(u32::MAX, async |_, token| fetch(token).await).await
}

/// At most so many items; `fetch` also gets how many the next page may have.
pub(crate) async fn up_to<T>(
    max: u32,
    mut fetch: impl AsyncFnMut(u32, Option<&str>) -> Result<Page<T>, CliError>,
) -> Result<Page<T>, CliError> {
    let mut all = Page { items: Vec::new(), next_page_token: None };
    let mut left = max;
    for _ in 0..limits::PAGES_MAX {
        let page = fetch(left.min(PAGE_SIZE_MAX), all.next_page_token.as_deref()).await?;
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        all.items.extend(page.items);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_none() || left == 0 {
            break;
        }
    }
    Ok(all)
}

/// Shows a list; people are told in words that there is nothing in it.
pub(crate) fn show<T>(all: &Page<T>, none: &str, output: &mut Output<'_>) -> Result<(), CliError>
where
    Page<T>: Render,
{
    if all.items.is_empty() && output.format() == Format::Table {
        return output.note(none);
    }
    output.result(all)
}
