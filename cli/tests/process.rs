//! The program as scripts see it: exit codes, and what goes to which stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::thread;

fn pubsub_cli(server: SocketAddr, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubsub-cli"));
    command.env("PUBSUB_SERVER", format!("http://{server}")).env_remove("PUBSUB_KEY").args(line.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(server: SocketAddr, line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = pubsub_cli(server, line).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// A node that answers one request and goes.
fn answer_once(status: u16, content_type: &str, body: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    let answer = format!("{head}{body}");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        stream.write_all(answer.as_bytes()).expect("an answer");
    });
    address
}

#[test]
fn a_node_that_is_not_there_is_exit_code_7() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let (code, stdout, stderr) = run(nobody, "topics list");
    assert_eq!((code, stdout.as_str()), (Some(7), ""));
    assert!(stderr.contains("is pubsub-node running at"), "{stderr}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    assert_eq!(run(nobody, "topics lst").0, Some(2));
    assert_eq!(run(nobody, "topics update orders").0, Some(2));
    assert_eq!(run(nobody, "subscribe orders --format {data} -o json").0, Some(2));
}

#[test]
fn a_problem_is_told_on_standard_error_with_its_exit_code() {
    let problem = concat!(
        r#"{"type":"urn:pubsubring:problem:topic_not_found","title":"Topic not found","status":404,"#,
        r#""code":"topic_not_found","detail":"no topic `x`","instance":"r","retryable":false,"outcome":"not_applied"}"#
    );
    let (code, stdout, stderr) = run(answer_once(404, "application/problem+json", problem), "topics describe x");
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.starts_with("error: cannot describe topic `x`: no topic `x` (topic_not_found)\n"), "{stderr}");
}

#[test]
fn json_on_standard_output_is_the_answer_and_nothing_else() {
    let server = answer_once(200, "application/json", r#"{"items":[]}"#);
    let (code, stdout, stderr) = run(server, "topics list -o json");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "{\n  \"items\": []\n}\n", ""));
}

#[test]
fn an_output_that_nobody_reads_is_no_failure() {
    let mut child = pubsub_cli(SocketAddr::from(([127, 0, 0, 1], 1)), "completions bash").spawn().expect("it runs");
    // The reader goes before anything is written, or in the middle of it.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!((child.wait().expect("an end").code(), stderr.as_str()), (Some(0), ""));
}
