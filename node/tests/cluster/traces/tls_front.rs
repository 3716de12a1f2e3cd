//! TLS in front of a collector that has none, by `HAProxy`.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    harness::{data_directory, eventually},
    programs::{self, Program},
    tls::authority::Authority,
};

/// How often another port is tried: somebody else may have taken it before the proxy does.
const TRIES: usize = 5;

/// A front that runs until it is dropped.
pub(super) struct TlsFront {
    pub(super) address: String,
    _program: Program,
    home: TempDir,
}

impl TlsFront {
    /// Starts one, and returns once it takes connections; `None` where there is no `HAProxy`.
    pub(super) fn start(behind: &str, authority: &Authority) -> Option<Self> {
        let Some(tool) = programs::find("haproxy") else {
            programs::skip("haproxy");
            return None;
        };
        let home = data_directory();
        authority.write_server(home.path());
        let both = ["tls.crt", "tls.key"].map(|name| fs::read_to_string(home.path().join(name)).unwrap());
        fs::write(home.path().join("both.pem"), both.concat()).unwrap();
        for _ in 0..TRIES {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let file = home.path().join("configuration");
            fs::write(&file, configuration(&address, behind, home.path())).unwrap();
            let log = File::create(home.path().join("log")).unwrap();
            let mut command = Command::new(&tool);
            command.args(["-db", "-f"]).arg(&file).stdout(log.try_clone().unwrap()).stderr(log);
            let mut program = Program(command.spawn().unwrap());
            let listens = || TcpStream::connect(&address).is_ok();
            if eventually(|| program.has_ended() || listens()) && !program.has_ended() {
                return Some(Self { address, _program: program, home });
            }
        }
        panic!("haproxy does not start:\n{}", fs::read_to_string(home.path().join("log")).unwrap());
    }

    /// Who has signed its certificate.
    pub(super) fn issuer(&self) -> String {
        self.home.path().join("ca.crt").display().to_string()
    }
}

/// Bytes go through as they are; what is spoken in them is agreed on in the handshake.
fn configuration(address: &str, behind: &str, home: &Path) -> String {
    let home = home.display();
    format!(
        "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
         frontend tls\n    bind {address} ssl crt {home}/both.pem alpn h2,http/1.1\n    default_backend collector\n\
         backend collector\n    server collector {behind}\n"
    )
}
