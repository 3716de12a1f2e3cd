//! Has the linker lead liburing's `io_uring_setup` through `src/ring_setup.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bin=pubsub-node=-Wl,--wrap=__sys_io_uring_setup");
    println!("cargo::rustc-link-arg-examples=-Wl,--wrap=__sys_io_uring_setup");
}
