"""Reads conversations, a line of hexadecimal each; says whether all of it was taken, and the bodies that were found."""

import sys


def h11_verdict(data):
    import h11

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    bodies, body, whole = [], None, True
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                body = b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                bodies.append(body)
                body = None
                if connection.their_state is h11.MIGHT_SWITCH_PROTOCOL:
                    return False, bodies
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    return False, bodies
                connection.start_next_cycle()
            else:
                break
    except h11.RemoteProtocolError:
        whole = False
    return whole and body is None, bodies


def httptools_verdict(data):
    import httptools

    class Requests:
        def __init__(self):
            self.bodies, self.body, self.over = [], None, False

        def on_message_begin(self):
            self.body = b""

        def on_body(self, data):
            self.body += data

        def on_message_complete(self):
            if not self.over:
                self.bodies.append(self.body)
            self.body = None
            self.over |= not parser.should_keep_alive()

    requests = Requests()
    parser = httptools.HttpRequestParser(requests)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return False, requests.bodies
    return not requests.over and requests.body is None, requests.bodies


verdict = {"h11": h11_verdict, "httptools": httptools_verdict}[sys.argv[1]]
for line in sys.stdin:
    whole, bodies = verdict(bytes.fromhex(line.strip()))
    print("whole" if whole else "broken", *("=" + body.hex() for body in bodies), flush=True)
