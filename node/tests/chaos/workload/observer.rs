//! Looks at partitions, owners and cursors, at any node, all the time.

use std::sync::Arc;

use gateway_api::{
    client::{ClientError, ReadFrom},
    topics::PartitionState,
};

use super::{GROUP, SHARED, Site, TOPIC, dial::Dial, pause, pulling::record_of};
use crate::{
    history::{Cursor, Layout, Read, What},
    random::Random,
};

/// How long it rests between two looks.
const PAUSE_MS: u64 = 30;
/// Messages in one read.
const PAGE_MESSAGES: u32 = 200;

/// Looks until nobody consumes any more.
pub(super) async fn run(site: Arc<Site>, client: u32, random: Random) {
    let partitions = site.recorder.run().partitions;
    let mut dial = Dial::new(site, client, random);
    let mut ends = vec![0; usize::try_from(partitions).unwrap()];
    while dial.site.is_consuming() {
        let looked = match dial.random.below(4) {
            0 => layout(&mut dial).await,
            1 => cursors(&mut dial).await,
            _ => {
                let partition = dial.random.below(ends.len() as u64);
                let end = &mut ends[usize::try_from(partition).unwrap()];
                let from = if dial.random.one_in(2) { *end } else { dial.random.below(*end + 1) };
                let read = read(&mut dial, u32::try_from(partition).unwrap(), from, false).await;
                read.map(|next| *end = next.max(*end))
            }
        };
        if let Err(error) = looked {
            dial.refused("a look", &error).await;
        }
        pause(PAUSE_MS).await;
    }
}

/// Reads one page; where the next one begins.
pub(super) async fn read(dial: &mut Dial, partition: u32, from: u64, is_final: bool) -> Result<u64, ClientError> {
    let start = dial.now();
    let client = if is_final { dial.here() } else { dial.next() };
    let page = client.read((TOPIC, partition), &ReadFrom::Offset(from), PAGE_MESSAGES, 0).await?;
    let records = page.messages.iter().map(record_of).collect();
    let read = Read { partition, from, is_final, records, next: page.next_offset };
    dial.site.recorder.record(start, dial.who(), What::Read(read));
    Ok(page.next_offset)
}

async fn layout(dial: &mut Dial) -> Result<(), ClientError> {
    let start = dial.now();
    let topic = dial.next().topic(TOPIC).await?.value;
    for layout in topic.layout {
        let Some(owner) = layout.owner else { continue };
        // What is not served now has no end that anybody could say.
        let high_watermark = (layout.state == PartitionState::Open).then_some(layout.high_watermark);
        let (partition, owner, epoch, isr) = (layout.partition, owner.node, layout.leader_epoch.into(), layout.isr);
        let layout = Layout { partition, owner, epoch, high_watermark, isr };
        dial.site.recorder.record(start, dial.who(), What::Layout(layout));
    }
    Ok(())
}

async fn cursors(dial: &mut Dial) -> Result<(), ClientError> {
    let name = if dial.random.one_in(2) { SHARED } else { GROUP };
    let start = dial.now();
    let subscription = dial.next().subscription(name).await?.value;
    for cursor in subscription.cursors {
        let (partition, ack_floor) = (cursor.partition, cursor.ack_floor);
        let cursor = Cursor { subscription: name.to_owned(), partition, ack_floor };
        dial.site.recorder.record(start, dial.who(), What::Cursor(cursor));
    }
    Ok(())
}
