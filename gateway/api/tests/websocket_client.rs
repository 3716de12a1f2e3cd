//! The WebSocket client against tungstenite's own server side.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_api::client::{ApiKey, ClientError, Endpoint, WebSocketClient};
use gateway_api::frame::{ClientFrame, Credit, Ping, Pong, SUBPROTOCOL, ServerFrame};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an endpoint");
    (listener, endpoint)
}

/// Takes one connection as a node does, and checks what was asked for.
async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = listener.accept().await.expect("a connection");
    accept_hdr_async(stream, agree).await.expect("a handshake")
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the type is tungstenite's")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.uri().path(), "/v1/ws");
    assert_eq!(request.headers()["authorization"], "Bearer k3y");
    assert_eq!(request.headers()["sec-websocket-protocol"], SUBPROTOCOL);
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

async fn connect(endpoint: &Endpoint) -> Result<WebSocketClient, ClientError> {
    WebSocketClient::connect(endpoint, Some(&ApiKey::new("k3y").expect("a key"))).await
}

#[tokio::test]
async fn frames_go_both_ways_and_the_end_is_in_good_order() {
    let (listener, endpoint) = listen().await;
    let node = async {
        let mut socket = accept(&listener).await;
        let text = socket.next().await.unwrap().unwrap();
        assert_eq!(text.into_text().unwrap().as_str(), r#"{"op":"ping","ref":1}"#);
        socket.send(Message::Ping(vec![1].into())).await.unwrap();
        socket.send(Message::text(r#"{"op":"pong","ref":1}"#)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(vec![1].into()));
        assert!(socket.next().await.unwrap().unwrap().is_close());
        assert!(socket.next().await.is_none());
    };
    let client = async {
        let mut client = connect(&endpoint).await.unwrap();
        client.send(&ClientFrame::Ping(Ping { reference: Some(1) })).await.unwrap();
        assert_eq!(client.next().await.unwrap(), Some(ServerFrame::Pong(Pong { reference: Some(1) })));
        client.close().await.unwrap();
    };
    tokio::join!(node, client);
}

#[tokio::test]
async fn the_halves_work_on_their_own() {
    let (listener, endpoint) = listen().await;
    let node = async {
        let mut socket = accept(&listener).await;
        let text = socket.next().await.unwrap().unwrap();
        assert_eq!(text.into_text().unwrap().as_str(), r#"{"op":"credit","subscription":"s","add":5}"#);
        let close = CloseFrame { code: 1013.into(), reason: "too slow".into() };
        socket.close(Some(close)).await.unwrap();
        while socket.next().await.is_some() {}
    };
    let client = async {
        let (mut sender, mut receiver) = connect(&endpoint).await.unwrap().split();
        let credit = Credit { subscription: Some("s".into()), topic: None, add: 5 };
        sender.send(&ClientFrame::Credit(credit)).await.unwrap();
        let error = receiver.next().await.unwrap_err();
        assert!(
            matches!(&error, ClientError::WebSocketClosed { code: 1013, reason } if reason == "too slow"),
            "{error}"
        );
        assert_eq!(receiver.next().await.unwrap(), None);
    };
    tokio::join!(node, client);
}

#[tokio::test]
async fn a_close_is_answered_by_whoever_only_hears_of_it() {
    let (listener, endpoint) = listen().await;
    let node = async {
        let mut socket = accept(&listener).await;
        socket.close(Some(CloseFrame { code: 1001.into(), reason: "".into() })).await.unwrap();
        while socket.next().await.is_some() {}
    };
    let client = async {
        let mut client = connect(&endpoint).await.unwrap();
        client.next().await.unwrap_err();
        client
    };
    let both = timeout(Duration::from_mins(1), async { tokio::join!(node, client) });
    both.await.expect("the node has got its answer");
}

#[tokio::test]
async fn what_is_no_frame_of_this_protocol_is_unexpected() {
    let (listener, endpoint) = listen().await;
    let node = async {
        let mut socket = accept(&listener).await;
        socket.send(Message::text(r#"{"op":"dance"}"#)).await.unwrap();
        socket.send(Message::Binary(vec![1].into())).await.unwrap();
    };
    let client = async {
        let mut client = connect(&endpoint).await.unwrap();
        for _ in 0..2 {
            let error = client.next().await.unwrap_err();
            assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
        }
    };
    tokio::join!(node, client);
}

#[tokio::test]
async fn a_refused_handshake_gives_its_status() {
    let (listener, endpoint) = listen().await;
    let node = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
        stream
    };
    let (_stream, client) = tokio::join!(node, connect(&endpoint));
    let error = client.unwrap_err();
    assert!(matches!(error, ClientError::Unexpected { status: 403, .. }), "{error}");
}
