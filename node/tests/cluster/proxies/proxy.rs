//! A proxy on a port and in a directory of its own, with the configuration of the page in what only a test needs around it.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    harness::{data_directory, eventually},
    http::Connection,
    programs::{self, Program},
    tour::page,
};

const PAGE: &str = include_str!("../../../../docs/proxies.md");
/// Where the page says that the node is, and the proxy.
const PAGE_NODE: &str = "127.0.0.1:8081";
const PAGE_PROXY: &str = "127.0.0.1:8080";
/// How often another port is tried: somebody else may have taken it before the proxy does.
const TRIES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Haproxy,
    Envoy,
}

/// A proxy that runs until it is dropped.
pub(super) struct Proxy {
    /// Where its clients connect.
    pub(super) address: String,
    _program: Program,
    _home: TempDir,
}

impl Proxy {
    /// Starts one in front of a node, and returns once it lets requests through; `None` where there is no such proxy.
    pub(super) fn start(kind: Kind, node: &str) -> Option<Self> {
        let Some(tool) = programs::find(kind.name()) else {
            programs::skip(kind.name());
            return None;
        };
        let home = data_directory();
        for _ in 0..TRIES {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let file = home.path().join("configuration.yaml");
            fs::write(&file, kind.configuration(&address, node, home.path())).unwrap();
            let mut command = Command::new(&tool);
            command.args(kind.arguments()).arg(&file).current_dir(home.path());
            let log = File::create(home.path().join("log")).unwrap();
            command.stdout(log.try_clone().unwrap()).stderr(log);
            let mut program = Program(command.spawn().unwrap());
            if eventually(|| program.has_ended() || is_ready(&address)) && !program.has_ended() {
                return Some(Self { address, _program: program, _home: home });
            }
        }
        panic!("{} does not start:\n{}", kind.name(), fs::read_to_string(home.path().join("log")).unwrap());
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["-c"],
            Self::Haproxy => &["-db", "-f"],
            Self::Envoy => &["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn", "-c"],
        }
    }

    /// The page's, with the addresses of the test.
    fn configuration(self, proxy: &str, node: &str, home: &Path) -> String {
        let language = if self == Self::Envoy { "yaml" } else { self.name() };
        let shown = page::fenced(PAGE, language).expect("the page shows it");
        let split = |address: &str| {
            let (host, port) = address.rsplit_once(':').unwrap();
            format!("address: {host}, port_value: {port} ")
        };
        let shown = shown.replace(PAGE_NODE, node).replace(PAGE_PROXY, proxy);
        let shown = shown.replace(&split(PAGE_NODE), &split(node)).replace(&split(PAGE_PROXY), &split(proxy));
        if self == Self::Nginx { nginx_around(&shown, home) } else { shown + "\n" }
    }
}

/// One process without a service manager, whose files are all in the test's directory.
fn nginx_around(shown: &str, home: &Path) -> String {
    let home = home.display();
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = names.map(|of| format!("{of}_temp_path {home}/{of};")).join("\n");
    format!(
        "daemon off;\nmaster_process off;\npid {home}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{folders}\n{shown}\n}}\n"
    )
}

/// Whether the node answers through it.
fn is_ready(address: &str) -> bool {
    std::net::TcpStream::connect(address).is_ok()
        && Connection::open(address).try_request("GET", "/readyz").is_some_and(|answer| answer.status == 200)
}
