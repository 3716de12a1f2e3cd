//! Each fault of the machine or the configuration: one line that says what to do, and its own exit code.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use node::exit_code::ExitCode;

use crate::{
    harness::{TestNode, data_directory, node_command, wait},
    http::Connection,
};

/// Runs a node that is expected not to start; returns its exit code and what it said.
fn refused(mut command: Command) -> (u8, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let code = wait(&mut child).code().expect("the process ended by itself");
    let output = child.wait_with_output().unwrap();
    (u8::try_from(code).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
pub(crate) fn assert_refused(command: Command, code: ExitCode, said: &[&str]) {
    let (found, error) = refused(command);
    assert_eq!(found, code.number(), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for word in said {
        assert!(error.contains(word), "`{word}` is missing in: {error}");
    }
}

/// The node with free ports and a directory, run by `wrapper`, a shell line in which `"$@"` is the node.
fn node_under(wrapper: &str, data_dir: &Path) -> Command {
    let node = node_command();
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(env!("CARGO_TARGET_TMPDIR"));
    shell.arg("-c").arg(wrapper).arg("sh").arg(node.get_program()).arg("--data-dir").arg(data_dir);
    shell.args(["--set", "server.port=0", "--set", "metrics.port=0"]);
    shell
}

/// strace makes a system call fail as a seccomp profile or an old kernel would.
fn node_with_failing_io_uring(errno: &str, data_dir: &Path) -> Command {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    assert!(found.is_ok(), "strace is missing: apt-get install strace");
    let inject = format!("exec strace -f -qq -o /dev/null -e inject=io_uring_setup:error={errno} \"$@\"");
    node_under(&inject, data_dir)
}

#[test]
fn a_kernel_without_io_uring_is_named() {
    let data = data_directory();
    let command = node_with_failing_io_uring("ENOSYS", data.path());
    assert_refused(command, ExitCode::IoUringMissing, &["no io_uring", "CONFIG_IO_URING"]);
}

#[test]
fn io_uring_that_is_blocked_is_told_apart_from_io_uring_that_is_switched_off() {
    let data = data_directory();
    let command = node_with_failing_io_uring("EPERM", data.path());
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    if disabled.trim().is_empty() || disabled.trim() == "0" {
        assert_refused(command, ExitCode::IoUringBlocked, &["seccomp", "io_uring_enter"]);
    } else {
        assert_refused(command, ExitCode::IoUringDisabled, &["sysctl -w kernel.io_uring_disabled=0"]);
    }
}

/// Without it, each byte from a client interrupts the core that serves it: a third of its time under load.
#[test]
fn rings_are_set_up_so_that_completions_do_not_interrupt_a_busy_core() {
    let data = data_directory();
    let trace = data.path().join("trace");
    // A core that can't write its probe ends the start when all of its rings are there.
    fs::create_dir(data.path().join("io-probe.0")).unwrap();
    let trace_it = format!("exec strace -f -qq -e trace=io_uring_setup -o {} \"$@\"", trace.display());
    assert_refused(node_under(&trace_it, data.path()), ExitCode::ThreadDied, &["io-probe.0"]);
    let traced = fs::read_to_string(&trace).unwrap();
    // The check before the start asks for 2 entries; a polled ring has its completions fetched.
    let interrupting = |line: &&str| {
        line.contains("io_uring_setup(512") && !line.contains("SETUP_IOPOLL") && !line.contains("SETUP_COOP_TASKRUN")
    };
    assert!(traced.contains("IORING_SETUP_COOP_TASKRUN"), "{traced}");
    assert_eq!(traced.lines().find(interrupting), None);
}

#[test]
fn too_little_lockable_memory_names_limit_need_and_remedy() {
    let data = data_directory();
    let command = node_under("ulimit -l 64 && exec \"$@\"", data.path());
    assert_refused(command, ExitCode::Memlock, &["65536", "524288", "ulimit -l 512", "LimitMEMLOCK"]);
}

#[test]
fn a_soft_limit_that_is_too_low_is_raised() {
    let data = data_directory();
    // The data directory is a file: whoever gets that far has passed the limits.
    let blocked = data.path().join("file");
    fs::write(&blocked, "").unwrap();
    let command = node_under("ulimit -S -l 64 && ulimit -S -n 64 && exec \"$@\"", &blocked);
    assert_refused(command, ExitCode::DataDirectory, &["file", "--data-dir"]);
}

/// F29.
#[test]
fn too_few_open_files_name_limit_need_and_remedy() {
    let data = data_directory();
    let command = node_under("ulimit -n 500 && exec \"$@\"", data.path());
    assert_refused(command, ExitCode::FileDescriptors, &["500", "17408", "ulimit -n", "server.connections_max"]);
}

#[test]
fn a_data_directory_in_memory_is_refused() {
    let data = tempfile::tempdir_in("/dev/shm").unwrap();
    assert_refused(node_under("exec \"$@\"", data.path()), ExitCode::DirectIo, &["tmpfs", "--data-dir"]);
}

#[test]
fn a_data_directory_that_is_not_writable_is_refused() {
    let command = node_under("exec \"$@\"", Path::new("/proc/pubsub"));
    assert_refused(command, ExitCode::DataDirectory, &["/proc/pubsub", "--data-dir"]);
}

/// F30.
#[test]
fn a_second_process_on_one_directory_names_the_first() {
    let first = TestNode::start();
    let command = node_under("exec \"$@\"", &first.data_dir());
    assert_refused(command, ExitCode::DataDirectoryLocked, &[&format!("process {}", first.pid()), "--data-dir"]);
}

/// F20, F21.
#[test]
fn metadata_that_was_lost_is_not_taken_for_a_new_node() {
    let mut node = TestNode::start();
    let log = node.data_dir().join("raft/log");
    let earlier = tempfile::tempdir().unwrap();
    assert_eq!(node.terminate().code(), Some(0));
    copy_files(&log, earlier.path());
    node.restart();
    assert_eq!(Connection::open(node.address()).request("PUT", "/v1/topics/orders", &[], b"").status, 201);
    assert_eq!(node.terminate().code(), Some(0));
    let start = || node_under("exec \"$@\"", &node.data_dir());

    fs::remove_dir_all(&log).unwrap();
    assert_refused(start(), ExitCode::MetadataLost, &["raft/log", "restore"]);
    // An older copy, which by itself is whole.
    fs::remove_dir_all(&log).unwrap();
    copy_files(earlier.path(), &log);
    assert_refused(start(), ExitCode::MetadataLost, &["raft/log", "part of it is lost"]);
}

/// Copies a directory that may have others in it.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_files(&path, &copy) } else { fs::copy(&path, copy).map(drop).unwrap() }
    }
}

#[test]
fn an_address_that_is_taken_is_named_even_when_another_node_has_it() {
    let first = TestNode::start();
    let data = data_directory();
    let port = first.address().rsplit_once(':').unwrap().1;
    let mut command = node_under("exec \"$@\"", data.path());
    command.args(["--set", &format!("server.port={port}")]);
    assert_refused(command, ExitCode::Address, &[first.address(), "--set server.port="]);
}

#[test]
fn a_metrics_port_that_is_taken_is_named_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let data = data_directory();
    let mut command = node_under("exec \"$@\"", data.path());
    command.args(["--set", &format!("metrics.port={}", address.port())]);
    assert_refused(command, ExitCode::Address, &[&address.to_string(), "--set metrics.port="]);
}

#[test]
fn a_wrong_setting_names_its_place_and_the_nearest_known_one() {
    let data = data_directory();
    let file = data.path().join("config.yaml");
    fs::write(&file, "server:\n  prot: 1\n").unwrap();
    let mut command = node_command();
    command.arg("--config").arg(&file).arg("--check-config");
    assert_refused(command, ExitCode::Configuration, &["config.yaml", "server.prot", "`server.port`"]);

    let mut command = node_command();
    command.env("PUBSUB_SERVER_PROT", "1").arg("--check-config");
    assert_refused(command, ExitCode::Configuration, &["PUBSUB_SERVER_PROT", "`PUBSUB_SERVER_PORT`"]);

    let mut command = node_command();
    command.args(["--set", "metrics.host=0.0.0.0", "--check-config"]);
    assert_refused(command, ExitCode::Configuration, &["metrics.host", "auth: none"]);
}

#[test]
fn what_print_config_shows_is_what_check_config_takes() {
    let data = data_directory();
    let mut command = node_command();
    let printed = command.env("PUBSUB_SERVER_PORT", "7000").arg("--print-config").output().unwrap();
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("port: 7000"), "{text}");
    let file = data.path().join("config.yaml");
    fs::write(&file, &text).unwrap();
    let again = node_command().arg("--config").arg(&file).arg("--print-config").output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
}
