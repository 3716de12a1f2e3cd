//! `POST /v1/topics/{topic}/messages`: a JSON batch.

use crate::server::Server;
use crate::targets::http_connection::post_head;
use crate::template::{MessageShape, Template};

/// The request for `batch` messages.
#[must_use]
pub fn request(server: &Server, topic: &str, shape: MessageShape, batch: usize) -> Template {
    let mut body = Template::new(shape.keys);
    body.push("{\"messages\":");
    body.push_messages(shape, batch);
    body.push("}");
    let mut request = Template::new(shape.keys);
    let path = format!("/v1/topics/{topic}/messages");
    request.push(post_head(server, &path, "application/json", body.bytes().len()));
    request.append(&body);
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::PayloadEncoding;

    #[test]
    fn the_length_is_that_of_the_body() {
        let server = "http://localhost:1".parse().unwrap();
        let shape = MessageShape { payload_bytes: 100, encoding: PayloadEncoding::Base64, keys: 3 };
        let request = request(&server, "t", shape, 10);
        let text = std::str::from_utf8(request.bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["messages"].as_array().unwrap().len(), 10);
    }
}
