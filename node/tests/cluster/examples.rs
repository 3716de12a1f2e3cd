//! The examples of the pages for clients as a reader takes them: each command and each program, in order, against one node,
//! with what they print as the page shows it.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    harness::{TestNode, data_directory},
    programs::{self, Program},
    tour::{
        self, PAGE_ADDRESS,
        page::{self, Block, Language, Script, Step},
        pattern::Examples,
    },
};

/// Who reads a page and does what it says.
struct Reader {
    page: &'static str,
    node: TestNode,
    home: TempDir,
    python: PathBuf,
    javascript: PathBuf,
    examples: Examples,
}

#[test]
fn the_page_on_http_works_as_written() {
    read("http.md", 16, 7);
}

#[test]
fn the_page_on_websocket_works_as_written() {
    read("websocket.md", 6, 5);
}

/// Follows a page, which has at least so many commands and programs: one that is not understood would pass otherwise.
fn read(page: &'static str, commands_min: usize, scripts_min: usize) {
    let Some(python) = programs::python_with("httpx, websockets") else {
        return programs::skip("Python with httpx and websockets");
    };
    let Some(javascript) = programs::javascript() else { return programs::skip("Node 22") };
    let (node, home) = (TestNode::start(), data_directory());
    let mut reader = Reader { page, node, home, python, javascript, examples: Examples::default() };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let (mut commands, mut scripts) = (0, 0);
    for block in page::blocks(&fs::read_to_string(path).unwrap()) {
        match block {
            Block::Console(steps) => {
                commands += steps.len();
                for step in &steps {
                    reader.take(step);
                }
            }
            Block::Script(script) => {
                scripts += 1;
                reader.run(&script);
            }
        }
    }
    assert!(commands >= commands_min && scripts >= scripts_min, "{commands} commands and {scripts} scripts were found");
}

impl Reader {
    /// Runs a command; what the page shows of its output must come.
    fn take(&mut self, step: &Step) {
        let command = self.here(&self.examples.filled_in(&step.command));
        let mut shell = tour::shell(&command, &self.node);
        shell.current_dir(self.home.path());
        if step.command.starts_with("curl -N ") {
            return self.watch(shell, step);
        }
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        // Where the page shows none, it does not matter; but a refusal always does.
        let expected = if step.output.trim().is_empty() { "…" } else { &step.output };
        self.compare(&step.command, expected, &printed);
        assert!(!printed.contains("\"outcome\":") || expected.contains("\"code\":"), "{command}\n{printed}");
    }

    /// Runs a command that does not end by itself until it has printed what the page shows, up to a blank line.
    fn watch(&mut self, mut shell: Command, step: &Step) {
        let mut program = Program(shell.stdout(Stdio::piped()).spawn().unwrap());
        let mut output = program.0.stdout.take().unwrap();
        let (mut printed, mut looked_at) = (Vec::new(), 0);
        loop {
            let mut buffer = [0; 4096];
            let count = output.read(&mut buffer).unwrap();
            printed.extend_from_slice(&buffer[..count]);
            while let Some(length) = printed[looked_at..].windows(2).position(|end| end == b"\n\n") {
                looked_at += length + 2;
                let so_far = std::str::from_utf8(&printed[..looked_at]).unwrap();
                if self.examples.compare(&step.output, so_far).is_ok() {
                    return program.end();
                }
            }
            assert!(count > 0, "{} ended with\n{}", step.command, String::from_utf8_lossy(&printed));
        }
    }

    /// Runs a program; it must end well, and print what the page shows.
    fn run(&mut self, script: &Script) {
        let (program, name, arguments): (_, _, &[&str]) = match script.language {
            Language::Python => (&self.python, "example.py", &[]),
            Language::JavaScript => (&self.javascript, "example.mjs", &["--experimental-eventsource"]),
        };
        fs::write(self.home.path().join(name), self.here(&script.text)).unwrap();
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(arguments).arg(name).current_dir(self.home.path());
        // What stands before the node on a developer's machine is not meant.
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} of\n{}\n{printed}\n{errors}", output.status, script.text);
        self.compare(&script.text, script.output.as_deref().unwrap_or_default(), &printed);
    }

    fn compare(&mut self, what: &str, expected: &str, printed: &str) {
        if let Err(difference) = self.examples.compare(expected, printed) {
            panic!("{} says of\n{what}\n{expected}\nbut it prints\n{printed}\n{difference}", self.page);
        }
    }

    /// The text with the address of the node in place of the page's.
    fn here(&self, text: &str) -> String {
        text.replace(PAGE_ADDRESS, self.node.address())
    }
}
