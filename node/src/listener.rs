//! A core's own listener on the port that all cores share.

use std::{
    io,
    os::fd::{FromRawFd as _, IntoRawFd as _},
};

use glommio::net::TcpListener;
use socket2::Socket;

use crate::addresses;

/// Begins to listen on a socket that was taken for this core. To be called on the core's executor.
pub(crate) fn listen(socket: Socket) -> io::Result<TcpListener> {
    let listening = addresses::listen(socket)?.into_raw_fd();
    // SAFETY: the descriptor is a listening socket, and this is its one owner from here on.
    #[expect(unsafe_code, reason = "glommio's own bind can't set SO_REUSEADDR, without which a restart has to wait")]
    Ok(unsafe { TcpListener::from_raw_fd(listening) })
}
