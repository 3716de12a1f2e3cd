//! Things that are found by name and by id.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

/// Something with a name that clients choose and an id that stays.
pub(super) trait Entry {
    type Name: Ord + Clone + Borrow<str>;
    type Id: Ord + Copy;

    fn name(&self) -> &Self::Name;
    fn id(&self) -> Self::Id;
}

/// Entries under unique names and unique ids. A clone shares the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Catalog<T: Entry> {
    by_name: BTreeMap<T::Name, Arc<T>>,
    by_id: BTreeMap<T::Id, Arc<T>>,
}

impl<T: Entry> Catalog<T> {
    /// Adds an entry, or puts it in the place of the one with its name and id.
    ///
    /// # Panics
    /// If the name belongs to another id or the id to another name.
    pub(super) fn put(&mut self, entry: Arc<T>) {
        let former_by_name = self.by_name.insert(entry.name().clone(), Arc::clone(&entry));
        let former_by_id = self.by_id.insert(entry.id(), entry);
        let same = former_by_name.map(|former| former.id()) == former_by_id.map(|former| former.id());
        assert!(same && self.by_name.len() == self.by_id.len(), "names and ids belong together");
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        let entry = self.by_name.remove(name)?;
        self.by_id.remove(&entry.id());
        Some(entry)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.by_name.get(name)
    }

    pub(super) fn get_by_id(&self, id: T::Id) -> Option<&Arc<T>> {
        self.by_id.get(&id)
    }

    /// Every entry, by name.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<T>> {
        self.by_name.values()
    }

    /// Entries whose names come after `name`, by name.
    pub(super) fn iter_after(&self, name: &str) -> impl Iterator<Item = &Arc<T>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.by_name.range::<str, _>((Excluded(name), Unbounded)).map(|(_, entry)| entry)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}

impl<T: Entry> Default for Catalog<T> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new(), by_id: BTreeMap::new() }
    }
}
