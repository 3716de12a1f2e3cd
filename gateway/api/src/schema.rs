//! JSON Schemas of the types that write and read their JSON by hand; those of the others are derived.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::base64::Data;
use crate::cow_str::CowStr;
use crate::cursor::CursorToken;
use crate::error::Code;
use crate::frame::SubscribeFrom;
use crate::nullable::Nullable;
use crate::publish::Attributes;
use crate::rfc3339::Timestamp;
use crate::subscriptions::Position;

/// A type that has no schema of its own name: it is written out wherever it is used.
macro_rules! inlined {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

inlined!(CowStr<'_>, "CowStr", { "type": "string" });
inlined!(Data, "Data", { "type": "string", "contentEncoding": "base64" });
inlined!(Timestamp, "Timestamp", { "type": "string", "format": "date-time" });
inlined!(CursorToken, "CursorToken", { "type": "string" });
inlined!(Position, "Position", {
    "anyOf": [{ "type": "string", "enum": ["earliest", "latest"] }, { "type": "string", "format": "date-time" }],
});
inlined!(SubscribeFrom, "SubscribeFrom", {
    "anyOf": [
        { "type": "string", "enum": ["latest", "earliest"] },
        { "type": "string", "description": "A cursor token.", "pattern": "^[A-Za-z0-9_-]+$" },
    ],
});
inlined!(Attributes<'_>, "Attributes", { "type": "object", "additionalProperties": { "type": "string" } });

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known = Self::ALL.iter().filter(|code| **code != Self::Unrecognized);
        let texts: Vec<_> = known.map(|code| code.as_str()).collect();
        json_schema!({ "type": "string", "description": "The kind of a problem, for programs.", "enum": texts })
    }
}

impl<T: JsonSchema> JsonSchema for Nullable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Nullable{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}
