//! `GET /v1/topics/{topic}/events`: the topic's messages as Server-Sent Events, from where the client says on.

use std::{rc::Rc, sync::Arc};

use gateway_api::{Code, CursorToken, rfc3339};
use shard_core::{delivery::Filter, model::Timestamp};

use super::{find_topic, query};
use crate::{
    call::Call,
    context::Context,
    error::{self, Failure},
    events::{EventStream, Opener},
    guard::Guard,
    http::{request::Request, response::Response},
    operations::accept,
    quota,
    topic_reader::{ReadStart, TopicReader},
};

const PARAMETERS: &[&str] = &["cursor", "from", "filter", "ticket"];
const EVENT_STREAM: &str = "text/event-stream";

pub(super) async fn handle(context: &Context, call: Call<'_>) -> Result<Response, Failure> {
    let request = call.request;
    query::check_names(request, PARAMETERS)?;
    let state = context.metadata.state();
    let topic = find_topic(&state, call.route.name)?;
    if !accept::takes(request, EVENT_STREAM) {
        return Err(error::of_code(Code::NotAcceptable, "this path answers in text/event-stream"));
    }
    let filter = request.query("filter").map(Filter::parse).transpose();
    let filter = filter.map_err(|fault| error::invalid("filter", fault.to_string()))?;
    let start = start(request)?;
    start.check(topic)?;
    let context = Rc::new(context.clone());
    let reader = TopicReader::open(Rc::clone(&context), Arc::clone(topic), &start).await?;
    let hold = quota::connect(&context, call.caller)?;
    let opener = Opener { guard: Guard::new(call.caller.clone()), from: call.client.address, hold };
    let response = Response::streaming(EVENT_STREAM, EventStream::new(context, request.id(), reader, (filter, opener)));
    // Proxies that collect answers before they hand them on are told not to.
    Ok(response.with_header("cache-control", "no-store").with_header("x-accel-buffering", "no"))
}

/// Where the events begin. A browser that comes back asks for the same path once more: what it has seen since counts.
fn start(request: &Request) -> Result<ReadStart, Failure> {
    let cursor = |token: &str| {
        let token = CursorToken::decode(token);
        token.map(ReadStart::Cursor).map_err(|error| error::of_code(Code::InvalidCursor, error.to_string()))
    };
    if let Some(token) = request.header("last-event-id").filter(|token| !token.is_empty()) {
        return cursor(token);
    }
    match (request.query("cursor"), request.query("from")) {
        (Some(_), Some(_)) => Err(error::invalid("from", "there is a cursor as well")),
        (Some(token), None) => cursor(token),
        (None, None | Some("latest")) => Ok(ReadStart::Latest),
        (None, Some("earliest")) => Ok(ReadStart::Earliest),
        (None, Some(time)) => match rfc3339::parse(time) {
            Ok(millis) => Ok(ReadStart::Time(Timestamp::from_millis(millis))),
            Err(_) => Err(error::invalid("from", format!("`{time}` is not earliest, latest or a time of RFC 3339"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    fn started(query: &str, headers: &str) -> Result<ReadStart, Code> {
        let bytes = format!("GET /v1/topics/t/events?{query} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        start(&request(bytes.as_bytes())).map_err(|failure| failure.code)
    }

    #[test]
    fn events_begin_where_the_client_says() {
        assert_eq!(started("", ""), Ok(ReadStart::Latest));
        assert_eq!(started("from=latest", ""), Ok(ReadStart::Latest));
        assert_eq!(started("from=earliest", ""), Ok(ReadStart::Earliest));
        let time = ReadStart::Time(Timestamp::from_millis(1_000));
        assert_eq!(started("from=1970-01-01T00:00:01Z", ""), Ok(time));
        assert_eq!(started("from=yesterday", ""), Err(Code::InvalidArgument));
        assert_eq!(started("cursor=x", ""), Err(Code::InvalidCursor));
        let token = CursorToken::new(1, vec![(0, 2)]).unwrap();
        assert_eq!(started(&format!("cursor={token}"), ""), Ok(ReadStart::Cursor(token.clone())));
        assert_eq!(started(&format!("from=latest&cursor={token}"), ""), Err(Code::InvalidArgument));
    }

    #[test]
    fn what_a_browser_has_seen_counts_more_than_where_it_began() {
        let token = CursorToken::new(1, vec![(0, 2)]).unwrap();
        let seen = format!("Last-Event-ID: {token}\r\n");
        assert_eq!(started("from=earliest", &seen), Ok(ReadStart::Cursor(token)));
        assert_eq!(started("from=earliest", "Last-Event-ID:\r\n"), Ok(ReadStart::Earliest));
        assert_eq!(started("", "Last-Event-ID: 17\r\n"), Err(Code::InvalidCursor));
    }
}
