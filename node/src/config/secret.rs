//! A setting that nobody is shown: not in `--print-config`, not in a log, not in an error.

use std::fmt;

/// What stands for a secret wherever it would be shown.
const HIDDEN: &str = "********";

/// A password or the like; empty if there is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for where it is needed; `None` if there is none.
    #[must_use]
    pub fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }

    /// What is shown in its place: nothing if there is none.
    #[must_use]
    pub const fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { HIDDEN }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::new("open sesame".to_owned());
        assert_eq!((secret.reveal(), secret.shown()), (Some("open sesame"), HIDDEN));
        assert!(!format!("{secret:?}").contains("sesame"));
        assert_eq!((Secret::default().reveal(), Secret::default().shown()), (None, ""));
    }
}
