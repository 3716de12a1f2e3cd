//! Reads one partition from an offset to its end over HTTP, page by page, as a replay does: in JSON, or in batches as they
//! are stored.

use crate::account::Account;
use crate::clock::Clock;
use crate::limits::CONSUMER_POLL;
use crate::recorder::Measure;
use crate::server::Server;
use crate::targets::batches::{Overhead, extent};
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
    form: PageForm,
    /// Of the first batch that was read; the others are told from their headers alone.
    overhead: Option<Overhead>,
}

/// What pages are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageForm {
    /// JSON.
    Json,
    /// Batches as they are stored, told from their headers alone: nothing in them is looked at, but in the first.
    Batches,
}

/// What an answer held.
struct Got {
    messages: u64,
    payload_bytes: u64,
    next_offset: u64,
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
    pub async fn connect(server: &Server, topic: &str, place: ReadPlace, form: PageForm) -> Result<Self, TargetError> {
        let accept = match form {
            PageForm::Json => "",
            PageForm::Batches => "Accept: application/vnd.pubsub.batch\r\n",
        };
        Ok(Self {
            connection: HttpConnection::connect(server).await?,
            headers: server.headers() + accept,
            path: format!("/v1/topics/{topic}/partitions/{}/messages", place.partition),
            place,
            form,
            overhead: None,
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
            account.refused(&answer.error_code(), got);
            clock.sleep_until(got + CONSUMER_POLL).await;
            return Ok(Step::Continue);
        }
        let held = match self.form {
            PageForm::Json => json(answer.body)?,
            PageForm::Batches => batches(answer.body, self.place.offset, &mut self.overhead)?,
        };
        let Some(held) = held else { return Ok(Step::Finished) };
        self.place.offset = held.next_offset;
        account.timed(Measure::Read, asked, got);
        account.read(held.messages, held.payload_bytes, got);
        Ok(Step::Continue)
    }
}

/// `None` at the end of the partition.
fn json(body: &[u8]) -> Result<Option<Got>, TargetError> {
    let page = Page::parse(body)?;
    let Some(last) = page.messages.last() else { return Ok(None) };
    Ok(Some(Got {
        messages: u64::try_from(page.messages.len()).unwrap_or(u64::MAX),
        payload_bytes: page.messages.iter().map(Message::payload_bytes).sum(),
        // Never the same page twice, whatever the server says.
        next_offset: page.next_offset.unwrap_or(0).max(last.offset.saturating_add(1)),
    }))
}

/// `None` at the end of the partition.
fn batches(body: &[u8], offset: u64, known: &mut Option<Overhead>) -> Result<Option<Got>, TargetError> {
    if known.is_none() {
        *known = Overhead::of_first(body)?;
    }
    let extent = extent(body, offset, known.unwrap_or_default())?;
    let Some(end) = extent.end else { return Ok(None) };
    Ok(Some(Got {
        messages: extent.messages,
        payload_bytes: extent.payload_bytes,
        next_offset: end.max(offset.saturating_add(1)),
    }))
}
