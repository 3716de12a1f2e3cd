//! Reads one partition from an offset to its end over HTTP, page by page, as a replay does.

use crate::account::Account;
use crate::clock::Clock;
use crate::limits::CONSUMER_POLL;
use crate::recorder::Measure;
use crate::server::Server;
use crate::targets::delivered::{Message, Page};
use crate::targets::http_connection::HttpConnection;
use crate::targets::{Consumer, Step, TargetError};

/// One reading connection.
#[derive(Debug)]
pub struct CatchUpReader {
    connection: HttpConnection,
    headers: String,
    path: String,
    place: ReadPlace,
}

/// What a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPlace {
    /// The partition.
    pub partition: u32,
    /// The next offset to read; it moves on with each page.
    pub offset: u64,
    /// Most messages in a page.
    pub page_max: usize,
}

impl CatchUpReader {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(server: &Server, topic: &str, place: ReadPlace) -> Result<Self, TargetError> {
        Ok(Self {
            connection: HttpConnection::connect(server).await?,
            headers: server.headers(),
            path: format!("/v1/topics/{topic}/partitions/{}/messages", place.partition),
            place,
        })
    }

    /// Where it is, for a reader that goes on after a lost connection.
    #[must_use]
    pub fn place(&self) -> ReadPlace {
        self.place
    }

    fn request(&self) -> String {
        let Self { headers, path, place, .. } = self;
        let ReadPlace { offset, page_max, .. } = place;
        format!("GET {path}?offset={offset}&limit={page_max} HTTP/1.1\r\n{headers}\r\n")
    }
}

impl Consumer for CatchUpReader {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        let asked = clock.now();
        let request = self.request();
        self.connection.send(request.as_bytes()).await?;
        let answer = self.connection.receive().await?;
        let got = clock.now();
        if !answer.is_success() {
            account.refused(&answer.error_code());
            clock.sleep_until(got + CONSUMER_POLL).await;
            return Ok(Step::Continue);
        }
        let page = Page::parse(answer.body)?;
        let Some(last) = page.messages.last() else { return Ok(Step::Finished) };
        // Never the same page twice, whatever the server says.
        self.place.offset = page.next_offset.unwrap_or(0).max(last.offset.saturating_add(1));
        account.timed(Measure::Read, asked, got);
        let messages = u64::try_from(page.messages.len()).unwrap_or(u64::MAX);
        account.read(messages, page.messages.iter().map(Message::payload_bytes).sum(), got);
        Ok(Step::Continue)
    }
}
