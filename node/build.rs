//! Has the linker lead liburing's `io_uring_setup` through `src/ring_setup.rs`.

#![expect(clippy::print_stdout, reason = "cargo reads a build script's standard output")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bin=pubsub-node=-Wl,--wrap=__sys_io_uring_setup");
}
