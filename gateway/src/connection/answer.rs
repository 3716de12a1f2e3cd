//! From one whole request to its answer.

use futures_lite::future::poll_once;
use gateway_api::Code;

use super::{Connection, Next, wire::Wire};
use crate::{
    application::{Admitted, Application, Fault},
    auth::Caller,
    byte_budget::ByteBudget,
    call::Call,
    client::Client,
    http::{
        cors::Grant,
        method::Method,
        request::{Request, Version},
        response::{Envelope, Response},
        router::{Route, RouteMatch, route},
    },
    limits::{BODY_WRITE_ALONE_BYTES, PIPELINED_ANSWER_BYTES},
    peer::Peer,
    request_scope::{self, Within},
    socket::SocketError,
    websocket::handshake,
};

impl<A: Application> Connection<A> {
    /// Answers the request at hand; the answer is outbound, or written if there is much of it.
    pub(super) async fn answer(&mut self) -> Result<Next, SocketError> {
        self.request.id = self.state.next_request_id();
        let application = &self.state.application;
        let (matched, mut response) = match route(self.request.method(), self.request.target()) {
            Ok(RouteMatch { route: Route::WebSocket, .. }) => return self.answer_handshake().await,
            Ok(route) => {
                let asked = (&self.request, &self.client, &self.state.bodies);
                (Some(route.route), handled(application, &mut self.wire, route, asked).await?)
            }
            Err(error) => (None, application.fault(&Fault::Unrouted(error), self.request.id)),
        };
        if response.is_streaming() && self.wire.parser.take_continue() {
            self.wire.outbound.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.push_answer(matched, &response).await?;
        let next = self.next_after(&response);
        match response.take_stream() {
            Some(stream) if self.request.method() != Method::Head => {
                let request = self.request.id;
                Within::new(request, Box::pin(self.send_stream(stream, next))).await
            }
            Some(_) | None => Ok(next),
        }
    }

    /// Encodes an answer behind those before it.
    pub(super) async fn push_answer(&mut self, route: Option<Route>, response: &Response) -> Result<(), SocketError> {
        request_scope::within(self.request.id, || tell(route, response));
        let metrics = self.state.application.metrics();
        metrics.count_answer(route, response.status());
        if let Some(code) = response.failure() {
            metrics.errors.count(code);
        }
        let last = self.next_after(response) == Next::Close;
        let head_only = self.request.method() == Method::Head;
        let write_alone = !head_only && response.has_content() && response.body().len() >= BODY_WRITE_ALONE_BYTES;
        {
            let date = self.state.table.clock().date();
            let request_id = self.request.id;
            let version = self.request.version();
            let grant = Grant::of(&self.request, &self.state.application.config().allowed_origins);
            let envelope = Envelope { request_id, date: &date, last, version, head_only, grant };
            if write_alone {
                response.encode_head(&mut self.wire.outbound, &envelope);
            } else {
                response.encode(&mut self.wire.outbound, &envelope);
            }
        }
        if write_alone {
            self.wire.flush_with(response.body()).await?;
        } else if self.wire.outbound.len() >= PIPELINED_ANSWER_BYTES {
            self.wire.flush().await?;
        }
        Ok(())
    }

    async fn answer_handshake(&mut self) -> Result<Next, SocketError> {
        let (peer, route) = (Peer::default(), RouteMatch { route: Route::WebSocket, name: "", item: "" });
        let (request, client, bodies) = (&self.request, &self.client, &self.state.bodies);
        let call = Call { route, request, peer: &peer, client, caller: &Caller::Nobody, bodies, trace: None };
        match request_scope::within(request.id, || self.state.application.admit(&call)) {
            Ok(admitted) => self.admitted = admitted,
            Err(response) => {
                self.push_answer(Some(Route::WebSocket), &response).await?;
                return Ok(self.next_after(&response));
            }
        }
        match handshake::accept(&self.request, self.state.application.config()) {
            Ok((response, subprotocol)) => {
                self.push_answer(Some(Route::WebSocket), &response).await?;
                Ok(Next::WebSocket(subprotocol))
            }
            Err(error) => {
                self.admitted = Admitted::default();
                let response = self.state.application.fault(&Fault::Handshake(error), self.request.id);
                self.push_answer(Some(Route::WebSocket), &response).await?;
                Ok(self.next_after(&response))
            }
        }
    }

    /// Whether the connection goes on behind this answer.
    fn next_after(&self, response: &Response) -> Next {
        // Nothing but the end of the connection ends a stream that is not chunked; and a body that nobody takes would be read as
        // the next request.
        let unframed = response.is_streaming() && self.request.version() == Version::Http10;
        let untaken = !response.is_streaming() && self.wire.parser.is_within_body();
        let is_over = unframed
            || untaken
            || response.closes()
            || !self.request.keep_alive()
            || self.state.application.shutdown().requested();
        if is_over && response.status() != 101 { Next::Close } else { Next::Request }
    }
}

/// Logs what a request came to, without anything that is the client's: neither names nor contents.
fn tell(route: Option<Route>, response: &Response) {
    let (route, status) = (route.map_or("none", Route::label), response.status());
    let code = response.failure().map(Code::as_str);
    if status == 500 {
        tracing::warn!(route, status, code, "a request failed for a reason of the node's own");
    } else {
        tracing::debug!(route, status, code, "a request is answered");
    }
}

/// Has the application handle a request. Answers that are due are written before it keeps us waiting.
async fn handled<A: Application>(
    application: &A,
    wire: &mut Wire,
    route: RouteMatch<'_>,
    (request, client, bodies): (&Request, &Client, &ByteBudget),
) -> Result<Response, SocketError> {
    let (peer, caller) = (Peer::default(), Caller::Nobody);
    // Boxed, so that the many connections that wait don't each hold the room that handling takes.
    let call = Call { route, request, peer: &peer, client, caller: &caller, bodies, trace: None };
    let mut handling = Within::new(request.id, Box::pin(application.handle(call)));
    if let Some(response) = poll_once(&mut handling).await {
        return Ok(response);
    }
    wire.flush().await?;
    wire.answered_or_given_up(handling, &peer).await
}
