//! Undoes the content coding of a request's body, where its operation takes one that is coded.

use super::Connection;
use crate::{
    application::Application,
    http::{
        gzip::{GzipDecoder, GzipError},
        router::{Route, route},
    },
    limits::BODY_BYTES_FREE,
};

impl<A: Application> Connection<A> {
    /// Undoes gzip. Anything else is left as it is: the operation refuses codings that are not undone.
    pub(super) async fn undo_coding(&mut self) -> Result<(), GzipError> {
        let route = route(self.request.method(), self.request.target()).map(|matched| matched.route);
        if !matches!(route, Ok(Route::PublishBatch | Route::PublishOne)) || self.wire.parser.is_within_body() {
            return Ok(());
        }
        let mut decoder = GzipDecoder::new(self.request.body(), self.state.application.config().body_bytes_max);
        let mut bytes = self.request.head().to_vec();
        while decoder.decode_part(&mut bytes)? {
            let held = self.request.bytes.len() + bytes.len();
            let reserved = self.body_reservation.resize(held.saturating_sub(BODY_BYTES_FREE));
            reserved.map_err(|_| GzipError::TooManyBodies)?;
            glommio::executor().yield_if_needed().await;
        }
        self.request.bytes = bytes;
        self.request.decoded = true;
        Ok(())
    }
}
