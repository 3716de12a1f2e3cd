//! What clients saw of a run, one operation a line: all that the checker knows.

mod operation;
mod views;

use std::io::{BufRead, Write};

pub(crate) use operation::{
    Ack, AckKind, Consumption, Cursor, DeadLetter, Delivery, Fault, Installed, Layout, Membership, Minimum, Operation,
    Outcome, Placed, Producer, Publish, Pull, Read, Record, Run, Subscription, What,
};
pub(crate) use views::{Interval, Place};

/// A run, in no particular order but for its first line, which says how it was meant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub run: Run,
    pub operations: Vec<Operation>,
}

impl History {
    /// Reads lines of JSON; says which one is wrong.
    pub(crate) fn read(lines: impl BufRead) -> Result<Self, String> {
        let mut lines = lines.lines().enumerate().map(|(number, line)| {
            let wrong = |error: &dyn std::fmt::Display| format!("line {}: {error}", number + 1);
            (wrong(&"cut off"), line.map_err(|error| wrong(&error)))
        });
        let (_, first) = lines.next().ok_or("the history is empty")?;
        let run = serde_json::from_str(&first?).map_err(|error| format!("line 1: {error}"))?;
        let mut operations = Vec::new();
        for (place, line) in lines {
            let line = line?;
            operations.push(serde_json::from_str(&line).map_err(|error| format!("{place} or wrong: {error}"))?);
        }
        Ok(Self { run, operations })
    }

    /// Writes what [`History::read`] reads.
    pub(crate) fn write(&self, mut out: impl Write) -> std::io::Result<()> {
        writeln!(out, "{}", serde_json::to_string(&self.run)?)?;
        for operation in &self.operations {
            writeln!(out, "{}", serde_json::to_string(operation)?)?;
        }
        Ok(())
    }
}

#[test]
fn a_history_comes_back_from_its_file_and_a_line_that_is_cut_off_is_named() {
    let history = crate::checker::story::good().history;
    let mut file = Vec::new();
    history.write(&mut file).unwrap();
    assert_eq!(History::read(&file[..]).unwrap(), history);
    let lines = history.operations.len() + 1;
    file.truncate(file.len() - 4);
    let error = History::read(&file[..]).unwrap_err();
    assert!(error.starts_with(&format!("line {lines}: cut off")), "{error}");
    assert_eq!(History::read(&b""[..]).unwrap_err(), "the history is empty");
}
