//! The bounds of the node itself; those of the data plane are in the crates that own it.

/// The largest configuration file, in bytes.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;
/// How like a known name an unknown one must be to be suggested, from 0 to 1.
pub(crate) const SUGGESTION_LIKENESS_MIN: f64 = 0.6;

/// The oldest kernel: glommio needs the io_uring operations of 5.8.
pub(crate) const KERNEL_MIN: (u32, u32) = (5, 8);
/// Locked memory that io_uring needs, in bytes; glommio refuses to start with less.
pub(crate) const MEMLOCK_BYTES_MIN: u64 = 512 << 10;
/// File descriptors that a node needs for itself: rings, listeners, metadata, and a first few partitions.
pub(crate) const FILE_DESCRIPTORS_MIN: u64 = 1024;
/// The alignment that direct I/O is tried with, in bytes.
pub(crate) const DIRECT_IO_BLOCK_BYTES: usize = 4096;
