//! h11, and llhttp by way of httptools: in a Python process that reads conversations and answers with verdicts.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use super::{Verdict, compare};

const PROGRAM: &str = include_str!("other_parsers.py");

/// F59.
#[test]
fn h11_reads_no_conversation_otherwise() {
    compare_with("h11");
}

/// F59.
#[test]
fn llhttp_reads_no_conversation_otherwise() {
    compare_with("httptools");
}

#[expect(clippy::print_stderr, reason = "who reads the test's output should know what was not tested")]
fn compare_with(module: &str) {
    let Some(python) = python_with(module) else {
        eprintln!("SKIPPED: no Python with {module}; `pip install {module}`, or .ci/run installs it");
        return;
    };
    let other = Mutex::new(Other::start(&python, module));
    compare(module, |bytes| other.lock().unwrap().verdict(bytes));
}

/// The Python that has a module: that of the tools that CI installs, or the system's.
fn python_with(module: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("ci-tools/bin/python3");
    [tools, PathBuf::from("python3")].into_iter().find(|python| {
        let import = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    })
}

/// Another parser in its process, which ends with its input.
struct Other {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(python: &Path, module: &str) -> Self {
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM, module]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    /// One line of hexadecimal there, one line back: `whole` or `broken`, then the bodies.
    fn verdict(&mut self, bytes: &[u8]) -> Verdict {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{}", hex(bytes)).unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut words = line.trim_end().split(' ');
        let whole = words.next().unwrap() == "whole";
        Verdict { bodies: words.map(|word| unhex(word.strip_prefix('=').unwrap())).collect(), whole }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.input = None;
        self.process.wait().unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
