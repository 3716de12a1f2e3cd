//! `POST /v1/topics/{topic}/publish`: the body is one message.

use gateway_api::topics::Acks;

use crate::server::Server;
use crate::targets::acks::acks_query;
use crate::template::{MessageShape, Template};

/// The request for one message; `acks` says when it is answered, if not as its topic says.
#[must_use]
pub fn request(
    server: &Server,
    topic: &str,
    shape: MessageShape,
    acks: Option<Acks>,
    payload_bytes: usize,
) -> Template {
    let mut request = Template::new(shape.keys);
    request.push(format!("POST /v1/topics/{topic}/publish"));
    request.push(acks_query(acks));
    if shape.keys > 0 {
        request.push(if acks.is_some() { "&key=" } else { "?key=" });
        request.push_key();
    }
    request.push(format!(
        " HTTP/1.1\r\n{}Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        server.headers(),
        payload_bytes
    ));
    request.push_payload(payload_bytes);
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::template::PayloadEncoding;

    #[test]
    fn the_request_is_exact() {
        let server: Server = "http://localhost:1".parse().unwrap();
        let shape = MessageShape { encoding: PayloadEncoding::Text, keys: 7 };
        let mut request = request(&server, "t", shape, Some(Acks::Leader), 48);
        let stamp = Stamp { run: 1, stream: 2, sequence: 9, intended_micros: 4 };
        request.fill(0, stamp);
        let expected = "POST /v1/topics/t/publish?acks=leader&key=k00000002 HTTP/1.1\r\nHost: localhost:1\r\n\
            Content-Type: application/octet-stream\r\nContent-Length: 48\r\n\r\n";
        let text = std::str::from_utf8(request.bytes()).unwrap();
        assert_eq!(text, format!("{expected}{}", std::str::from_utf8(&stamp.encode()).unwrap()));
    }
}
