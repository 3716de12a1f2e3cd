//! What befalls the disks of nodes.
//!
//! What the promise bears: with three replicas, of which two have to be in sync, everything acknowledged is on two disks at
//! least. One of them may lose any of what it has, or all, as long as the other keeps it; the next one may only when the first
//! has it again. A power cut takes what no disk had promised to have, and may befall all at once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Broker, disks::Disks};
use crate::{
    history::Installed,
    workload::{DEAD_TOPIC, TOPIC},
};

impl Broker {
    /// A node and its disks lose their power.
    pub(crate) fn cut_power(&mut self, place: u32) -> Result<(), Installed> {
        self.pause(place)?;
        self.disks(place).cut();
        self.kill(place)?;
        self.disks(place).take_rest();
        Ok(())
    }

    /// All that run lose it at once.
    pub(crate) fn cut_all_power(&mut self) -> Result<(), Installed> {
        let running: Vec<u32> = (1..=self.size()).filter(|place| self.running(*place).is_ok()).collect();
        running.iter().try_for_each(|place| self.pause(*place))?;
        for place in &running {
            self.disks(*place).cut();
        }
        running.iter().try_for_each(|place| self.kill(*place))?;
        for place in &running {
            self.disks(*place).take_rest();
        }
        Ok(())
    }

    /// The disk with a node's partitions fails, and the node goes on: it is one that serves, since none starts on such a disk.
    pub(crate) fn fail_disk(&mut self, place: u32) -> Result<(), Installed> {
        self.running(place)?;
        let ready = self.insist(&format!("node {place} was not ready"), &[place], async |client| {
            client.readyz().await.map(|_| true)
        });
        ready.map_err(|unknown| Installed::Skipped(format!("{unknown:?}")))?;
        self.disks(place).fail_partitions();
        Ok(())
    }

    /// Ends a node whose disk has failed, and starts it with a disk that has what that one had.
    pub(crate) fn mend_disk(&mut self, place: u32) {
        drop(self.kill(place));
        self.disks(place).take_rest_of_partitions();
        self.start(place);
    }

    pub(crate) fn fill_disk(&mut self, place: u32) -> Result<(), Installed> {
        self.running(place)?;
        self.disks(place).fill();
        Ok(())
    }

    pub(crate) fn empty_disk(&mut self, place: u32) {
        self.disks(place).empty();
    }

    /// Ends a node, and has it lose something of one partition: a byte, all files, or the directory.
    pub(crate) fn damage(&mut self, place: u32) -> Result<(), Installed> {
        self.await_whole()?;
        self.terminate(place)?;
        let directories = partitions(&self.home(place).join("data/partitions"));
        let turn = self.next_damage();
        let directory = &directories[turn % directories.len()];
        match turn % 3 {
            0 => change_a_byte(directory),
            1 => {
                for file in entries(directory) {
                    fs::remove_file(file).unwrap();
                }
            }
            _ => fs::remove_dir_all(directory).unwrap(),
        }
        Ok(())
    }

    /// Waits until all that is kept is on all nodes.
    pub(super) fn await_whole(&self) -> Result<(), Installed> {
        let places: Vec<u32> = (1..=self.size()).collect();
        let size = places.len();
        let waited = self.insist("not all replicas were in sync", &places, async |client| {
            for topic in [TOPIC, DEAD_TOPIC] {
                let layout = client.topic(topic).await?.value.layout;
                if layout.is_empty() || layout.iter().any(|placed| placed.isr.len() < size) {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        // Nothing was done: a run in which it never comes to that has too few faults.
        waited.map_err(|unknown| Installed::Skipped(format!("{unknown:?}")))
    }

    fn disks(&mut self, place: u32) -> &mut Disks {
        self.node(place).disks.as_mut().expect("only disks that are there are under faults")
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The directories of all partitions, without those that were put aside.
fn partitions(directory: &Path) -> Vec<PathBuf> {
    let topics = entries(directory).into_iter().filter(|path| path.is_dir());
    let mut all: Vec<_> = topics.flat_map(|topic| entries(&topic)).collect();
    all.retain(|path| path.extension().is_none());
    all
}

/// Changes one of the last message in the newest segment.
fn change_a_byte(directory: &Path) {
    let segments = entries(directory);
    let newest = segments.iter().rfind(|path| path.extension().is_some_and(|extension| extension == "log"));
    let Some(newest) = newest else { return };
    let mut bytes = fs::read(newest).unwrap();
    if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
        bytes[last.saturating_sub(8)] ^= 0xff;
        fs::write(newest, bytes).unwrap();
    }
}
