//! The least a server can do: answers every HTTP request with the same bytes. It shows how fast the load generator itself
//! is, since nothing can be faster than this.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const REQUEST_BYTES_MAX: usize = 32 << 20;
const HEADERS_MAX: usize = 32;

/// Starts a responder on a free loopback port, on a thread of its own that lives as long as the process.
///
/// # Errors
///
/// When no port or thread is to be had.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("responder".to_owned()).spawn(move || {
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            // Accepting ends with the first error: the run then reports lost connections.
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream));
            }
        });
    })?;
    Ok(address)
}

/// Ends when the client goes, or sends what is no request.
async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut input = Vec::with_capacity(64 << 10);
    while let Ok(1..) = stream.read_buf(&mut input).await {
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
    let body = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
    head.checked_add(body).filter(|length| *length <= input.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_complete_with_its_body() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET";
        assert_eq!(request_length(&request[..request.len() - 4]), None);
        assert_eq!(request_length(request), Some(request.len() - 3));
        assert_eq!(request_length(b"nonsense\r\n\r\n"), None);
    }
}
