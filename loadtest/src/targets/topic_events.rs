//! Reads a topic as Server-Sent Events: an answer without an end, in chunks, with an event for each message.

use std::ops::Range;

use crate::account::Delivered;
use crate::server::Server;
use crate::targets::delivered::Message;
use crate::targets::http_connection::HttpConnection;
use crate::targets::{Reader, TargetError, wire::Wire};

/// The longest line that opens a chunk.
const CHUNK_LINE_MAX: usize = 256;

/// One connection that is sent a topic's events.
#[derive(Debug)]
pub struct EventReader {
    wire: Wire,
    /// What has come of the events, out of its chunks.
    text: Vec<u8>,
}

impl EventReader {
    /// Connects and asks: what is published after this returns will be read.
    ///
    /// # Errors
    ///
    /// When the connection is not made or the topic can't be read.
    pub async fn connect(server: &Server, topic: &str) -> Result<Self, TargetError> {
        let mut connection = HttpConnection::connect(server).await?;
        let request = format!(
            "GET /v1/topics/{topic}/events?from=latest HTTP/1.1\r\n{}Accept: text/event-stream\r\n\r\n",
            server.headers()
        );
        connection.send(request.as_bytes()).await?;
        Ok(Self { wire: connection.into_chunks().await?, text: Vec::new() })
    }

    /// Takes the chunks that have come whole out of the input; whether there was one.
    fn take_chunks(&mut self) -> Result<bool, TargetError> {
        let mut taken = 0;
        while let Some(chunk) = chunk(self.wire.input().get(taken..).unwrap_or_default())? {
            let data = taken + chunk.data.start..taken + chunk.data.end;
            if data.is_empty() {
                return Err(TargetError::Closed { reason: Some("the events have ended".to_owned()) });
            }
            self.text.extend_from_slice(self.wire.piece(data));
            taken += chunk.end;
        }
        self.wire.consume(taken);
        Ok(taken > 0)
    }
}

impl Reader for EventReader {
    async fn next(&mut self) -> Result<Vec<Delivered>, TargetError> {
        loop {
            while !self.take_chunks()? {
                self.wire.fill().await?;
            }
            let (delivered, read) = events(&self.text)?;
            self.text.drain(..read);
            if !delivered.is_empty() {
                return Ok(delivered);
            }
        }
    }
}

/// One chunk at the start of the input.
#[derive(Debug, PartialEq, Eq)]
struct Chunk {
    data: Range<usize>,
    /// Where the next begins.
    end: usize,
}

/// `None` as long as it is not complete. The last chunk has no data.
fn chunk(input: &[u8]) -> Result<Option<Chunk>, TargetError> {
    let Some(line) = input.iter().position(|byte| *byte == b'\n') else {
        let endless = input.len() > CHUNK_LINE_MAX;
        return if endless { Err(TargetError::protocol("an endless chunk line")) } else { Ok(None) };
    };
    let size = input.get(..line).and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let size = size.split(';').next().unwrap_or_default().trim();
    let length = usize::from_str_radix(size, 16).map_err(|_| TargetError::protocol(format!("a chunk of `{size}`")))?;
    let data = line + 1..(line + 1).saturating_add(length);
    let end = data.end.saturating_add(2);
    match input.get(data.end..end) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some(Chunk { data, end })),
        Some(_) => Err(TargetError::protocol("a chunk that is longer than it says")),
    }
}

/// The messages of the events that have come whole, and how much of the text those are.
fn events(text: &[u8]) -> Result<(Vec<Delivered>, usize), TargetError> {
    let (mut delivered, mut read) = (Vec::new(), 0);
    while let Some(rest) = text.get(read..)
        && let Some(length) = rest.windows(2).position(|end| end == b"\n\n")
    {
        delivered.extend(event(rest.get(..length).unwrap_or_default())?);
        read += length + 2;
    }
    Ok((delivered, read))
}

/// The message of an event; none in one that only keeps the connection alive or tells the position.
fn event(text: &[u8]) -> Result<Option<Delivered>, TargetError> {
    let field = |name: &[u8]| text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name));
    let Some(data) = field(b"data: ") else { return Ok(None) };
    match field(b"event: ") {
        Some(b"message") => Message::parse(data).map(|message| Some(message.delivered())),
        _ => Err(TargetError::Closed { reason: Some(String::from_utf8_lossy(data).into_owned()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENT: &str = "event: message\nid: x\ndata: {\"partition\":2,\"offset\":9,\"data\":\"aGk=\"}\n\n";

    #[test]
    fn a_chunk_is_complete_with_its_last_byte() {
        let bytes = b"5;x=y\r\nhello\r\n0\r\n\r\n";
        for cut in 0..14 {
            assert_eq!(chunk(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let first = chunk(bytes).unwrap().unwrap();
        assert_eq!(&bytes[first.data], b"hello");
        assert!(chunk(&bytes[first.end..]).unwrap().unwrap().data.is_empty());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        assert!(chunk(b"g\r\n").is_err());
        assert!(chunk(b"1\r\nhello\r\n").is_err());
        assert!(chunk(&[b'1'; 300]).is_err());
    }

    #[test]
    fn only_messages_are_delivered() {
        let text = format!("retry: 1000\nid: y\n\n:\n\n{EVENT}{EVENT}event: mess");
        let (delivered, read) = events(text.as_bytes()).unwrap();
        assert_eq!(delivered.iter().map(|one| (one.partition, one.offset)).collect::<Vec<_>>(), [(2, 9), (2, 9)]);
        assert_eq!(read, text.len() - "event: mess".len());
    }

    #[test]
    fn an_error_event_tells_why() {
        let text = b"event: error\ndata: {\"code\":\"topic_not_found\"}\n\n";
        let error = events(text).unwrap_err();
        assert!(error.to_string().contains("topic_not_found"), "{error}");
    }

    proptest! {
        #[test]
        fn arbitrary_streams_do_not_panic(bytes: Vec<u8>) {
            let _ = chunk(&bytes);
            let _ = events(&bytes);
        }
    }
}
