//! `POST /v1/subscriptions/{subscription}/redrive`: sends dead letters back to where they came from, the oldest first.

use std::{collections::BTreeSet, sync::Arc};

use gateway_api::{
    Code, CowStr,
    decode::decode,
    letters::{RedriveRequest, RedriveResponse},
    limits as api_limits,
};
use shard::RedriveQuery;

use super::{
    find_subscription, json,
    letters::LetterBox,
    partitions,
    walk::{Walk, ask},
};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    http::response::Response,
    limits,
};

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = read_body(call.request.body())?;
    let state = context.metadata.state();
    let subscription = find_subscription(&state, call.route.name)?;
    let letters = LetterBox::of(&state, subscription)?;
    let gone = || error::of_code(Code::SubscriptionNotFound, "the subscription's topic is gone");
    let source = state.topic_by_id(subscription.topic).ok_or_else(gone)?;
    let source_partitions = u32::try_from(partitions(source).len()).unwrap_or(u32::MAX);
    let mut walk = Walk::begin(partitions(letters.topic), request.page_token.as_deref(), limits::REDRIVE_TIME)?;
    let mut redriven = 0;
    let mut failure = None;
    while let Some(place) = walk.place().filter(|_| redriven < request.limit) {
        let query = RedriveQuery {
            letters: letters.query(place, request.limit - redriven),
            ids: request.ids.clone(),
            topic: source.id,
            partitions: source_partitions,
        };
        match ask(context, &call, context.shards.redrive(query)).await {
            Ok(done) => {
                redriven += done.letters;
                failure = done.failure.map(|error| error::of_publish(&error));
                if failure.is_none() {
                    walk.go_on(done.next);
                }
            }
            Err(error) => failure = Some(error),
        }
        if failure.is_some() || !walk.has_time() {
            break;
        }
    }
    // What was done is told, also if it was not all.
    if let Some(failure) = failure.take_if(|_| redriven == 0) {
        return Err(failure);
    }
    let error = failure.map(|failure| error::publish_failure(&failure));
    let redriven = u64::try_from(redriven).unwrap_or(u64::MAX);
    json(200, &RedriveResponse { redriven, next_page_token: walk.token(), error })
}

/// What is asked, checked.
#[derive(Debug)]
struct Redrive {
    ids: Option<Arc<BTreeSet<String>>>,
    limit: usize,
    page_token: Option<String>,
}

/// The request; an empty body asks for the defaults.
fn read_body(body: &[u8]) -> Result<Redrive, Failure> {
    let request = if body.is_empty() { RedriveRequest::default() } else { decode(body).map_err(error::of_decode)? };
    let limit = request.limit.unwrap_or(api_limits::REDRIVE_DEFAULT);
    if !(1..=api_limits::REDRIVE_MAX).contains(&limit) {
        let detail = format!("a request sends back 1 to {} dead letters", api_limits::REDRIVE_MAX);
        return Err(error::invalid("limit", detail));
    }
    let ids: Option<BTreeSet<String>> = request.ids.map(|ids| ids.into_iter().map(CowStr::into_owned).collect());
    // An empty list is more likely a mistake than a wish for all.
    if ids.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(error::invalid("ids", "without any, leave the field out to mean all"));
    }
    if ids.as_ref().is_some_and(|ids| ids.len() > api_limits::REDRIVE_IDS_MAX) {
        return Err(error::invalid("ids", format!("a request names at most {}", api_limits::REDRIVE_IDS_MAX)));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page_token = request.page_token.map(CowStr::into_owned);
    Ok(Redrive { ids: ids.map(Arc::new), limit, page_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_has_bounds() {
        let many: Vec<_> = (0..=1_000).map(|id| id.to_string()).collect();
        let many = serde_json::json!({ "ids": many }).to_string();
        for (body, field) in [
            (r#"{"limit":0}"#, "limit"),
            (r#"{"limit":10001}"#, "limit"),
            (r#"{"ids":[]}"#, "ids"),
            (many.as_str(), "ids"),
            (r#"{"id":"x"}"#, "id"),
        ] {
            let failure = read_body(body.as_bytes()).unwrap_err();
            assert_eq!(failure.errors.first().map(|error| error.field.as_str()), Some(field), "{body}");
        }
    }

    #[test]
    fn an_empty_body_means_the_oldest_letters() {
        let request = read_body(b"").unwrap();
        assert_eq!((request.ids, request.limit, request.page_token), (None, 1_000, None));
    }
}
