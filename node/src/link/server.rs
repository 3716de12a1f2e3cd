//! Answers the questions of one connection of the control lane.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use raft::PeerServer;
use shard_core::link::{Expected, Frame, FrameKind, OutFrame};
use tokio::{
    io,
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{
    connection::{ConnectionError, FrameReader, shake_hands, write_frames},
    stream::ControlStream,
};
use crate::limits;

/// Serves a connection until the other side closes it or does what no node does.
pub(crate) async fn serve(
    stream: ControlStream,
    expected: Expected,
    server: PeerServer,
) -> Result<(), ConnectionError> {
    let (read, mut write) = io::split(stream);
    let mut reader = FrameReader::new(read);
    let shaken = timeout(limits::LINK_HANDSHAKE_WAIT, shake_hands(&mut reader, &mut write, expected, false)).await;
    let peer = shaken.map_err(|_| ConnectionError::Silent)??;
    tracing::debug!(node = ?peer.identity.node, "another node has connected to the control lane");

    let (replies, outgoing) = mpsc::channel(limits::LINK_REPLIES_WAITING_MAX);
    // They end with this task: what nobody can hear is not answered.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = write_frames(write, outgoing).await {
            tracing::debug!(%error, "a connection of the control lane can't be written to");
        }
    });
    let room = Arc::new(Semaphore::new(limits::LINK_QUESTIONS_MAX));
    loop {
        let frame = reader.next().await?;
        while tasks.try_join_next().is_some() {}
        match frame.kind {
            FrameKind::Request => {
                // When too much is being answered, nothing more is read.
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
                let (server, replies) = (server.clone(), replies.clone());
                tasks.spawn(async move {
                    answer(&server, frame, &replies).await;
                    drop(permit);
                });
            }
            FrameKind::Ping => drop(replies.try_send(OutFrame::bare(FrameKind::Pong, frame.id))),
            // Answers are short: one that nobody waits for does no harm.
            FrameKind::Cancel | FrameKind::Pong => {}
            FrameKind::Goodbye => return Ok(()),
            FrameKind::Hello | FrameKind::Proof | FrameKind::Refusal | FrameKind::Reply => {
                return Err(ConnectionError::Closed);
            }
        }
    }
}

async fn answer(server: &PeerServer, frame: Frame, replies: &mpsc::Sender<OutFrame>) {
    let left = Duration::from_millis(u64::from(frame.millis_left));
    // Who asked has given up by then.
    let Ok(answer) = timeout(left, server.answer(&frame.tail)).await else { return };
    let reply = OutFrame {
        kind: FrameKind::Reply,
        id: frame.id,
        millis_left: 0,
        head: Bytes::new(),
        tail: vec![Bytes::from(answer)],
    };
    // Where the connection has ended, nobody hears it.
    drop(replies.send(reply).await);
}
