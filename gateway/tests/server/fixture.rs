//! A front on a core of its own, and clients of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::websocket_echo;
use gateway::{
    application::{Admitted, Application, Fault},
    call::Call,
    config::GatewayConfig,
    http::{request::Request, request_id::RequestId, response::Response, router::Route},
    metrics::GatewayMetrics,
    output_budget::OutputBudget,
    server,
    shutdown::Shutdown,
    tls::TlsPort,
    websocket::Upgraded,
};

use crate::streams;
use glommio::{LocalExecutorBuilder, Placement, net::TcpListener};

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running front.
pub(crate) struct Front {
    address: SocketAddr,
    pub(crate) metrics: Arc<GatewayMetrics>,
    stop: mpsc::Sender<()>,
    executor: JoinHandle<()>,
}

/// One connection to a front.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// An answer as it came over the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Answers with what it was sent.
struct Echo {
    config: Rc<GatewayConfig>,
    metrics: Arc<GatewayMetrics>,
    outputs: OutputBudget,
    shutdown: Shutdown,
}

impl Front {
    pub(crate) fn start(config: GatewayConfig) -> Self {
        Self::start_with(config, None)
    }

    /// The same by TLS, if there is something to speak it with.
    pub(crate) fn start_with(config: GatewayConfig, tls: Option<TlsPort>) -> Self {
        let metrics = Arc::new(GatewayMetrics::default());
        let (stop, stopped) = mpsc::channel::<()>();
        let (ready, address) = mpsc::channel();
        let counted = Arc::clone(&metrics);
        let executor = std::thread::spawn(move || {
            let builder = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
            builder.make().unwrap().run(async move {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let shutdown = Shutdown::default();
                let requested = shutdown.clone();
                let waiting = glommio::spawn_local(async move {
                    glommio::executor().spawn_blocking(move || stopped.recv()).await.ok();
                    requested.request();
                });
                let outputs = OutputBudget::new(config.outputs_bytes_max);
                let echo = Echo { config: Rc::new(config), metrics: counted, outputs, shutdown };
                server::serve(echo, listener, tls).await;
                waiting.await;
            });
        });
        Self { address: address.recv().unwrap(), metrics, stop, executor }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Client { stream, reader }
    }

    /// Requests the stop.
    pub(crate) fn stop(&self) {
        self.stop.send(()).unwrap();
    }

    /// Waits until the front has stopped.
    pub(crate) fn join(self) {
        self.executor.join().unwrap();
    }

    /// Waits until the metrics show something.
    pub(crate) fn wait_for(&self, shown: impl Fn(&GatewayMetrics) -> bool) {
        let patience_ends = Instant::now() + PATIENCE;
        while !shown(&self.metrics) {
            assert!(Instant::now() < patience_ends, "the metrics never showed it");
            std::thread::yield_now();
        }
    }
}

impl Client {
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The next head, with its empty line.
    pub(crate) fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.reader.read_line(&mut head).unwrap() > 0, "closed within {head:?}");
        }
        head
    }

    /// The next answer with its body.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head[9..12].parse().unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let body = String::from_utf8(self.bytes(length)).unwrap();
        Answer { status, head, body }
    }

    /// All until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.reader.read_to_string(&mut rest).unwrap();
        rest
    }

    /// The next chunk of a chunked body; empty for the last.
    pub(crate) fn chunk(&mut self) -> String {
        let mut size = String::new();
        assert!(self.reader.read_line(&mut size).unwrap() > 0, "closed where a chunk is due");
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let chunk = self.bytes(size + 2);
        String::from_utf8(chunk).unwrap().strip_suffix("\r\n").unwrap().to_owned()
    }

    /// The next bytes, so many of them.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Waits for the server to close; true if it did so without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.reader.read(&mut [0]).unwrap() == 0
    }
}

impl Application for Echo {
    fn config(&self) -> &GatewayConfig {
        &self.config
    }

    fn metrics(&self) -> &Arc<GatewayMetrics> {
        &self.metrics
    }

    fn outputs(&self) -> &OutputBudget {
        &self.outputs
    }

    fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    fn admit(&self, _call: &Call<'_>) -> Result<Admitted, Response> {
        Ok(Admitted::default())
    }

    fn streams_body(head: &Request) -> bool {
        head.content_type() == Some("test/stream")
    }

    async fn handle(&self, call: Call<'_>) -> Response {
        let text = |text: &str| Response::new(200, "text/plain", text.as_bytes().to_vec());
        match (call.route.route, call.route.name) {
            (Route::Pull, "gone") => {
                call.peer.gone().await;
                text("gone")
            }
            (Route::Pull, "stop") => {
                self.shutdown.wait().await;
                text("stopped")
            }
            (Route::GetTopic, name) if streams::is_known(name) => streams::answer(name),
            (Route::PublishBatch, "upper") => Response::streaming("text/plain", streams::Upper::default()),
            (Route::PublishBatch, "refused") => text("no"),
            (Route::DeleteTopic, "panic") => panic!("asked to"),
            (Route::Readyz, _) => text("ready"),
            (Route::ListTopics, _) => text(call.client.certificate.as_deref().unwrap_or("nobody")),
            _ => Response::new(200, "application/octet-stream", call.request.body().to_vec()),
        }
    }

    async fn upgraded(&self, connection: Upgraded) {
        websocket_echo::serve(connection, self.config.body_bytes_max).await;
    }

    fn fault(&self, fault: &Fault, _request: RequestId) -> Response {
        let answer = Response::empty(match fault {
            Fault::Refused(refusal) => refusal.status(),
            Fault::Handshake(refused) => refused.status(),
            Fault::Unrouted(gateway::http::router::RouteError::NotFound) => 404,
            Fault::Unrouted(gateway::http::router::RouteError::MethodNotAllowed { .. }) => 405,
            Fault::Unrouted(_) => 400,
        });
        answer.failing(gateway_api::Code::NotFound)
    }
}
