//! What a node may hold in memory by its configuration, and the most that it held.

use std::fs;

use crate::harness::TestNode;

pub(super) const MIB: usize = 1 << 20;
/// What a WebSocket may have waiting: 256 KiB and one frame of as much, in a buffer that doubles as it grows.
const WEBSOCKET_BYTES: usize = MIB;
/// What an HTTP answer may take: up to 1 MiB of batches and the JSON of them, in a buffer that doubles as it grows.
const HTTP_ANSWER_BYTES: usize = 4 * MIB;
/// Code and tables that come in with use, and what the allocator keeps of what was freed.
const BESIDE_BYTES: usize = 24 * MIB;

/// The parts of a configuration from which the bound follows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    pub(super) websockets: usize,
    /// HTTP connections with an answer on its way.
    pub(super) http_readers: usize,
    pub(super) bodies_bytes: usize,
    pub(super) cache_bytes: usize,
    /// Of all partitions together.
    pub(super) unflushed_bytes: usize,
}

/// The resident memory of a node from a moment on.
pub(super) struct Peak {
    pid: u32,
    begin: usize,
}

impl Budget {
    fn bytes(&self) -> usize {
        // A body is decoded into a batch, and a batch is copied into the write.
        let publishing = 2 * self.bodies_bytes + 2 * self.unflushed_bytes;
        let reading = self.websockets * WEBSOCKET_BYTES + self.http_readers * HTTP_ANSWER_BYTES;
        publishing + reading + self.cache_bytes + BESIDE_BYTES
    }
}

impl Peak {
    pub(super) fn begin(node: &TestNode) -> Self {
        // Makes the kernel forget the peak so far.
        fs::write(format!("/proc/{}/clear_refs", node.pid()), "5").unwrap();
        Self { pid: node.pid(), begin: high_water_bytes(node.pid()) }
    }

    /// Fails if more came to it than the budget allows; says how much it was.
    pub(super) fn assert_within(&self, budget: &Budget, what: &str) {
        let grown = high_water_bytes(self.pid).saturating_sub(self.begin);
        eprintln!("{what}: {} MiB more in memory, {} MiB allowed", grown / MIB, budget.bytes() / MIB);
        assert!(grown <= budget.bytes(), "{what}: {grown} bytes more in memory, {} allowed", budget.bytes());
    }
}

/// The most that was resident at once.
fn high_water_bytes(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
