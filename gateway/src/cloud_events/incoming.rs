//! From a request to events.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use gateway_api::{CowStr, Problem, decode::decode};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{PREFIX, REQUIRED, SPEC_VERSION, is_json};
use crate::{
    error::{self, Failure},
    http::{
        percent::{Plus, decode_into},
        request::Request,
    },
    publish_decode::{Hold, Outgoing, PayloadSource},
};

/// An event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event<'e> {
    /// With `ce-` before each name.
    attributes: Vec<(String, Cow<'e, str>)>,
    content_type: Option<Cow<'e, str>>,
    data: Data<'e>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Data<'e> {
    Bytes(&'e [u8]),
    Json(&'e str),
    Text(Cow<'e, str>),
    Base64(Cow<'e, str>),
}

/// The members of a JSON object as they were written.
struct Members<'e>(Vec<(CowStr<'e>, &'e RawValue)>);

/// The event in binary mode that a request is; `None` if no header says that it is one.
///
/// # Errors
/// Names the header that is wrong or missing.
pub(crate) fn in_headers(request: &Request) -> Result<Option<Event<'_>>, Failure> {
    let mut attributes = Vec::new();
    for (name, value) in request.headers() {
        if !name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let Some(attribute) = lower.strip_prefix(PREFIX) else { continue };
        check_name(&lower, attribute)?;
        let value = decoded(value).ok_or_else(|| error::invalid(&lower, "not UTF-8 in percent-encoding"))?;
        attributes.push((lower, Cow::Owned(value)));
    }
    if attributes.is_empty() {
        return Ok(None);
    }
    let content_type = request.content_type().map(Cow::Borrowed);
    let event = Event { attributes, content_type, data: Data::Bytes(request.body()) };
    event.check(PREFIX).map(Some)
}

/// The event in structured mode that a body is.
///
/// # Errors
/// Names the attribute that is wrong or missing.
pub(crate) fn in_body(body: &[u8]) -> Result<Event<'_>, Failure> {
    let Members(members) = decode(body).map_err(error::of_decode)?;
    of_members(members)
}

/// The events that a body lists.
///
/// # Errors
/// Says which event it is, and names its attribute.
pub(crate) fn in_batch(body: &[u8]) -> Result<Vec<Event<'_>>, Failure> {
    let events: Vec<&RawValue> = decode(body).map_err(error::of_decode)?;
    let events = events.into_iter().enumerate();
    events.map(|(index, raw)| in_body(raw.get().as_bytes()).map_err(|failure| at(index, failure))).collect()
}

fn at(index: usize, failure: Failure) -> Failure {
    let mut problem: Problem = failure.into_problem();
    problem.detail = format!("event {index}: {}", problem.detail);
    problem.errors.iter_mut().for_each(|field| field.index = u64::try_from(index).ok());
    problem.into()
}

fn of_members<'e>(members: Vec<(CowStr<'e>, &'e RawValue)>) -> Result<Event<'e>, Failure> {
    let mut event = Event { attributes: Vec::new(), content_type: None, data: Data::Bytes(&[]) };
    let (mut data, mut base64) = (None, None);
    for (name, value) in members {
        match (name.as_str(), value.get()) {
            // A member without a value is as good as none.
            (_, "null") => {}
            ("data", json) => data = Some(json),
            ("data_base64", _) => base64 = Some(string("data_base64", value)?),
            ("datacontenttype", _) => event.content_type = Some(string("datacontenttype", value)?),
            (name, _) => {
                check_name(name, name)?;
                event.attributes.push((format!("{PREFIX}{name}"), attribute(name, value)?));
            }
        }
    }
    event.data = match (data, base64) {
        (Some(_), Some(_)) => return Err(error::invalid("data_base64", "there is `data` as well")),
        (None, Some(base64)) => Data::Base64(base64),
        (Some(json), None) => json_data(json, event.content_type.as_deref())?,
        (None, None) => Data::Bytes(&[]),
    };
    event.check("")
}

/// JSON stays as it was written; but a string of a type that is not JSON is the text itself.
fn json_data<'e>(json: &'e str, content_type: Option<&str>) -> Result<Data<'e>, Failure> {
    let is_text = json.starts_with('"') && content_type.is_some_and(|content_type| !is_json(content_type));
    if !is_text {
        return Ok(Data::Json(json));
    }
    let text: Cow<'_, str> = serde_json::from_str(json).map_err(|error| error::invalid("data", error.to_string()))?;
    Ok(Data::Text(text))
}

/// The value of a context attribute as text: strings, whole numbers and booleans are taken.
fn attribute<'e>(name: &str, value: &'e RawValue) -> Result<Cow<'e, str>, Failure> {
    let json = value.get();
    let digits = json.strip_prefix('-').unwrap_or(json);
    if matches!(json, "true" | "false") || digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Cow::Borrowed(json));
    }
    string(name, value)
}

fn string<'e>(name: &str, value: &'e RawValue) -> Result<Cow<'e, str>, Failure> {
    let text: Result<Cow<'e, str>, _> = serde_json::from_str(value.get());
    text.map_err(|_| error::invalid(name, "neither a string nor what can be one"))
}

/// Context attributes have names of lower-case letters and digits.
fn check_name(field: &str, name: &str) -> Result<(), Failure> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !plain {
        return Err(error::invalid(field, "a context attribute has a name of lower-case letters and digits"));
    }
    if name == "datacontenttype" || name == "data" {
        return Err(error::invalid(field, "it has a place of its own: the Content-Type, the body"));
    }
    Ok(())
}

/// A header's value: out of its quotes if it has some, and then percent-decoded once.
fn decoded(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let mut unquoted = String::with_capacity(text.len());
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => {
            let mut characters = quoted.chars();
            while let Some(character) = characters.next() {
                unquoted.push(if character == '\\' { characters.next()? } else { character });
            }
        }
        None => unquoted.push_str(text),
    }
    let mut decoded = String::with_capacity(unquoted.len());
    decode_into(&mut decoded, &unquoted, Plus::Literal).ok()?;
    Some(decoded)
}

impl Event<'_> {
    /// The same as a message.
    pub(crate) fn message(&self) -> Outgoing<'_> {
        Outgoing {
            payload: match &self.data {
                Data::Bytes(bytes) => PayloadSource::Bytes(bytes),
                Data::Json(json) => PayloadSource::Json(json),
                Data::Text(text) => PayloadSource::Text(text),
                Data::Base64(text) => PayloadSource::Base64(text),
            },
            id: self.attribute("id"),
            key: self.attribute("partitionkey"),
            content_type: self.content_type.as_deref(),
            attributes: self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect(),
            priority: None,
            ttl_ms: None,
            hold: Hold::None,
            partition: None,
        }
    }

    fn attribute(&self, wanted: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name.strip_prefix(PREFIX) == Some(wanted));
        found.map(|(_, value)| value.as_ref())
    }

    /// Whether it has what every event has; `prefix` comes before the names where it came from.
    fn check(self, prefix: &str) -> Result<Self, Failure> {
        for required in REQUIRED {
            if self.attribute(required).is_none_or(str::is_empty) {
                let detail = format!("`{prefix}{required}` is missing, which every event has");
                return Err(Problem {
                    detail,
                    ..error::invalid(&format!("{prefix}{required}"), "missing").into_problem()
                }
                .into());
            }
        }
        if self.attribute("specversion") != Some(SPEC_VERSION) {
            return Err(error::invalid(&format!("{prefix}specversion"), "version 1.0 of CloudEvents is known here"));
        }
        let mut names = BTreeSet::new();
        if let Some((twice, _)) = self.attributes.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(error::invalid(twice, "it is there twice"));
        }
        Ok(self)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnEvent;
        impl<'de> Visitor<'de> for AnEvent {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event, which is an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut names) = (Vec::new(), BTreeSet::new());
                while let Some((name, value)) = map.next_entry::<CowStr<'de>, &'de RawValue>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(AnEvent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    type Attributes<'a> = Vec<(&'a str, &'a str)>;

    /// The attributes, the content type and the payload of a message.
    fn shown<'a>(message: &'a Outgoing<'_>) -> (Attributes<'a>, Option<&'a str>, String) {
        let mut attributes = message.attributes.clone();
        attributes.sort_unstable();
        (attributes, message.content_type, format!("{:?}", message.payload))
    }

    fn field_of(failure: &Failure) -> &str {
        failure.errors.first().map_or("", |error| error.field.as_str())
    }

    fn binary(headers: &str) -> Request {
        let lines = headers.lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
        request(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n{lines}\r\n\r\nhi").as_bytes())
    }

    const SOUND: &str = "ce-id: 7\nCE-Source: /shop\nce-specversion: 1.0\nce-type: order\n";

    #[test]
    fn binary_and_structured_mode_arrive_alike() {
        let request = binary(&format!("{SOUND}Content-Type: text/plain\nce-priority: 3\nce-subject: a%20b"));
        let event = in_headers(&request).unwrap().unwrap();
        let body = br#"{"id":"7","source":"/shop","specversion":"1.0","type":"order","datacontenttype":"text/plain",
            "priority":3,"subject":"a b","time":null,"data":"hi"}"#;
        let structured = in_body(body).unwrap();
        let (one, other) = (event.message(), structured.message());
        assert_eq!((one.id, one.key), (Some("7"), None));
        assert_eq!(shown(&one).0, shown(&other).0);
        assert_eq!(one.content_type, other.content_type);
        assert_eq!(shown(&one).0.len(), 6);
        assert_eq!(shown(&other).2, r#"Text("hi")"#);
    }

    #[test]
    fn a_request_without_such_headers_is_no_event() {
        assert_eq!(in_headers(&binary("Pubsub-Attr-Ce-Id: 7")).unwrap(), None);
    }

    #[test]
    fn header_values_are_unquoted_and_decoded_once() {
        for (value, expected) in [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%e2%82%ac", "€"),
            ("%2525", "%25"),
            ("\"a \\\"b\\\" %20\"", "a \"b\"  "),
            ("a+b", "a+b"),
            ("plain é", "plain é"),
        ] {
            assert_eq!(decoded(value.as_bytes()).as_deref(), Some(expected), "{value}");
        }
        for broken in [&b"%C3"[..], b"%zz", b"%", b"\xff"] {
            assert_eq!(decoded(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn what_every_event_has_is_asked_for_by_name() {
        for (line, field) in [
            ("ce-id: 7\n", "ce-id"),
            ("CE-Source: /shop\n", "ce-source"),
            ("ce-specversion: 1.0\n", "ce-specversion"),
            ("ce-type: order\n", "ce-type"),
        ] {
            let failure = in_headers(&binary(&SOUND.replace(line, ""))).unwrap_err();
            assert_eq!((failure.status, field_of(&failure)), (400, field));
        }
        for (headers, field) in [
            (SOUND.replace("1.0", "0.3"), "ce-specversion"),
            (format!("{SOUND}ce-datacontenttype: a/b"), "ce-datacontenttype"),
            (format!("{SOUND}ce-a-b: c"), "ce-a-b"),
            (format!("{SOUND}ce-subject: %C3"), "ce-subject"),
            (format!("{SOUND}ce-type: b"), "ce-type"),
        ] {
            let failure = in_headers(&binary(&headers)).unwrap_err();
            assert_eq!(field_of(&failure), field, "{headers}");
        }
    }

    #[test]
    fn data_is_json_text_or_bytes() {
        for (members, content_type, payload) in [
            (r#""data":{"a": 1}"#, None, r#"Json("{\"a\": 1}")"#),
            (r#""data":"text""#, None, r#"Json("\"text\"")"#),
            (
                r#""data":"a\nb","datacontenttype":"text/plain; charset=utf-8""#,
                Some("text/plain; charset=utf-8"),
                r#"Text("a\nb")"#,
            ),
            (
                r#""data":"x","datacontenttype":"application/vnd.a+json""#,
                Some("application/vnd.a+json"),
                r#"Json("\"x\"")"#,
            ),
            (r#""data":[1],"datacontenttype":"text/xml""#, Some("text/xml"), r#"Json("[1]")"#),
            (r#""data_base64":"AAEC","datacontenttype":"a/b""#, Some("a/b"), r#"Base64("AAEC")"#),
            (r#""data":null"#, None, "Bytes([])"),
        ] {
            let body = format!(r#"{{"id":"1","source":"s","type":"t","specversion":"1.0",{members}}}"#);
            let event = in_body(body.as_bytes()).unwrap();
            let message = event.message();
            assert_eq!((message.content_type, shown(&message).2.as_str()), (content_type, payload), "{members}");
        }
    }

    #[test]
    fn broken_events_are_refused_with_their_place() {
        let event = |more: &str| format!(r#"{{"id":"1","source":"s","type":"t","specversion":"1.0"{more}}}"#);
        for (more, field) in [
            (r#","data":1,"data_base64":"AA==""#, "data_base64"),
            (r#","Upper":"x""#, "Upper"),
            (r#","list":[1]"#, "list"),
            (r#","half":1.5"#, "half"),
        ] {
            let body = format!("[{},{}]", event(""), event(more));
            let failure = in_batch(body.as_bytes()).unwrap_err();
            assert_eq!((field_of(&failure), failure.errors[0].index), (field, Some(1)), "{more}");
        }
        assert_eq!(in_body(event(r#","id":"2""#).as_bytes()).unwrap_err().status, 400);
        assert_eq!(in_body(b"[]").unwrap_err().status, 400);
        assert_eq!(in_batch(event("").as_bytes()).unwrap_err().status, 400);
        assert_eq!(in_batch(b"[1]").unwrap_err().status, 400);
        assert_eq!(in_batch(b"[]").unwrap(), []);
    }

    #[test]
    fn the_partition_key_of_an_event_is_the_key_of_its_message() {
        let request = binary(&format!("{SOUND}ce-partitionkey: k"));
        assert_eq!(in_headers(&request).unwrap().unwrap().message().key, Some("k"));
    }
}
