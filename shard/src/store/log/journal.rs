//! One partition's cursor journal on disk.

use shard_core::delivery::{JournalFiles, JournalWrite};

use super::{
    data_dir,
    dma_file::{Access, BlockFile, remove_file},
    file_error::FileError,
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
}

impl Journal {
    pub(super) const fn new(files: JournalFiles) -> Self {
        Self { files, file: None, failed: None }
    }

    pub(super) const fn take_file(&mut self) -> Option<BlockFile> {
        self.file.take()
    }
}

impl Inner {
    /// Writes what `plan` makes of the journal's layout.
    pub(super) async fn store_cursors(
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
        if let Err(error) = self.write_journal(write).await {
            let error = StoreError::new(error);
            self.journal.borrow_mut().failed = Some(error.clone());
            return Err(error);
        }
        let (obsolete, replace) = {
            let mut journal = self.journal.borrow_mut();
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
        match write {
            JournalWrite::Create { generation, bytes } => {
                let path = data_dir::journal_path(&self.directory, generation);
                let file = create_file(path, &self.directory, &bytes).await?;
                let old = self.journal.borrow_mut().file.replace(file);
                if let Some(old) = old {
                    glommio::spawn_local(old.close()).detach();
                }
                Ok(())
            }
            JournalWrite::Write { generation, position, bytes } => {
                let open = self.journal.borrow().file.clone();
                let file = if let Some(file) = open {
                    file
                } else {
                    let path = data_dir::journal_path(&self.directory, generation);
                    let file = BlockFile::open(path, Access::WriteDurable).await?;
                    self.journal.borrow_mut().file = Some(file.clone());
                    file
                };
                write_bytes(&file, position, &bytes).await
            }
        }
    }
}
