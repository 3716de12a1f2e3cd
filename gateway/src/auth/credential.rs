//! What a request carries to prove who sends it.

use std::fmt;

use super::caller::Unproved;
use crate::http::{headers::list_members, request::Request};

/// What is to prove a principal. It shows in no log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A key or a signed token.
    Bearer(&'a str),
    /// A ticket.
    Ticket(&'a str),
    /// The principal that the connection's certificate names; TLS has proved it.
    Certificate(&'a str),
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Ticket(_) => "Ticket(…)",
            Self::Certificate(_) => "Certificate(…)",
        })
    }
}

/// Finds the credential of a request: `Authorization`; where a browser opens the connection, which can't set that, a
/// subprotocol `bearer.KEY` or `ticket.TICKET` or the parameter `ticket`; else the certificate of the connection.
///
/// # Errors
/// There is none, more than one, or one of a kind that isn't known. One that is refused never gives way to another.
pub fn of_request<'r>(
    request: &'r Request,
    takes_tickets: bool,
    certificate: Option<&'r str>,
) -> Result<Credential<'r>, Unproved> {
    let mut found = None;
    let mut add = |credential| match found.replace(credential) {
        None => Ok(()),
        Some(_) => Err(Unproved::Malformed),
    };
    for (name, value) in request.headers() {
        if name.eq_ignore_ascii_case("authorization") {
            add(Credential::Bearer(bearer(value)?))?;
        } else if takes_tickets && name.eq_ignore_ascii_case("sec-websocket-protocol") {
            let offers = std::str::from_utf8(value).map_err(|_| Unproved::Malformed)?;
            for offer in list_members(offers) {
                if let Some(text) = offer.strip_prefix("bearer.") {
                    add(Credential::Bearer(text))?;
                } else if let Some(text) = offer.strip_prefix("ticket.") {
                    add(Credential::Ticket(text))?;
                }
            }
        }
    }
    for (_, text) in request.query_pairs().filter(|(name, _)| takes_tickets && *name == "ticket") {
        add(Credential::Ticket(text))?;
    }
    found.or(certificate.map(Credential::Certificate)).ok_or(Unproved::Missing)
}

/// The credential of `Authorization: Bearer CREDENTIAL` (RFC 6750, section 2.1); the scheme in any case.
fn bearer(value: &[u8]) -> Result<&str, Unproved> {
    let text = std::str::from_utf8(value).map_err(|_| Unproved::Malformed)?;
    let (scheme, credential) = text.split_once(' ').ok_or(Unproved::Malformed)?;
    let credential = credential.trim_matches(' ');
    let sound = !credential.is_empty() && credential.bytes().all(|byte| byte.is_ascii_graphic());
    if scheme.eq_ignore_ascii_case("bearer") && sound { Ok(credential) } else { Err(Unproved::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    fn found(line: &str, headers: &str, takes_tickets: bool) -> Result<String, Unproved> {
        let request = request(format!("GET {line} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes());
        of_request(&request, takes_tickets, None).map(|credential| match credential {
            Credential::Bearer(text) => format!("bearer {text}"),
            Credential::Ticket(text) => format!("ticket {text}"),
            Credential::Certificate(text) => format!("certificate {text}"),
        })
    }

    #[test]
    fn the_header_is_understood_and_nothing_like_it() {
        assert_eq!(found("/", "authorization: bEARER  k\r\n", false), Ok("bearer k".to_owned()));
        for header in ["k", "Bearer", "Bearer ", "Basic k", "Bearer a b", "Bearer \u{e4}"] {
            let refused = found("/", &format!("authorization: {header}\r\n"), false);
            assert_eq!(refused, Err(Unproved::Malformed), "{header}");
        }
        assert_eq!(found("/", "", false), Err(Unproved::Missing));
    }

    #[test]
    fn what_browsers_send_counts_only_where_they_must() {
        let offers = "sec-websocket-protocol: pubsub.v1.json, bearer.k\r\n";
        assert_eq!(found("/", offers, true), Ok("bearer k".to_owned()));
        assert_eq!(found("/", offers, false), Err(Unproved::Missing));
        assert_eq!(found("/?ticket=t", "", true), Ok("ticket t".to_owned()));
        assert_eq!(found("/?ticket=t", "", false), Err(Unproved::Missing));
        assert_eq!(found("/", "sec-websocket-protocol: ticket.t\r\n", true), Ok("ticket t".to_owned()));
    }

    #[test]
    fn two_credentials_are_none() {
        let twice = "authorization: Bearer a\r\nauthorization: Bearer b\r\n";
        assert_eq!(found("/", twice, false), Err(Unproved::Malformed));
        assert_eq!(found("/?ticket=t", "authorization: Bearer a\r\n", true), Err(Unproved::Malformed));
    }

    #[test]
    fn a_certificate_counts_where_nothing_else_is_said() {
        let plain = request(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(of_request(&plain, false, Some("ci")), Ok(Credential::Certificate("ci")));
        let with_key = request(b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer k\r\n\r\n");
        assert_eq!(of_request(&with_key, false, Some("ci")), Ok(Credential::Bearer("k")));
    }

    #[test]
    fn a_credential_shows_in_no_debug_output() {
        for credential in [Credential::Bearer("hunter2"), Credential::Ticket("hunter2")] {
            assert!(!format!("{credential:?}").contains("hunter2"));
        }
    }
}
