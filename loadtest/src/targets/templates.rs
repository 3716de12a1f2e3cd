//! The prepared requests of a connection, sent in turn.

use std::time::Duration;

use crate::targets::StreamIdentity;
use crate::template::Template;
use crate::workload::RequestSizes;

/// One template for each of the prepared requests.
#[derive(Debug)]
pub struct Templates {
    sizes: RequestSizes,
    templates: Vec<Template>,
}

impl Templates {
    /// `request` makes the one for messages of these sizes.
    #[must_use]
    pub fn new(sizes: RequestSizes, request: impl Fn(&[usize]) -> Template) -> Self {
        let templates = sizes.requests().iter().map(|sizes| request(sizes)).collect();
        Self { sizes, templates }
    }

    /// The bytes of request `ticket`, stamped with the time at which it was due.
    pub fn fill(&mut self, identity: StreamIdentity, ticket: u64, intended: Duration) -> &[u8] {
        let which = self.sizes.which(identity.stream, ticket);
        let Some(template) = self.templates.get_mut(which) else { return &[] };
        template.fill(ticket, identity.first_stamp(ticket, intended));
        template.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::workload::{SizeRange, Sizes};

    #[test]
    fn each_request_has_its_size_and_its_stamp() {
        let sizes = RequestSizes::new(&Sizes::Range(SizeRange { min: 48, max: 90 }), 1);
        let mut templates = Templates::new(sizes.clone(), |sizes| {
            let mut template = Template::new(0);
            for bytes in sizes {
                template.push_payload(*bytes);
            }
            template
        });
        let identity = StreamIdentity { run: 1, stream: 3, batch: 1 };
        for ticket in 0..100 {
            let bytes = templates.fill(identity, ticket, Duration::ZERO);
            assert_eq!(bytes.len() as u64, sizes.payload_bytes(3, ticket));
            assert_eq!(Stamp::decode(bytes).unwrap().sequence, ticket);
        }
    }
}
