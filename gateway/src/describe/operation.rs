//! The words in which a route is described.

use gateway_api::Code;
use serde_json::Value;

use super::schemas::Schemas;

/// How a schema is asked for: [`Schemas::request`] or [`Schemas::answer`] of a type.
pub(super) type SchemaOf = fn(&mut Schemas) -> Value;

/// What a route is about; the description is grouped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tag {
    Topics,
    Publishing,
    Reading,
    Subscriptions,
    Consuming,
    ConsumerGroups,
    DeadLetters,
    Scheduled,
    Access,
    Cluster,
    Node,
    Description,
}

/// Everything that clients are told of a route.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// Of the query and the headers; those of the path follow from it.
    pub(super) parameters: Vec<Parameter>,
    /// Examples of path parameters that differ from the usual ones.
    pub(super) path_examples: Vec<(&'static str, &'static str)>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// The codes of its problems, besides those that any request can have.
    pub(super) codes: Vec<Code>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// A parameter of a request.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Value,
    /// Part of the example request; one that is not required is left out without it.
    pub(super) example: Option<Value>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) required: bool,
    pub(super) contents: Vec<Content>,
}

/// A body of one media type, with examples by name.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) examples: Vec<(&'static str, Value)>,
}

/// An answer that is not a problem.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content: Option<(&'static str, SchemaOf)>,
    /// Header fields that it always has, and what they say.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Operation {
    /// A route by what it does, in a few words and in some more.
    pub(super) fn new(tag: Tag, summary: &'static str, description: &'static str) -> Self {
        Self {
            tag,
            summary,
            description,
            parameters: Vec::new(),
            path_examples: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// With these parameters.
    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// With another example of a part of the path.
    pub(super) fn path_example(mut self, name: &'static str, value: &'static str) -> Self {
        self.path_examples.push((name, value));
        self
    }

    /// With a body that must be there.
    pub(super) fn body(self, contents: impl IntoIterator<Item = Content>) -> Self {
        let body = Body { required: true, contents: contents.into_iter().collect() };
        Self { body: Some(body), ..self }
    }

    /// With a body that may be left out.
    pub(super) fn optional_body(self, contents: impl IntoIterator<Item = Content>) -> Self {
        let body = Body { required: false, contents: contents.into_iter().collect() };
        Self { body: Some(body), ..self }
    }

    /// With this answer.
    pub(super) fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// With the problems of these codes.
    pub(super) fn problems(mut self, codes: &[&[Code]]) -> Self {
        self.codes.extend(codes.iter().copied().flatten());
        self
    }
}

impl Parameter {
    /// A parameter of the query.
    pub(super) fn query(name: &str, schema: Value, description: impl Into<String>) -> Self {
        Self { place: Place::Query, name: name.to_owned(), description: description.into(), schema, example: None }
    }

    /// A header field.
    pub(super) fn header(name: &str, schema: Value, description: impl Into<String>) -> Self {
        Self { place: Place::Header, ..Self::query(name, schema, description) }
    }

    /// A part of the path.
    pub(super) fn path(name: &str, schema: Value, description: impl Into<String>) -> Self {
        Self { place: Place::Path, ..Self::query(name, schema, description) }
    }

    /// With a value in the example request.
    pub(super) fn example(self, value: impl Into<Value>) -> Self {
        Self { example: Some(value.into()), ..self }
    }
}

impl Content {
    /// A JSON body.
    pub(super) fn json(schema: SchemaOf, examples: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self { media_type: "application/json", schema, examples: examples.into_iter().collect() }
    }
}

impl Answer {
    /// An answer of this status without a body.
    pub(super) fn empty(status: u16, description: &'static str) -> Self {
        Self { status, description, content: None, headers: Vec::new() }
    }

    /// An answer with a JSON body.
    pub(super) fn json(status: u16, description: &'static str, schema: SchemaOf) -> Self {
        Self { content: Some(("application/json", schema)), ..Self::empty(status, description) }
    }

    /// With an entity tag.
    pub(super) fn with_etag(self) -> Self {
        self.with_header("ETag", "Changes whenever the resource does; for `If-Match` and `If-None-Match`.")
    }

    /// With a header field.
    pub(super) fn with_header(mut self, name: &'static str, description: &'static str) -> Self {
        self.headers.push((name, description));
        self
    }
}

impl Tag {
    /// Every tag, in the order of the page.
    pub(super) const ALL: [Self; 12] = [
        Self::Topics,
        Self::Publishing,
        Self::Reading,
        Self::Subscriptions,
        Self::Consuming,
        Self::ConsumerGroups,
        Self::DeadLetters,
        Self::Scheduled,
        Self::Access,
        Self::Cluster,
        Self::Node,
        Self::Description,
    ];

    /// Its name, and what belongs to it.
    pub(super) const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Topics => ("Topics", "Named sets of partitions, each an append-only log."),
            Self::Publishing => ("Publishing", "Messages in. An answer means that they are as durable as it says."),
            Self::Reading => ("Reading", "A topic as a log: read from any place, as often as you like."),
            Self::Subscriptions => ("Subscriptions", "Durable readers of a topic that remember what is done."),
            Self::Consuming => ("Consuming", "Messages out, one lease each: pull, then ack, nack or extend."),
            Self::ConsumerGroups => {
                ("Consumer groups", "Consumers of a subscription that have partitions of their own.")
            }
            Self::DeadLetters => ("Dead letters", "Messages that nobody could take: browse them, send them back."),
            Self::Scheduled => ("Scheduled messages", "Messages that wait for their time."),
            Self::Access => ("Access", "Who may do what: principals with their grants, and keys that prove them."),
            Self::Cluster => {
                ("Cluster", "The nodes, how they stand, and who owns what: for those who look after them.")
            }
            Self::Node => ("Node", "How the node is, and its WebSocket."),
            Self::Description => ("Description", "This description, and the page that shows it."),
        }
    }
}
