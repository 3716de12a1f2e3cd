//! Push subscriptions as clients configure and see them: where requests may go, and how they go.
//!
//! The requests themselves are made by the node's control thread.

mod address;
mod board;
mod target;

pub use address::is_public;
pub use board::{PushBoard, PushReport};
pub use gateway_api::{
    Timestamp,
    push::{PushError, PushErrorReason, PushState, PushStatus},
};
pub use target::{PushHost, PushPolicy, PushTarget, TargetError};
