//! What the coordinator decides.
