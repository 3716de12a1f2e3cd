//! Sets up the executors' rings so that what completes doesn't interrupt a core that is at work.
//!
//! glommio 0.9 sets up plain rings. When a socket becomes readable, the kernel then forces the core that waits for it
//! out of whatever it runs, by an interrupt, only to note the completion: with 64 clients, a third of its time. With
//! `IORING_SETUP_COOP_TASKRUN` (Linux 5.19, `io_uring_setup(2)`) it notes completions when the core enters the kernel
//! anyway, as each executor does all the time, and always before it sleeps. glommio has no way to ask for it, so the
//! linker leads liburing's call through here (`build.rs`, `--wrap` in `ld(1)`); docs/adr/0001 has the figures.

#![expect(unsafe_code, reason = "the symbols and the pointer are C's")]

use libc::{c_int, c_uint};

/// `IORING_SETUP_IOPOLL` of `linux/io_uring.h`.
const IOPOLL: u32 = 1 << 0;
/// `IORING_SETUP_COOP_TASKRUN`.
const COOP_TASKRUN: u32 = 1 << 8;

/// The beginning of `struct io_uring_params`, which the kernel never changes.
#[repr(C)]
struct RingParams {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
}

unsafe extern "C" {
    /// liburing's own: the bare system call.
    fn __real___sys_io_uring_setup(entries: c_uint, params: *mut RingParams) -> c_int;
}

/// Adds the flag to rings that take it; a kernel that doesn't know it gets the plain call.
///
/// # Safety
/// As for the system call: `params` points to a whole structure that nobody else uses meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___sys_io_uring_setup(entries: c_uint, params: *mut RingParams) -> c_int {
    // SAFETY: the caller lends the structure until we return.
    let plain = unsafe { (*params).flags };
    // A polled ring has its completions fetched anyway.
    if plain & IOPOLL == 0 {
        // SAFETY: as above; the call is the one that was asked for, with one flag more.
        let ring = unsafe {
            (*params).flags = plain | COOP_TASKRUN;
            __real___sys_io_uring_setup(entries, params)
        };
        if ring >= 0 {
            return ring;
        }
    }
    // SAFETY: as above; this is the very call that was asked for.
    unsafe {
        (*params).flags = plain;
        __real___sys_io_uring_setup(entries, params)
    }
}
