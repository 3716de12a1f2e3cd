//! The addresses a node listens on, taken before anything is started.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits;

/// Where a running node is reached; ports that were 0 in the configuration are the real ones here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The data port.
    pub http: SocketAddr,
    /// The metrics port, if it is served.
    pub metrics: Option<SocketAddr>,
}

/// Takes `address` for as many listeners as there are cores; the kernel spreads connections over them once they listen.
///
/// # Errors
/// The address is not this machine's, or another process listens on it. Nothing is taken then.
pub(crate) fn take_for_cores(address: SocketAddr, cores: usize) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let address = refuse_if_taken(address)?;
    let sockets = (0..cores).map(|_| bound_socket(address, true)).collect::<io::Result<Vec<_>>>()?;
    Ok((address, sockets))
}

/// Begins to listen on a socket that was taken.
pub(crate) fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(limits::LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// Listens on an address that was taken for the cores, until they do.
pub(crate) fn listen_beside(address: SocketAddr) -> io::Result<TcpListener> {
    listen(bound_socket(address, true)?)
}

/// `SO_REUSEPORT` would let two nodes share a port without a word, so the address is first asked for without it.
fn refuse_if_taken(address: SocketAddr) -> io::Result<SocketAddr> {
    let probe = bound_socket(address, false)?;
    let taken = probe.local_addr()?.as_socket();
    taken.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// `SO_REUSEADDR` on every socket: else a restart would have to wait for the last connections' `TIME_WAIT` to pass.
fn bound_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cores_share_one_port_and_nobody_else_does() {
        let (address, sockets) = take_for_cores("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_ne!(address.port(), 0);
        let listeners: Vec<_> = sockets.into_iter().map(|socket| listen(socket).unwrap()).collect();
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
        let refused = take_for_cores(address, 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let refused = take_for_cores("192.0.2.1:0".parse().unwrap(), 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
