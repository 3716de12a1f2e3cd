//! Reads the whole topic over WebSocket as it grows, and goes on from its token wherever a connection ends.

use std::{sync::Arc, time::Duration};

use gateway_api::{
    client::{ClientError, WebSocketClient},
    frame::{ClientFrame, Credit, ServerFrame, Subscribe, SubscribeFrom},
};

use super::{Site, TOPIC, dial::Dial, pulling::record_of};
use crate::{
    history::{Read, What},
    random::Random,
};

/// How many messages may be on their way.
const CREDIT: u32 = 100;
/// How often it looks whether it is to go on, while nothing comes.
const SILENCE: Duration = Duration::from_millis(300);
/// After how many of these silences in a row it tries another node.
const SILENCES_MAX: u32 = 10;

/// How far it has come.
struct Place {
    from: SubscribeFrom,
    /// The next offset of each partition.
    next: Vec<u64>,
}

/// Reads until nobody consumes any more.
pub(super) async fn run(site: Arc<Site>, client: u32, random: Random) {
    let partitions = usize::try_from(site.recorder.run().partitions).unwrap();
    let mut place = Place { from: SubscribeFrom::Earliest, next: vec![0; partitions] };
    let mut dial = Dial::new(site, client, random);
    while dial.site.is_consuming() {
        dial.next();
        match follow(&mut dial, &mut place).await {
            Ok(()) => dial.move_on(),
            Err(error) => dial.refused("reading over a WebSocket", &error).await,
        }
    }
}

/// Takes what comes over one connection, as long as something does.
async fn follow(dial: &mut Dial, place: &mut Place) -> Result<(), ClientError> {
    let mut socket = WebSocketClient::connect(dial.endpoint(), None).await?;
    let start = dial.now();
    let (topic, from) = (Some(TOPIC.into()), Some(place.from.clone()));
    let subscribe = Subscribe { topic, from, credit: Some(CREDIT), ..Subscribe::default() };
    socket.send(&ClientFrame::Subscribe(subscribe)).await?;
    let mut silences = 0;
    while dial.site.is_consuming() && silences < SILENCES_MAX {
        let Ok(frame) = tokio::time::timeout(SILENCE, socket.next()).await else {
            silences += 1;
            continue;
        };
        silences = 0;
        match frame? {
            Some(ServerFrame::Messages(frame)) => {
                let add = u32::try_from(frame.messages.len()).unwrap();
                for message in &frame.messages {
                    place.take(dial, start, message.partition, record_of(message));
                }
                if let Some(token) = frame.token {
                    place.from = token.parse().unwrap();
                }
                socket
                    .send(&ClientFrame::Credit(Credit { topic: Some(TOPIC.into()), add, ..Credit::default() }))
                    .await?;
            }
            Some(ServerFrame::Error(error)) => {
                return Err(gateway_api::error::Problem::new(error.code, error.detail).into());
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
    drop(socket.close().await);
    Ok(())
}

impl Place {
    /// Writes a message down as what was read behind the one before it: one that is left out, or comes twice, is a gap.
    fn take(&mut self, dial: &Dial, start: u64, partition: u32, record: crate::history::Record) {
        let next = &mut self.next[usize::try_from(partition).unwrap()];
        let (from, end) = (*next, record.offset + 1);
        *next = end;
        let read = Read { partition, from, is_final: false, records: vec![record], next: end };
        dial.site.recorder.record(start, dial.who(), What::Read(read));
    }
}
