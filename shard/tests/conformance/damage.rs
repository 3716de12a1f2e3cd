//! Damage: told, never served.

use shard::store::{MessageStore as _, ReadFault};
use shard_core::model::OffsetRange;

use crate::{
    batches::Writer,
    factory::{Factory, open, read_all},
};

/// F17.
pub(crate) async fn damage_is_told_with_its_offset_and_never_served(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 40, 6_000).await;
    let damaged = writer.batches[12].clone();
    if !factory.damage(&damaged) {
        return;
    }
    let (before, offset) = (OffsetRange::new(writer.start, writer.end()), damaged.offsets().start);
    let mut wanted = before;
    let mut read = Vec::new();
    let fault = loop {
        match opened.store.read(wanted, 20_000).await {
            Ok(batches) => {
                wanted.start = batches.last().unwrap().offsets().end;
                read.extend(batches);
            }
            Err(fault) => break fault,
        }
    };
    assert_eq!(read, writer.batches[..12], "what is whole before it is given");
    assert!(matches!(&fault, ReadFault::Damaged { offset: at, .. } if *at == offset), "{fault}");
    // Appends go on, and what lies in another place is served.
    let intact = writer.end();
    writer.append(&opened.store, 20, 6_000).await;
    let behind = OffsetRange::new(intact, writer.end());
    assert_eq!(read_all(&opened.store, behind).await, writer.batches[40..]);
}
