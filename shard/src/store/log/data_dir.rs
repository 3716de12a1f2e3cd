//! The layout of the data directory, as the core has it for whoever reads one.

pub(super) use shard_core::layout::{
    index_base, index_path, journal_generation, journal_path, partition_dir, segment_base, segment_path, topic_dir,
};
