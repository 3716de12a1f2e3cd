//! A script's answer as the list of strings that it is.

use bytes::Bytes;
use redis::Value;
use shard_core::redis::{Failure, FailureKind};

/// Takes the strings of an answer, without copying them.
pub(super) fn strings(value: Value) -> Result<Vec<Bytes>, Failure> {
    let Value::Array(values) = value else { return Err(wrong("a list")) };
    let string = |value| {
        if let Value::BulkString(bytes) = value { Ok(Bytes::from(bytes)) } else { Err(wrong("a string")) }
    };
    values.into_iter().map(string).collect()
}

/// Takes a number that is an answer by itself.
pub(super) fn count(value: &Value) -> Result<u32, Failure> {
    let Value::Int(count) = value else { return Err(wrong("a number")) };
    Ok(u32::try_from(*count).unwrap_or(0))
}

fn wrong(expected: &str) -> Failure {
    Failure::new(FailureKind::Protocol, format!("something else came where {expected} was expected"))
}
