//! Keeps a file from being opened and removed at the same moment on one core.
//!
//! glommio asks for the filesystem of a file by its path once it has opened it, and panics if the path is gone by then:
//! `DmaFile::open_at` unwraps the answer of `statfs`.

use std::{
    cell::RefCell,
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use glommio::timer::sleep;

thread_local! {
    /// The files that are being opened or removed; a partition's are only ever touched by its own core.
    static BUSY: RefCell<HashSet<PathBuf>> = RefCell::default();
}

/// How long is waited for a turn at a time.
const PAUSE: Duration = Duration::from_millis(1);
/// How often. On a disk that hangs the turn is taken all the same: nothing else may wait for it for ever.
const PAUSES_MAX: u32 = 1_000;

/// The right to open or remove a file; it ends with it.
#[derive(Debug)]
pub(super) struct PathTurn(Option<PathBuf>);

impl PathTurn {
    /// Waits until nobody else opens or removes the file.
    pub(super) async fn take(path: &Path) -> Self {
        for _ in 0..PAUSES_MAX {
            if BUSY.with_borrow_mut(|busy| busy.insert(path.to_owned())) {
                return Self(Some(path.to_owned()));
            }
            sleep(PAUSE).await;
        }
        Self(None)
    }
}

impl Drop for PathTurn {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            BUSY.with_borrow_mut(|busy| busy.remove(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use glommio::LocalExecutor;

    use super::*;

    #[test]
    fn turns_at_one_file_follow_each_other_and_others_do_not_wait() {
        LocalExecutor::default().run(async {
            let first = PathTurn::take(Path::new("a")).await;
            drop(PathTurn::take(Path::new("b")).await);
            let taken = Rc::new(Cell::new(false));
            let seen = Rc::clone(&taken);
            let second = glommio::spawn_local(async move {
                let turn = PathTurn::take(Path::new("a")).await;
                seen.set(true);
                turn
            });
            glommio::yield_if_needed().await;
            assert!(!taken.get());
            drop(first);
            drop(second.await);
            assert!(taken.get() && BUSY.with_borrow(HashSet::is_empty));
        });
    }
}
