//! Names that clients choose: strict ASCII, so that no two of them look or sort alike by accident.

use std::fmt;

use crate::limits;

/// The name of a topic: `[A-Za-z0-9._-]{1,249}`, not `.` or `..`, not starting with `__`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Box<str>);

/// The name of a subscription; the rules are those of a topic's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionName(Box<str>);

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum NameError {
    #[error("a name has 1 to {} characters, this one has {length}", limits::NAME_LENGTH_MAX)]
    Length { length: usize },
    #[error("a name is made of A-Z, a-z, 0-9, '.', '_' and '-'; byte {position} is none of them")]
    Character { position: usize },
    #[error("a name is not '.' or '..' and does not start with '__'")]
    Reserved,
}

impl TopicName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check(name)?;
        Ok(Self(name.into()))
    }

    /// The name as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SubscriptionName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check(name)?;
        Ok(Self(name.into()))
    }

    /// The name as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for SubscriptionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > limits::NAME_LENGTH_MAX {
        return Err(NameError::Length { length: name.len() });
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if let Some(position) = name.bytes().position(|byte| !allowed(byte)) {
        return Err(NameError::Character { position });
    }
    if name == "." || name == ".." || name.starts_with("__") {
        return Err(NameError::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken_as_they_are() {
        for name in ["orders", "a", "A.b_c-9", "...", "_private", &"x".repeat(249)] {
            assert_eq!(TopicName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        assert_eq!(TopicName::new(""), Err(NameError::Length { length: 0 }));
        assert_eq!(TopicName::new(&"x".repeat(250)), Err(NameError::Length { length: 250 }));
        assert_eq!(TopicName::new("../x"), Err(NameError::Character { position: 2 }));
        assert_eq!(TopicName::new("a\0b"), Err(NameError::Character { position: 1 }));
        assert_eq!(TopicName::new("ｏrders"), Err(NameError::Character { position: 0 }));
        for name in [".", "..", "__cursors"] {
            assert_eq!(TopicName::new(name), Err(NameError::Reserved));
            assert_eq!(SubscriptionName::new(name), Err(NameError::Reserved));
        }
    }
}
