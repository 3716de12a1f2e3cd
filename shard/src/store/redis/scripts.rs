//! The scripts that run inside Redis, and a call of one.

use redis::{Cmd, Script};

/// A script of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptName {
    Open,
    Tail,
    Read,
    Peek,
    Trim,
    Keep,
    Cut,
    AcceptLoss,
    Delete,
    WriteCursors,
    ReadCursors,
}

/// The scripts with their hashes.
pub(super) struct Scripts(Vec<(ScriptName, String)>);

/// A script with its keys and arguments; may be sent any number of times with the effect of one.
pub(super) struct ScriptCall<'a> {
    pub(super) script: ScriptName,
    pub(super) keys: Vec<&'a str>,
    pub(super) arguments: Vec<Argument<'a>>,
}

/// One argument of a script.
pub(super) enum Argument<'a> {
    Number(u64),
    Text(String),
    Bytes(&'a [u8]),
}

/// A script of an owner, with the functions that such scripts share.
macro_rules! owned {
    ($file:literal) => {
        concat!(include_str!("scripts/enter.lua"), include_str!(concat!("scripts/", $file)))
    };
}

impl ScriptName {
    const ALL: [Self; 11] = [
        Self::Open,
        Self::Tail,
        Self::Read,
        Self::Peek,
        Self::Trim,
        Self::Keep,
        Self::Cut,
        Self::AcceptLoss,
        Self::Delete,
        Self::WriteCursors,
        Self::ReadCursors,
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::Open => owned!("open.lua"),
            Self::Tail => owned!("tail.lua"),
            Self::Read => include_str!("scripts/read.lua"),
            Self::Peek => include_str!("scripts/peek.lua"),
            Self::Trim => owned!("trim.lua"),
            Self::Keep => owned!("keep.lua"),
            Self::Cut => owned!("cut.lua"),
            Self::AcceptLoss => owned!("accept_loss.lua"),
            Self::Delete => include_str!("scripts/delete.lua"),
            Self::WriteCursors => owned!("write_cursors.lua"),
            Self::ReadCursors => include_str!("scripts/read_cursors.lua"),
        }
    }

    /// Whether the answer is an acknowledgement, which replicas may have to back.
    pub(super) const fn acknowledges(self) -> bool {
        match self {
            Self::WriteCursors | Self::Open | Self::Cut | Self::AcceptLoss => true,
            Self::Tail | Self::Read | Self::Peek | Self::Trim | Self::Keep | Self::Delete | Self::ReadCursors => false,
        }
    }
}

impl Scripts {
    /// Hashes the scripts, once.
    pub(super) fn new() -> Self {
        Self(ScriptName::ALL.into_iter().map(|name| (name, Script::new(name.text()).get_hash().to_owned())).collect())
    }

    /// The call by its hash: a few bytes, but the server may not know the script.
    pub(super) fn by_hash(&self, call: &ScriptCall<'_>) -> Cmd {
        let hash = self.0.iter().find(|(name, _)| *name == call.script).map_or("", |(_, hash)| hash.as_str());
        call.command("EVALSHA", hash)
    }

    /// The call with the whole script, which the server then knows.
    pub(super) fn by_text(call: &ScriptCall<'_>) -> Cmd {
        call.command("EVAL", call.script.text())
    }
}

impl ScriptCall<'_> {
    /// The size of what is sent, nearly.
    pub(super) fn len(&self) -> usize {
        let lengths = self.arguments.iter().map(|argument| match argument {
            Argument::Number(_) => 8,
            Argument::Text(text) => text.len(),
            Argument::Bytes(bytes) => bytes.len(),
        });
        lengths.sum::<usize>() + self.keys.iter().map(|key| key.len()).sum::<usize>()
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let arguments = 3 + self.keys.len() + self.arguments.len();
        let mut command = Cmd::with_capacity(arguments, name.len() + script.len() + self.len() + 24 * arguments);
        command.arg(name).arg(script).arg(self.keys.len()).arg(&self.keys);
        for argument in &self.arguments {
            match argument {
                Argument::Number(number) => command.arg(*number),
                Argument::Text(text) => command.arg(text),
                Argument::Bytes(bytes) => command.arg(*bytes),
            };
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_is_listed_once_and_has_a_hash_of_its_own() {
        let scripts = Scripts::new();
        for (index, (name, hash)) in scripts.0.iter().enumerate() {
            assert_eq!(hash.len(), 40);
            assert!(scripts.0.iter().skip(index + 1).all(|other| other.0 != *name && other.1 != *hash), "{name:?}");
        }
    }

    #[test]
    fn a_call_is_sent_as_redis_wants_it() {
        let arguments = vec![Argument::Number(7), Argument::Text("text".to_owned()), Argument::Bytes(b"\0\xff")];
        let call = ScriptCall { script: ScriptName::Peek, keys: vec!["a", "b"], arguments };
        let sent = call.command("EVALSHA", "hash").get_packed_command();
        let expected = b"*8\r\n$7\r\nEVALSHA\r\n$4\r\nhash\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\n7\r\n$4\r\ntext\r\n$2\r\n\0\xff\r\n";
        assert_eq!(sent, expected);
    }
}
