//! The audit log: one JSON object a line in `audit.log` of the data directory, written by a thread of its own.
//!
//! When the file has reached its size it becomes `audit.log.1`, that one `audit.log.2`, and so on; the last is deleted.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
};

use gateway::audit::AuditEvent;

use crate::{config::AuditSection, limits};

/// The thread that writes. It ends when all its queues are dropped.
pub(crate) struct AuditWriter {
    thread: JoinHandle<()>,
}

/// The files.
struct AuditFiles {
    path: PathBuf,
    bytes_max: u64,
    kept: u32,
    open: Option<(File, u64)>,
}

impl AuditWriter {
    /// Starts the thread, and gives the queue that each core puts its events into; none of both if it is switched off.
    ///
    /// # Errors
    /// The file can't be written, or there is no thread.
    pub(crate) fn start(data_dir: &Path, section: &AuditSection) -> io::Result<Option<(Self, SyncSender<AuditEvent>)>> {
        if !section.enabled {
            return Ok(None);
        }
        let path = data_dir.join("audit.log");
        let mut files = AuditFiles { path, bytes_max: section.file_bytes_max, kept: section.files_kept, open: None };
        files.write(b"")?;
        let (queue, events) = sync_channel(limits::AUDIT_EVENTS_MAX);
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || run(&events, files))?;
        Ok(Some((Self { thread }, queue)))
    }

    /// Waits until everything is written; the queues are dropped by then.
    pub(crate) fn finish(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread of the audit log panicked");
        }
    }
}

/// Writes what comes, many at a time when there are many.
fn run(events: &Receiver<AuditEvent>, mut files: AuditFiles) {
    let mut failing = false;
    while let Ok(first) = events.recv() {
        let mut lines = Vec::new();
        let mut next = Ok(first);
        while let Ok(event) = next {
            event.append_line(&mut lines);
            next = if lines.len() < limits::AUDIT_WRITE_BYTES { events.try_recv() } else { Err(TryRecvError::Empty) };
        }
        match files.write(&lines) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                tracing::error!(%error, "the audit log can't be written; what happens now is missing in it");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

impl AuditFiles {
    /// Appends lines; into a new file if this one has its size.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.try_write(lines);
        if written.is_err() {
            // It is opened again with the next lines: the disk may have room by then.
            self.open = None;
        }
        written
    }

    fn try_write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(_, bytes)| *bytes >= self.bytes_max) {
            if let Some((file, _)) = self.open.take() {
                file.sync_data()?;
            }
            self.rotate()?;
        }
        let (file, bytes) = match &mut self.open {
            Some(open) => open,
            closed @ None => {
                let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
                let bytes = file.metadata()?.len();
                closed.insert((file, bytes))
            }
        };
        file.write_all(lines)?;
        *bytes = bytes.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes room for a new file.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            rename_if_there(&self.numbered(number), &self.numbered(number + 1))?;
        }
        if self.kept > 0 {
            return rename_if_there(&self.path, &self.numbered(1));
        }
        fs::remove_file(&self.path)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        self.path.with_extension(format!("log.{number}"))
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use gateway::{audit::Decision, http::request_id::RequestId};

    use super::*;

    fn event(number: u64) -> AuditEvent {
        let event = AuditEvent::new(number, RequestId::default(), "delete_topic", Decision::Allowed);
        AuditEvent { on: format!("topic-{number}"), ..event }
    }

    /// F79.
    #[test]
    fn the_files_together_have_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let section = AuditSection { enabled: true, file_bytes_max: 1_000, files_kept: 2 };
        let (writer, queue) = AuditWriter::start(directory.path(), &section).unwrap().unwrap();
        for number in 0..1_000 {
            queue.send(event(number)).unwrap();
        }
        drop(queue);
        writer.finish();
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["audit.log", "audit.log.1", "audit.log.2"]);
        let newest = fs::read_to_string(directory.path().join("audit.log")).unwrap();
        let before = fs::read_to_string(directory.path().join("audit.log.1")).unwrap();
        assert!(newest.contains("topic-999") || before.contains("topic-999"));
    }
}
