//! Requests out of the bytes of a connection, and where they go.

use gateway::{
    config::GatewayConfig,
    http::{
        parser::{Progress, RequestParser},
        request::Request,
        router,
    },
};

use crate::{
    batches,
    harness::{Case, Operations},
};

pub(crate) const CASES: &[Case] = &[Case::new("http: a request with 256 B", 1, parse)];

/// Head and body are parsed as one connection after the other request brings them.
fn parse(operations: Operations) {
    let mut bytes = b"POST /v1/topics/orders/publish HTTP/1.1\r\nhost: localhost:8080\r\nuser-agent: bench/1\r\n\
        accept: application/json\r\ncontent-type: application/octet-stream\r\ncontent-length: 256\r\n\r\n"
        .to_vec();
    bytes.extend_from_slice(&batches::payload(0));
    let (mut parser, mut request) = (RequestParser::new(&GatewayConfig::default()), Request::default());
    operations.measure(
        |_| (),
        |()| {
            parser.inbound_mut().extend_from_slice(&bytes);
            assert_eq!(parser.advance(&mut request), Progress::Complete);
            assert_eq!(request.body().len(), batches::PAYLOAD_BYTES);
            router::route(request.method(), request.target()).is_ok()
        },
    );
}
