//! A producer's connection: HTTP or WebSocket, to the node that it talks to now.

use gateway_api::{
    client::{ClientError, Connection, Request, WaitedFor, WebSocketClient},
    error::{Outcome as Effect, Problem},
    frame::{ClientFrame, Publish as PublishFrame, ServerFrame},
    publish::{PublishMessage, PublishRequest, PublishResponse, PublishResult, Retry},
};
use hyper::Method;

use super::{
    TOPIC,
    dial::{ANSWER_TIMEOUT, Dial},
};

/// Stays as long as nothing goes wrong on it.
pub(super) enum Line {
    Http(Option<(u32, Connection)>),
    WebSocket(Option<(u32, Box<WebSocketClient>)>),
}

impl Line {
    /// One attempt to publish; the results are those of the messages, in their order.
    pub(super) async fn publish(
        &mut self,
        dial: &mut Dial,
        messages: &[PublishMessage<'_>],
        retry: Retry<'_>,
    ) -> Result<Vec<PublishResult>, ClientError> {
        let node = dial.node();
        match self {
            Self::Http(line) => {
                let mut connection = match line.take().filter(|(at, open)| *at == node && open.is_open()) {
                    Some((_, connection)) => connection,
                    None => Connection::open(dial.endpoint(), None).await?,
                };
                let answer = connection.send(request(messages, retry)?, ANSWER_TIMEOUT).await?;
                *line = Some((node, connection));
                Ok(answer.success()?.json::<PublishResponse>()?.results)
            }
            Self::WebSocket(line) => {
                let mut socket = match line.take().filter(|(at, _)| *at == node) {
                    Some((_, socket)) => socket,
                    None => Box::new(WebSocketClient::connect(dial.endpoint(), None).await?),
                };
                let reference = dial.random.below(u64::from(u32::MAX));
                socket.send(&ClientFrame::Publish(frame(messages, retry, reference))).await?;
                let answered = answer(&mut socket, reference);
                let late = |_| ClientError::Timeout { waited_for: WaitedFor::Answer, waited: ANSWER_TIMEOUT };
                let results = tokio::time::timeout(ANSWER_TIMEOUT, answered).await.map_err(late)?;
                if matches!(results, Ok(_) | Err(ClientError::Problem(_))) {
                    *line = Some((node, socket));
                }
                results
            }
        }
    }
}

fn request(messages: &[PublishMessage<'_>], retry: Retry<'_>) -> Result<Request, ClientError> {
    let request = Request::new(Method::POST, format!("/v1/topics/{TOPIC}/messages"))
        .with_json(&PublishRequest { messages: messages.to_vec() })?;
    match retry {
        Retry::Unguarded => Ok(request),
        Retry::Key(key) => request.with_header("idempotency-key", key),
        Retry::Producer(producer) => request
            .with_header("pubsub-producer-id", &producer.id.to_string())?
            .with_header("pubsub-producer-seq", &producer.sequence.to_string()),
    }
}

fn frame<'a>(messages: &[PublishMessage<'a>], retry: Retry<'a>, reference: u64) -> PublishFrame<'a> {
    let mut frame = PublishFrame {
        reference: Some(reference),
        topic: TOPIC.into(),
        messages: messages.to_vec(),
        ..PublishFrame::default()
    };
    match retry {
        Retry::Unguarded => {}
        Retry::Key(key) => frame.idempotency_key = Some(key.into()),
        Retry::Producer(producer) => {
            (frame.producer_id, frame.producer_seq) = (Some(producer.id), Some(producer.sequence));
        }
    }
    frame
}

async fn answer(socket: &mut WebSocketClient, reference: u64) -> Result<Vec<PublishResult>, ClientError> {
    loop {
        match socket.next().await? {
            Some(ServerFrame::Published(published)) if published.reference == Some(reference) => {
                return Ok(published.results);
            }
            Some(ServerFrame::Error(error)) if error.reference == Some(reference) => {
                let problem = Problem::new(error.code, error.detail);
                // A frame does not say what became of a publish for which the node is to blame.
                let is_unknown = problem.status >= 500;
                return Err(if is_unknown { problem.with_outcome(Effect::Unknown) } else { problem }.into());
            }
            Some(_) => {}
            None => return Err(ClientError::Lost { detail: "closed before the answer".to_owned() }),
        }
    }
}
