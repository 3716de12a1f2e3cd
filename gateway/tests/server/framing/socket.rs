//! The cases over a socket, against a front with all that belongs to it: what is answered, and when it closes.

use std::{
    io::{Read, Write},
    net::Shutdown,
};

use gateway::config::GatewayConfig;

use super::cases::{self, Outcome};
use crate::fixture::Front;

/// One answer of the front.
struct Answer {
    status: u16,
    closes: bool,
    body: Vec<u8>,
}

/// F59.
#[test]
fn each_case_is_answered_as_it_must_over_a_socket() {
    let front = Front::start(GatewayConfig::default());
    for (name, bytes, expected) in cases::all() {
        let answers = answers(&converse(&front, bytes.as_bytes()));
        match expected {
            Outcome::Bodies(bodies) => {
                assert_eq!(answers.len(), bodies.len(), "{name}");
                for (answer, body) in answers.iter().zip(bodies) {
                    // The front sends back what is published; what is at no path of ours is not its business.
                    assert!(answer.status != 200 || answer.body == body, "{name}");
                    assert!(answer.status < 500, "{name}: {}", answer.status);
                }
            }
            Outcome::Refused(status) => {
                let (last, before) = answers.split_last().expect(name);
                assert_eq!(last.status, status, "{name}");
                assert!(last.closes && before.iter().all(|answer| !answer.closes), "{name}");
            }
            Outcome::Waits(_) => assert!(answers.is_empty(), "{name}"),
        }
    }
}

/// F68.
#[test]
fn ten_thousand_pipelined_requests_are_answered_in_order() {
    let front = Front::start(GatewayConfig::default());
    let requests: String = (0..10_000)
        .map(|number| cases::post(&format!("Content-Length: {}\r\n", number.to_string().len()), &number.to_string()))
        .collect();
    let answers = answers(&converse(&front, requests.as_bytes()));
    assert_eq!(answers.len(), 10_000);
    assert!(answers.iter().enumerate().all(|(number, answer)| answer.body == number.to_string().as_bytes()));
}

/// What comes back for some bytes with nothing behind them, until the front closes.
fn converse(front: &Front, bytes: &[u8]) -> Vec<u8> {
    let client = front.connect();
    let (mut reading, mut writing) = (client.stream.try_clone().unwrap(), client.stream);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Refused requests may be closed on before they were sent whole.
            if writing.write_all(bytes).is_ok() {
                let _ = writing.shutdown(Shutdown::Write);
            }
        });
        let mut answers = Vec::new();
        reading.read_to_end(&mut answers).unwrap();
        answers
    })
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(bytes.get(..end).unwrap()).unwrap();
        let status = head.get(9..12).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        if status >= 200 {
            let body = bytes.get(end..end + length).unwrap().to_vec();
            answers.push(Answer { status, closes: head.contains("\r\nconnection: close\r\n"), body });
        }
        bytes = bytes.get(end + length..).unwrap();
    }
    answers
}
