//! Reads past damage, and with wrong places.

use super::*;
use crate::{
    format::record_batch::HEADER_BYTES,
    log::{
        KnownPlace,
        testing::{batch_at, padded},
    },
};

/// Four flushes of three batches each behind a header block: offsets 0 to 11.
struct File {
    bytes: Vec<u8>,
    /// Where each batch lies.
    positions: Vec<u64>,
}

fn file() -> File {
    let mut bytes = vec![0; 4096];
    let mut positions = Vec::new();
    for flush in 0..4 {
        let batches = [0, 1, 2].map(|number| batch_at(flush * 3 + number, 1_500));
        let mut position = widen(bytes.len());
        for batch in &batches {
            positions.push(position);
            position += widen(batch.bytes().len());
        }
        bytes.extend(padded(&batches.iter().collect::<Vec<_>>()));
    }
    File { bytes, positions }
}

impl File {
    fn plan(&self, from_batch: usize) -> ReadPlan {
        self.plan_at(self.positions[from_batch])
    }

    fn plan_at(&self, position: u64) -> ReadPlan {
        let end = widen(self.bytes.len());
        ReadPlan { segment: Offset::ZERO, position, end, known: KnownPlace { position: end, offset: Offset::new(12) } }
    }

    /// Breaks a byte of a batch, counted from its first one.
    fn break_byte(&mut self, batch: usize, byte: usize) {
        let at = narrow(self.positions[batch]) + byte;
        self.bytes[at] ^= 1;
    }

    /// The offsets that a read finds, in pieces of so many bytes.
    fn read(&self, plan: ReadPlan, from: u64, piece: usize) -> Result<Vec<u64>, ReadFailure> {
        let wanted = OffsetRange::new(Offset::new(from), Offset::new(12));
        let mut read = SegmentRead::new(plan, wanted, 2_000);
        let mut step = read.begin();
        for _ in 0..100_000 {
            match step {
                ReadStep::Read { position, bytes_min } => {
                    let start = narrow(position).min(self.bytes.len());
                    let end = (start + piece.max(bytes_min)).min(self.bytes.len());
                    let bytes = Bytes::copy_from_slice(&self.bytes[start..end]);
                    step = read.feed(position, &bytes, end == self.bytes.len());
                }
                ReadStep::Done => {
                    let found = read.into_found();
                    for (position, batch) in &found {
                        assert_eq!(*position, self.positions[narrow(batch.offsets().start.get())]);
                    }
                    return Ok(found.iter().map(|(_, batch)| batch.offsets().start.get()).collect());
                }
                ReadStep::Failed(failure) => return Err(failure),
            }
        }
        panic!("a read comes to an end");
    }
}

#[test]
fn a_read_finds_every_offset_from_every_place_before_it() {
    let file = file();
    for from in 0..12 {
        for place in (0..=from).step_by(3) {
            for piece in [1, 1_000, 1 << 20] {
                assert_eq!(file.read(file.plan(narrow(place)), from, piece), Ok(vec![from]));
            }
        }
    }
}

#[test]
fn a_batch_that_would_be_too_much_is_not_read_to_its_end() {
    let file = file();
    let wanted = OffsetRange::new(Offset::ZERO, Offset::new(12));
    let length = file.positions[1] + 1_000 - file.positions[0];
    let piece = Bytes::copy_from_slice(&file.bytes[narrow(file.positions[0])..][..narrow(length)]);
    let feed = |bytes_max| {
        let mut read = SegmentRead::new(file.plan(0), wanted, bytes_max);
        (read.feed(file.positions[0], &piece, false), read.into_found().len())
    };
    assert_eq!(feed(2_000), (ReadStep::Done, 1));
    let batch_bytes = narrow(file.positions[1] - file.positions[0]);
    let more = ReadStep::Read { position: file.positions[1], bytes_min: batch_bytes };
    assert_eq!(feed(4_000), (more, 1), "there is room for it");
}

#[test]
fn what_is_whole_behind_a_damage_is_found_and_what_is_damaged_is_not() {
    // In the body, and in the header, whose length is then not known.
    for (byte, reach) in [(HEADER_BYTES + 9, 1), (40, 3)] {
        for damaged in 0..12 {
            let mut file = file();
            file.break_byte(damaged, byte);
            // Without its header, what follows it in its flush can't be found either.
            let lost_to = if reach == 1 { damaged + 1 } else { (damaged / 3 + 1) * 3 };
            for from in 0..12 {
                let place = from / 6 * 6;
                for piece in [1, 5_000, 1 << 20] {
                    let read = file.read(file.plan(place), widen(from), piece);
                    if (damaged..lost_to).contains(&from) {
                        let failure = read.unwrap_err();
                        assert!(failure.reason.contains(&format!("position {}", file.positions[damaged])), "{failure}");
                        assert_eq!(failure.astray, damaged == place, "{failure}");
                    } else {
                        assert_eq!(read, Ok(vec![widen(from)]), "{from}, {damaged} is damaged at byte {byte}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_batch_in_a_payload_is_not_taken_for_one_of_the_log() {
    let mut file = file();
    // Batch 3 begins a flush; where its second block begins stands a batch with the offset 4, and no row leads on.
    let forged = batch_at(4, 100);
    let at = narrow(file.positions[3]) + 4096;
    file.bytes[at..at + forged.bytes().len()].copy_from_slice(forged.bytes());
    file.break_byte(3, 40);
    let failure = file.read(file.plan(3), 4, 1 << 20).unwrap_err();
    assert!(failure.reason.contains("up to offset 6") || failure.astray, "{failure}");
    assert_eq!(file.read(file.plan(3), 6, 1 << 20), Ok(vec![6]));
}

#[test]
fn a_wrong_place_is_noticed_wherever_it_leads() {
    let file = file();
    let astray = |plan, from| file.read(plan, from, 1 << 20).unwrap_err().astray;
    assert!(astray(file.plan(6), 2), "it leads behind the offset");
    assert!(astray(file.plan_at(file.positions[3] + 512), 3), "it leads into a batch");
    let short = ReadPlan { end: file.positions[6], ..file.plan(0) };
    assert!(astray(short, 8), "it ends too soon");
}

#[test]
fn a_gap_is_no_damage_but_a_wrong_place() {
    let mut file = file();
    let (from, to) = (narrow(file.positions[3]), narrow(file.positions[6]));
    file.bytes.drain(from..to);
    assert!(file.read(file.plan(0), 4, 1 << 20).unwrap_err().astray);
}
