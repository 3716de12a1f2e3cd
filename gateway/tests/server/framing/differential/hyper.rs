//! hyper, in this process.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use ::hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Verdict, compare};

/// F59.
#[test]
fn hyper_reads_no_conversation_otherwise() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    compare("hyper", |bytes| runtime.block_on(verdict(bytes)));
}

async fn verdict(bytes: &[u8]) -> Verdict {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: ::hyper::Request<Incoming>| {
        let bodies = Arc::clone(&bodies);
        async move {
            // What breaks off within its body is no request.
            if let Ok(body) = request.into_body().collect().await {
                bodies.lock().unwrap().push(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
        }
    });
    let (near, far) = tokio::io::duplex(1 << 20);
    let serving = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(far), service);
    let (mut reading, mut writing) = tokio::io::split(near);
    let client = async {
        writing.write_all(bytes).await.unwrap();
        writing.shutdown().await.unwrap();
        let mut answers = Vec::new();
        reading.read_to_end(&mut answers).await.unwrap();
        answers
    };
    let (served, answers) = tokio::join!(serving, client);
    let refused = answers.windows(12).any(|line| line.starts_with(b"HTTP/1.1 4") || line.starts_with(b"HTTP/1.0 4"));
    let bodies = bodies.lock().unwrap().clone();
    Verdict { bodies, whole: served.is_ok() && !refused }
}
