//! A real OpenTelemetry collector that prints the spans it gets, and what it has printed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    harness::{DEADLINE, TestNode, data_directory, eventually},
    programs::{self, Program},
};

/// How often other ports are tried: somebody else may have taken them before the collector does.
const TRIES: usize = 5;
/// How often it is looked what has come.
const LOOK: Duration = Duration::from_millis(20);

/// A collector that runs until it is dropped.
pub(crate) struct Collector {
    grpc: String,
    http: String,
    output: PathBuf,
    _program: Program,
    _home: TempDir,
}

/// A span as the collector has got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) trace: String,
    /// Empty if there is none.
    pub(crate) parent: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    /// As the collector writes them: `Str(orders)`.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Trace and span.
    pub(crate) links: Vec<(String, String)>,
    /// Attributes of the node that it comes from.
    pub(crate) resource: BTreeMap<String, String>,
}

/// What the attributes belong to that follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Resource,
    Span,
    Link,
    Other,
}

impl Collector {
    /// Starts one, and returns once it takes connections; `None` where there is no such program.
    pub(crate) fn start() -> Option<Self> {
        let Some(tool) = programs::find("rotel") else {
            programs::skip("rotel");
            return None;
        };
        let home = data_directory();
        let output = home.path().join("output");
        for _ in 0..TRIES {
            let free = || TcpListener::bind("127.0.0.1:0").unwrap();
            let [grpc, http] = [free(), free()].map(|port| port.local_addr().unwrap().to_string());
            let log = File::create(&output).unwrap();
            let mut command = Command::new(&tool);
            command.args(["start", "--exporter", "blackhole", "--disable-batching"]);
            command.args(["--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
            command.args(["--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http]);
            command.env_clear().current_dir(home.path()).stdout(log.try_clone().unwrap()).stderr(log);
            let mut program = Program(command.spawn().unwrap());
            let listens = || [&grpc, &http].iter().all(|address| TcpStream::connect(address).is_ok());
            if eventually(|| program.has_ended() || listens()) && !program.has_ended() {
                return Some(Self { grpc, http, output, _program: program, _home: home });
            }
        }
        panic!("the collector does not start:\n{}", fs::read_to_string(&output).unwrap());
    }

    /// A node that sends its traces here by `protocol`.
    pub(crate) fn node(&self, protocol: &str, settings: &[(&str, &str)]) -> TestNode {
        let own = self.settings(protocol);
        let own: Vec<_> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
        TestNode::start_with(&[&own, settings].concat())
    }

    /// What a node is told to send its traces here.
    pub(crate) fn settings(&self, protocol: &str) -> [(&'static str, String); 3] {
        [
            ("tracing.enabled", "true".to_owned()),
            ("tracing.otlp_protocol", protocol.to_owned()),
            ("tracing.otlp_endpoint", format!("http://{}", self.address(protocol))),
        ]
    }

    /// Where it takes traces by `protocol`.
    pub(super) fn address(&self, protocol: &str) -> &str {
        if protocol == "grpc" { &self.grpc } else { &self.http }
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        parse(&self.output())
    }

    /// Waits until the spans are as wanted, and gives them.
    pub(crate) fn await_spans(&self, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let until = Instant::now() + DEADLINE;
        loop {
            let spans = self.spans();
            if wanted(&spans) {
                return spans;
            }
            assert!(Instant::now() < until, "these have come: {spans:#?}");
            thread::sleep(LOOK);
        }
    }

    /// Everything that it has printed.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }
}

impl Span {
    /// As a `traceparent` names it.
    pub(crate) fn context(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }

    /// The text of an attribute.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> &str {
        let value = self.attributes.get(name).unwrap_or_else(|| panic!("{name} is not in {self:#?}"));
        let inner = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or_else(|| panic!("{name} is {value}"))
    }
}

/// The only span of this name.
#[track_caller]
pub(crate) fn only<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [only] = found[..] else { panic!("{name} is there {} times: {spans:#?}", found.len()) };
    only
}

/// Whether each of these names is there.
pub(crate) fn has_all(spans: &[Span], names: &[&str]) -> bool {
    names.iter().all(|name| spans.iter().any(|span| span.name == *name))
}

fn parse(output: &str) -> Vec<Span> {
    let (mut spans, mut resource, mut part) = (Vec::<Span>::new(), BTreeMap::new(), Part::Other);
    // What has been printed to its end.
    let whole = output.rfind('\n').map_or("", |end| &output[..end]);
    for line in whole.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") {
            (resource, part) = (BTreeMap::new(), Part::Resource);
        } else if line.starts_with("ScopeSpans #") {
            part = Part::Other;
        } else if line.starts_with("Span #") {
            spans.push(Span { resource: resource.clone(), ..Span::default() });
            part = Part::Span;
        } else if line.starts_with("SpanLink #") {
            part = Part::Link;
        }
        if let Some((name, value)) = line.strip_prefix("-> ").and_then(|rest| rest.split_once(':')) {
            let (name, value) = (name.to_owned(), value.trim().to_owned());
            match (part, spans.last_mut()) {
                (Part::Resource, _) => drop(resource.insert(name, value)),
                (Part::Span, Some(span)) => drop(span.attributes.insert(name, value)),
                (Part::Link, Some(span)) if name == "Trace ID" => span.links.push((value, String::new())),
                (Part::Link, Some(span)) if name == "ID" => span.links.last_mut().unwrap().1 = value,
                _ => {}
            }
        } else if let (Part::Span, Some(span), Some((name, value))) = (part, spans.last_mut(), line.split_once(':')) {
            let field = match name.trim() {
                "Trace ID" => &mut span.trace,
                "Parent ID" => &mut span.parent,
                "ID" => &mut span.id,
                "Name" => &mut span.name,
                "Kind" => &mut span.kind,
                "Status code" => &mut span.status,
                _ => continue,
            };
            value.trim().clone_into(field);
        }
    }
    spans
}
