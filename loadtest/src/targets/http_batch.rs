//! `POST /v1/topics/{topic}/messages`: a JSON batch.

use gateway_api::topics::Acks;

use crate::server::Server;
use crate::targets::acks::acks_query;
use crate::targets::http_connection::post_head;
use crate::template::{MessageShape, Template};

/// The request for messages of these sizes; `acks` says when it is answered, if not as its topic says.
#[must_use]
pub fn request(server: &Server, topic: &str, shape: MessageShape, acks: Option<Acks>, sizes: &[usize]) -> Template {
    let mut body = Template::new(shape.keys);
    body.push("{\"messages\":");
    body.push_messages(shape, sizes);
    body.push("}");
    let mut request = Template::new(shape.keys);
    let path = format!("/v1/topics/{topic}/messages{}", acks_query(acks));
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
        let shape = MessageShape { encoding: PayloadEncoding::Base64, keys: 3 };
        let request = request(&server, "t", shape, None, &[100; 10]);
        let text = std::str::from_utf8(request.bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["messages"].as_array().unwrap().len(), 10);
    }
}
