//! Opening the log of a node: whose it is, and whether all of it can be read.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    LogStore,
    entries::{self, BadEntry},
    facts::Facts,
    flusher::Flusher,
    identity::{Identity, IdentityError},
    reached::{Reached, ReachedError, ReachedFile},
    sealed::DamagedValue,
};
use crate::{limits, metadata::Incarnation};

/// Lies beside the directory of the log.
const IDENTITY_FILE: &str = "identity";
/// Lies there too.
const REACHED_FILE: &str = "reached";

/// Why the log could not be opened. It is as it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum OpenLogError {
    #[error("{}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Database { path: PathBuf, source: sled::Error },
    #[error("{}: {what} is damaged: {source}", path.display())]
    Fact { path: PathBuf, what: &'static str, source: DamagedValue },
    #[error("{}: {source}", path.display())]
    Entry { path: PathBuf, source: BadEntry },
    #[error("{}: {source}", path.display())]
    Identity { path: PathBuf, source: IdentityError },
    #[error("{}: {source}", path.display())]
    Reached { path: PathBuf, source: ReachedError },
    #[error("{}: the log of this node was here, but it is gone or can't be read", path.display())]
    Lost { path: PathBuf },
    #[error(
        "{}: the log ends at entry {found}, but it was on disk up to entry {promised}, or the vote is older than it was: part of \
         it is lost", path.display()
    )]
    Shortened { path: PathBuf, promised: u64, found: u64 },
    #[error("{}: it belongs to node {found}, this is node {node_id}", path.display())]
    OtherNode { path: PathBuf, node_id: u64, found: u64 },
}

/// Whose metadata lie in `directory`; `None` if there are none, or if it can't be read whose they are.
pub(crate) fn owner_of(directory: &Path) -> Option<u64> {
    Identity::read(&directory.join(IDENTITY_FILE)).ok().flatten().map(|identity| identity.node_id)
}

impl LogStore {
    /// Opens or makes the log of node `node_id` in `path`, and reads it once from end to end.
    ///
    /// # Errors
    /// The log is damaged, another node's, or in use by another process.
    pub(crate) fn open(path: &Path, node_id: u64) -> Result<Self, OpenLogError> {
        let directory = |source| OpenLogError::Directory { path: path.to_owned(), source };
        let database = |source| OpenLogError::Database { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(directory)?;
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(limits::SLED_CACHE_BYTES)
            // What must be durable is flushed when it must be; nothing else needs a timer.
            .flush_every_ms(None)
            .open()
            .map_err(database)?;
        let log = db.open_tree("log").map_err(database)?;
        let facts = Facts::new(db.open_tree("facts").map_err(database)?);
        let reached = open_reached(path, &log, &facts)?;
        let promised_end_max = Arc::new(AtomicU64::new(u64::MAX));
        let flush = Flush {
            file: File::open(path.join("db")).map_err(directory)?,
            db,
            log: log.clone(),
            facts: facts.clone(),
            reached,
            promised_end_max: Arc::clone(&promised_end_max),
        };
        let flusher = flush.start().map_err(directory)?;
        let mut store = Self { log, facts, flusher, promised_end_max, incarnation: Incarnation::UNKNOWN };
        store.incarnation = store.claim(path, node_id)?;
        sync_directories(path).map_err(directory)?;
        store.finish_purge(path)?;
        entries::check_all(&store.log).map_err(|source| OpenLogError::Entry { path: path.to_owned(), source })?;
        Ok(store)
    }

    /// Makes sure that the log is this node's, and was not lost since it was made; says which directory it is.
    fn claim(&self, path: &Path, node_id: u64) -> Result<Incarnation, OpenLogError> {
        let identity_path = path.with_file_name(IDENTITY_FILE);
        let directory = |source| OpenLogError::Directory { path: path.to_owned(), source };
        let known = Identity::read(&identity_path)
            .map_err(|source| OpenLogError::Identity { path: identity_path.clone(), source })?;
        let logged = self.facts.node_id().map_err(|source| source.located(path, "the node's number"))?;
        let owners = [known.map(|identity| identity.node_id), logged];
        if let Some(found) = owners.into_iter().flatten().find(|&found| found != node_id) {
            return Err(OpenLogError::OtherNode { path: path.to_owned(), node_id, found });
        }
        if known.is_some() && logged.is_none() {
            return Err(OpenLogError::Lost { path: path.to_owned() });
        }
        if logged.is_none() {
            self.facts.set_node_id(node_id).map_err(directory)?;
            self.flusher.flush_blocking().map_err(directory)?;
        }
        // Only now: a crash before this leaves a log without an identity, which gets it the next time.
        let incarnation = match known.map(|identity| identity.incarnation) {
            Some(incarnation) if incarnation != Incarnation::UNKNOWN => incarnation,
            Some(_) | None => {
                let drawn = Incarnation::new(uuid::Uuid::new_v4().into_bytes());
                Identity { node_id, incarnation: drawn }.write(&identity_path).map_err(directory)?;
                drawn
            }
        };
        Ok(incarnation)
    }

    /// A crash may have come between noting what is purged and deleting it.
    fn finish_purge(&self, path: &Path) -> Result<(), OpenLogError> {
        let purged = self.facts.purged().map_err(|source| source.located(path, "the end of what was purged"))?;
        let Some(purged) = purged else { return Ok(()) };
        entries::delete_through(&self.log, purged.index)
            .map_err(|source| OpenLogError::Database { path: path.to_owned(), source })
    }
}

/// What makes writes durable, and then promises them.
struct Flush {
    db: sled::Db,
    /// sled's own `flush` writes, but leaves the drive's cache alone: what it wrote is synced here, on the same inode.
    file: File,
    log: sled::Tree,
    facts: Facts,
    reached: ReachedFile,
    promised_end_max: Arc<AtomicU64>,
}

impl Flush {
    fn start(mut self) -> io::Result<Flusher> {
        Flusher::start(move || self.run())
    }

    fn run(&mut self) -> io::Result<()> {
        // Looked at first: what is written while the flush runs is the next one's.
        let mut reached = reached_by(&self.log, &self.facts)?;
        reached.end = reached.end.min(self.promised_end_max.load(Ordering::SeqCst));
        self.db.flush().map_err(io::Error::other)?;
        self.file.sync_data()?;
        self.reached.write(reached)
    }
}

/// Reads what was promised of a log, and makes sure that it is there.
fn open_reached(path: &Path, log: &sled::Tree, facts: &Facts) -> Result<ReachedFile, OpenLogError> {
    let reached_path = path.with_file_name(REACHED_FILE);
    let file = ReachedFile::open(&reached_path);
    let file = file.map_err(|source| OpenLogError::Reached { path: reached_path, source })?;
    let promised = file.newest();
    let found = reached_by(log, facts).map_err(|source| OpenLogError::Directory { path: path.to_owned(), source })?;
    if promised.is_kept_by(&found) {
        return Ok(file);
    }
    if found == Reached::default() {
        return Err(OpenLogError::Lost { path: path.to_owned() });
    }
    let (promised, found) = (promised.end.saturating_sub(1), found.end.saturating_sub(1));
    Err(OpenLogError::Shortened { path: path.to_owned(), promised, found })
}

/// How far a log and its vote have come.
fn reached_by(log: &sled::Tree, facts: &Facts) -> io::Result<Reached> {
    let last = entries::last_index(log).map_err(io::Error::other)?;
    let purged = facts.purged().map_err(io::Error::other)?.map(|log_id| log_id.index);
    let vote = facts.vote().map_err(io::Error::other)?;
    Ok(Reached { end: last.max(purged).map_or(0, |index| index.saturating_add(1)), vote })
}

/// Makes the names of new files and directories durable: of the database, of its directory, of the metadata's.
fn sync_directories(path: &Path) -> io::Result<()> {
    path.ancestors()
        .filter(|ancestor| !ancestor.as_os_str().is_empty())
        .take(3)
        .try_for_each(|ancestor| File::open(ancestor)?.sync_all())
}
