//! Lines of an input in batches of what is there: never waits for more once it has something.

use std::io::{self, BufRead as _, BufReader, Read};
use std::thread;

use gateway_api::limits::MESSAGE_BYTES_MAX;
use tokio::sync::mpsc;

use crate::limits;

/// Lines without their ends.
pub(super) type Lines = Vec<Vec<u8>>;

/// Reads an input in a thread of its own, since reading blocks. The thread ends with the input, or when nobody takes
/// its lines; one that waits for input ends with the program.
pub(super) fn spawn(input: impl Read + Send + 'static, batch_max: usize) -> mpsc::Receiver<io::Result<Lines>> {
    let (sender, receiver) = mpsc::channel(limits::BATCHES_WAITING_MAX);
    thread::spawn(move || {
        let mut batches = LineBatches::new(input, batch_max);
        while let Some(batch) = batches.next() {
            let is_last = batch.is_err();
            if sender.blocking_send(batch).is_err() || is_last {
                break;
            }
        }
    });
    receiver
}

/// The lines of an input.
struct LineBatches<R> {
    reader: BufReader<R>,
    batch_max: usize,
    /// What ended the reading, to be told after the lines before it.
    failure: Option<io::Error>,
    lines_read: u64,
}

impl<R: Read> LineBatches<R> {
    fn new(input: R, batch_max: usize) -> Self {
        let reader = BufReader::with_capacity(limits::INPUT_BUFFER_BYTES, input);
        Self { reader, batch_max, failure: None, lines_read: 0 }
    }

    /// The next lines, at least one; `None` at the end of the input.
    fn next(&mut self) -> Option<io::Result<Lines>> {
        if let Some(failure) = self.failure.take() {
            return Some(Err(failure));
        }
        let mut lines = Lines::new();
        let mut bytes = 0;
        while lines.is_empty()
            || self.has_whole_line() && lines.len() < self.batch_max && bytes < limits::PUBLISH_BYTES_MAX
        {
            match self.read_line() {
                Ok(Some(line)) => {
                    bytes += line.len();
                    lines.push(line);
                }
                Ok(None) => break,
                Err(error) if lines.is_empty() => return Some(Err(error)),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        (!lines.is_empty()).then_some(Ok(lines))
    }

    fn has_whole_line(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        // Room for the largest message, its line end, and one byte more, by which a longer line is known.
        let limit = MESSAGE_BYTES_MAX as u64 + 3;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.lines_read += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() > MESSAGE_BYTES_MAX {
            let detail = format!("line {} is longer than {MESSAGE_BYTES_MAX} bytes", self.lines_read);
            return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives one piece with each read, as a pipe does.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn batches(pieces: &[&str], batch_max: usize) -> Vec<Vec<String>> {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let mut batches = LineBatches::new(Pieces(pieces), batch_max);
        let mut all = Vec::new();
        while let Some(batch) = batches.next() {
            all.push(batch.unwrap().into_iter().map(|line| String::from_utf8(line).unwrap()).collect());
        }
        all
    }

    #[test]
    fn what_is_there_goes_together_and_what_is_not_is_not_awaited() {
        assert_eq!(batches(&["a\nb\nc", "d\ne\n"], 100), [vec!["a", "b"], vec!["cd", "e"]]);
        assert_eq!(batches(&["a\nb\nc\n"], 2), [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn line_ends_are_taken_off_and_empty_lines_are_lines() {
        assert_eq!(batches(&["a\r\n\nb"], 100), [vec!["a", ""], vec!["b"]]);
        assert!(batches(&[], 100).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_told_after_those_before_it() {
        let mut input = b"a\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', MESSAGE_BYTES_MAX));
        let mut good = LineBatches::new(&input[..], 100);
        assert_eq!(good.next().unwrap().unwrap(), [b"a"]);
        assert_eq!(good.next().unwrap().unwrap()[0].len(), MESSAGE_BYTES_MAX);
        input.push(b'x');
        let mut bad = LineBatches::new(&input[..], 100);
        assert_eq!(bad.next().unwrap().unwrap(), [b"a"]);
        assert_eq!(bad.next().unwrap().unwrap_err().to_string(), "line 2 is longer than 1048576 bytes");
    }

    #[test]
    fn a_batch_ends_when_it_has_enough_bytes() {
        let line = [vec![b'x'; 1_000_000], vec![b'\n']].concat();
        let input = line.repeat(8);
        let mut batches = LineBatches::new(&input[..], 100);
        while let Some(batch) = batches.next() {
            assert!(batch.unwrap().len() <= 5);
        }
    }
}
