//! One partition's cursor journal on disk.

use shard_core::delivery::{JournalFiles, JournalWrite};

use super::{
    data_dir,
    dma_file::{Access, BlockFile, remove_file},
    file_error::FileError,
    files::FileKind,
    partition::Inner,
    perform::{create_file, report, write_bytes},
};
use crate::store::{CursorsStored, StoreError};

/// The journal's layout, and its newest file once it is open.
#[derive(Debug)]
pub(super) struct Journal {
    files: JournalFiles,
    file: Option<BlockFile>,
    failed: Option<StoreError>,
    /// There was no room for what came last, which may be there or not: a snapshot is to take the place of all.
    wants_snapshot: bool,
}

impl Journal {
    pub(super) const fn new(files: JournalFiles) -> Self {
        Self { files, file: None, failed: None, wants_snapshot: false }
    }

    pub(super) const fn replace_file(&mut self, next: Option<BlockFile>) -> Option<BlockFile> {
        std::mem::replace(&mut self.file, next)
    }

    pub(super) fn take_idle(&mut self) -> Option<BlockFile> {
        if self.file.as_ref().is_some_and(BlockFile::is_idle) { self.file.take() } else { None }
    }
}

impl Inner {
    pub(super) async fn append_to_journal(&self, entries: &[u8]) -> Result<CursorsStored, StoreError> {
        if self.journal.borrow().wants_snapshot {
            return Err(StoreError::no_room(
                "cursors are stored as a whole next, as there was no room for the last change",
            ));
        }
        self.store_cursors(|files| files.append(entries)).await
    }

    pub(super) async fn replace_journal(&self, entries: &[u8]) -> Result<CursorsStored, StoreError> {
        self.store_cursors(|files| files.replace(entries)).await
    }

    /// Writes what `plan` makes of the journal's layout.
    async fn store_cursors(
        &self,
        plan: impl FnOnce(&mut JournalFiles) -> JournalWrite,
    ) -> Result<CursorsStored, StoreError> {
        let write = {
            let mut journal = self.journal.borrow_mut();
            if let Some(error) = &journal.failed {
                return Err(error.clone());
            }
            plan(&mut journal.files)
        };
        self.shared.metrics.journal_writes.add(1);
        let written = self.write_journal(write).await;
        if let Err(error) = written {
            let mut journal = self.journal.borrow_mut();
            if !error.is_no_space() {
                let error = StoreError::new(error);
                journal.failed = Some(error.clone());
                return Err(error);
            }
            journal.files.on_not_written();
            journal.wants_snapshot = true;
            self.shared.space.on_no_room(&error);
            return Err(StoreError::no_room(error));
        }
        let (obsolete, replace) = {
            let mut journal = self.journal.borrow_mut();
            journal.wants_snapshot = false;
            (journal.files.on_written(), journal.files.is_large())
        };
        if let Some(generation) = obsolete {
            let path = data_dir::journal_path(&self.directory, generation);
            // Nobody waits for it, and the next start tries again.
            glommio::spawn_local(async move { report(remove_file(path).await) }).detach();
        }
        Ok(CursorsStored { replace })
    }

    async fn write_journal(&self, write: JournalWrite) -> Result<(), FileError> {
        let _turn = self.shared.files.turn().await;
        let _io = self.shared.watch.begin();
        match write {
            JournalWrite::Create { generation, bytes } => {
                let path = data_dir::journal_path(&self.directory, generation);
                self.shared.files.make_room(self.id, FileKind::Journal).await;
                let file = create_file(path, &self.directory, &bytes).await?;
                self.replace_journal_file(Some(file)).await;
                Ok(())
            }
            JournalWrite::Write { generation, position, bytes } => {
                let file = self.journal_file(generation).await?;
                write_bytes(&file, position, &bytes).await
            }
        }
    }

    async fn journal_file(&self, generation: u64) -> Result<BlockFile, FileError> {
        let open = self.journal.borrow().file.clone();
        if let Some(file) = open {
            self.shared.files.note_use(self.id, FileKind::Journal);
            return Ok(file);
        }
        self.shared.files.make_room(self.id, FileKind::Journal).await;
        let file = BlockFile::open(data_dir::journal_path(&self.directory, generation), Access::WriteDurable).await?;
        self.replace_journal_file(Some(file.clone())).await;
        Ok(file)
    }
}
