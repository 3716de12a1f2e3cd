//! The WebSocket protocol from the client's side: frames out, frames in.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{Response, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::connection::Answer;
use super::endpoint::{ApiKey, Endpoint};
use super::error::{ClientError, WaitedFor};
use super::stream::ClientStream;
use crate::frame::{ClientFrame, SUBPROTOCOL, ServerFrame};
use crate::limits;

/// One WebSocket to a node. Pings are answered while frames are awaited.
#[derive(Debug)]
pub struct WebSocketClient {
    sender: WebSocketSender,
    receiver: WebSocketReceiver,
}

/// The half that sends.
#[derive(Debug)]
pub struct WebSocketSender(SplitSink<WebSocketStream<ClientStream>, Message>);

/// The half that receives.
#[derive(Debug)]
pub struct WebSocketReceiver(SplitStream<WebSocketStream<ClientStream>>);

impl WebSocketClient {
    /// Connects to a node and agrees on the protocol.
    ///
    /// # Errors
    /// Nobody listens there, the node refuses, or it doesn't answer in time.
    pub async fn connect(endpoint: &Endpoint, key: Option<&ApiKey>) -> Result<Self, ClientError> {
        let stream = endpoint.connect().await?;
        let mut request = format!("ws://{}/v1/ws", endpoint.authority())
            .into_client_request()
            .map_err(|error| ClientError::Request { detail: error.to_string() })?;
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        if let Some(key) = key {
            headers.insert(header::AUTHORIZATION, key.bearer().clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::ANSWER_BYTES_MAX))
            .max_frame_size(Some(limits::ANSWER_BYTES_MAX));
        let handshake = client_async_with_config(request, stream, Some(config));
        let (stream, _) = timeout(limits::CONNECT_TIMEOUT, Box::pin(handshake))
            .await
            .map_err(|_| ClientError::Timeout { waited_for: WaitedFor::Answer, waited: limits::CONNECT_TIMEOUT })?
            .map_err(refused)?;
        let (sender, receiver) = stream.split();
        Ok(Self { sender: WebSocketSender(sender), receiver: WebSocketReceiver(receiver) })
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The connection is lost: the frame may have taken effect.
    pub async fn send(&mut self, frame: &ClientFrame<'_>) -> Result<(), ClientError> {
        self.sender.send(frame).await
    }

    /// The next frame; `None` once the node has closed the connection in good order.
    ///
    /// # Errors
    /// The connection is lost, or was closed for a reason.
    pub async fn next(&mut self) -> Result<Option<ServerFrame>, ClientError> {
        self.receiver.next().await
    }

    /// Two halves, for tasks that send and receive at the same time.
    #[must_use]
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (self.sender, self.receiver)
    }

    /// Ends the connection in good order; frames that still come are dropped.
    ///
    /// # Errors
    /// The connection is lost before the node has answered.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.sender.close().await?;
        let end = async {
            while self.receiver.next().await?.is_some() {}
            Ok(())
        };
        let waited = limits::CONNECT_TIMEOUT;
        timeout(waited, end).await.map_err(|_| ClientError::Timeout { waited_for: WaitedFor::Answer, waited })?
    }
}

impl WebSocketSender {
    /// Sends one frame.
    ///
    /// # Errors
    /// The connection is lost: the frame may have taken effect.
    pub async fn send(&mut self, frame: &ClientFrame<'_>) -> Result<(), ClientError> {
        let text = serde_json::to_string(frame).map_err(|error| ClientError::Request { detail: error.to_string() })?;
        self.0.send(Message::text(text)).await.map_err(|error| lost(&error))
    }

    /// Tells the node that no more frames come. What it has still to say can be received until it closes too.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.0.send(Message::Close(Some(normal))).await.map_err(|error| lost(&error))
    }
}

impl WebSocketReceiver {
    /// The next frame; `None` once the node has closed the connection in good order.
    ///
    /// # Errors
    /// The connection is lost, or was closed for a reason.
    pub async fn next(&mut self) -> Result<Option<ServerFrame>, ClientError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let unexpected = |error: serde_json::Error| ClientError::Unexpected {
                        status: 101,
                        detail: format!("a frame that is none of this protocol: {error}"),
                    };
                    return ServerFrame::parse(&text).map(Some).map_err(unexpected);
                }
                Some(Ok(Message::Close(Some(frame)))) if frame.code != CloseCode::Normal => {
                    // tungstenite answers the close with the next read; a node that stops waits for that.
                    let _ = self.0.next().now_or_never();
                    return Err(ClientError::WebSocketClosed {
                        code: frame.code.into(),
                        reason: frame.reason.as_str().to_owned(),
                    });
                }
                Some(Ok(Message::Binary(_))) => {
                    let detail = "a binary frame, where only text was agreed on".to_owned();
                    return Err(ClientError::Unexpected { status: 101, detail });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_))) => {}
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Ok(None),
                Some(Err(error)) => return Err(lost(&error)),
            }
        }
    }
}

/// The node didn't agree to a WebSocket.
fn refused(error: Error) -> ClientError {
    if let Error::Http(response) = error {
        let (head, body) = Response::into_parts(*response);
        let status = head.status.as_u16();
        let answer = Answer { status, headers: head.headers, body: body.unwrap_or_default().into() };
        let no_websocket = || ClientError::Unexpected { status, detail: "not a WebSocket".to_owned() };
        answer.success().err().unwrap_or_else(no_websocket)
    } else if let Error::Protocol(error) = error {
        ClientError::Unexpected { status: 101, detail: error.to_string() }
    } else {
        lost(&error)
    }
}

fn lost(error: &Error) -> ClientError {
    ClientError::Lost { detail: error.to_string() }
}
