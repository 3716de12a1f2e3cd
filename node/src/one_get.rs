//! One GET over a connection that is there, within bounds; then the connection ends.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request,
    client::conn::http1,
    header::{ACCEPT, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// What is asked for, and of whom.
pub(crate) struct Get<'a> {
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
    pub(crate) accept: &'a str,
    /// The largest body that is taken, in bytes.
    pub(crate) body_bytes_max: usize,
}

/// How a connection failed, with what lies behind it.
pub(crate) type GetError = Box<dyn Error + Send + Sync>;

impl Get<'_> {
    /// The status and the body of the answer.
    ///
    /// # Errors
    /// Says how the connection failed.
    pub(crate) async fn over<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<(u16, Bytes), GetError> {
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(self.path)
            .header(HOST, self.authority)
            .header(ACCEPT, self.accept)
            .body(Empty::<Bytes>::new())?;
        let answered = async {
            let answer = requests.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), self.body_bytes_max);
            Ok((status, body.collect().await?.to_bytes()))
        };
        let mut connection = std::pin::pin!(connection);
        let mut answered = std::pin::pin!(answered);
        tokio::select! {
            biased;
            answer = &mut answered => return answer,
            // What has been read of the answer by then is still to be taken.
            _ = &mut connection => {}
        }
        answered.await
    }
}
