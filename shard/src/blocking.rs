//! What blocks, kept off the shard.

/// Runs a blocking operation on glommio's blocking thread, so that the shard goes on.
pub(crate) async fn off_the_shard<T: Send + 'static>(operation: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(operation).await
}
