//! The least that a server of this kind can do, to hold the node's figures against: one executor of glommio on rings set up
//! like the node's, httparse, and two bytes in answer to every request. `scripts/bench-front` starts it.

#[path = "../src/ring_setup.rs"]
mod ring_setup;

use std::{
    io::{self, Write as _},
    str,
};

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use glommio::{
    GlommioError, LocalExecutorBuilder, Placement,
    net::{TcpListener, TcpStream},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HEADERS_MAX: usize = 64;
/// A request that is longer ends its connection.
const REQUEST_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 64 << 10;

/// Listens on the loopback port that is its argument, or on a free one, says so, and serves until it is killed.
fn main() -> Result<(), GlommioError<()>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    // The core that a node of one shard takes.
    LocalExecutorBuilder::new(Placement::Fixed(0)).io_memory(1 << 20).make()?.run(async move {
        let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
        let address = listener.local_addr()?;
        let _ = writeln!(io::stdout(), "{address}");
        loop {
            let stream = listener.accept().await?;
            glommio::spawn_local(serve(stream)).detach();
        }
    })
}

/// Ends when the client goes, or sends what is no request.
async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let (mut input, mut scratch) = (Vec::new(), vec![0; READ_BYTES]);
    while let Ok(count @ 1..) = stream.read(&mut scratch).await {
        input.extend_from_slice(scratch.get(..count).unwrap_or_default());
        while let Some(length) = request_length(&input) {
            input.drain(..length);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
        if input.len() > REQUEST_BYTES_MAX {
            return;
        }
    }
}

/// Bytes of the request at the start of the input, once it is complete.
fn request_length(input: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = request.parse(input) else { return None };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = length.and_then(|header| str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
    head.checked_add(body).filter(|length| *length <= input.len())
}
