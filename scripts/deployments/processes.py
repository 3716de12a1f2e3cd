"""Starts what the checks need, on ports of the system's choice, and ends it whatever happens."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
START_S = 60


def fail(message):
    raise SystemExit(f"scripts/check-deployments: {message}")


def free_ports(count):
    """Ports that nobody listens on now; all are held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Processes:
    """Everything that one check has started, in a directory of its own below `target`, which has direct I/O."""

    def __init__(self, name):
        below = HERE / "target" / "check-deployments"
        below.mkdir(parents=True, exist_ok=True)
        self._directory = tempfile.TemporaryDirectory(prefix=f"{name}-", dir=below)
        self.path = Path(self._directory.name)
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for _, process in reversed(self._running):
            self._signal(process, signal.SIGTERM)
        for _, process in reversed(self._running):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._signal(process, signal.SIGKILL)
                process.wait()
        if kind is not None:
            for log, _ in self._running:
                text = log.read_text(errors="replace")
                print(f"--- {log.name}\n" + "\n".join(text.splitlines()[-15:]))
        self._directory.cleanup()

    @staticmethod
    def _signal(process, number):
        """To the process, and to what it started: a tracer would die of it and leave its node behind."""
        if process.poll() is None:
            os.killpg(process.pid, number)

    def start(self, name, command, environment=None):
        log = self.path / f"{name}.log"
        # A node has settings from the environment; those of whoever calls this are none of its business.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PUBSUB_")}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.path,
                start_new_session=True,
                env=inherited | (environment or {}),
            )
        self._running.append((log, process))
        return process

    def await_that(self, what, process, condition):
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            if process.poll() is not None:
                fail(f"{what}: the process ended with {process.returncode}")
            time.sleep(0.1)
        fail(f"{what}: nothing after {START_S} s")

    def node(self, name, binary, settings, prefix=(), flags=()):
        """Starts a node and returns its process; `await_node` says when it serves."""
        data = self.path / name
        (self.path / f"{name}.ready").unlink(missing_ok=True)
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        command = [*prefix, binary, "--data-dir", data, "--ready-file", self.path / f"{name}.ready", *flags, *sets]
        return self.start(name, command)

    def await_node(self, name, process):
        """What the ready file of a node says."""
        ready = self.path / f"{name}.ready"
        return json.loads(self.await_that(name, process, lambda: ready.exists() and ready.read_text()))

    def redis(self):
        """A Redis that keeps what it acknowledges, and its port."""
        [port] = free_ports(1)
        data = self.path / "redis-data"
        data.mkdir()
        options = ["--port", port, "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--appendfsync", "always"]
        process = self.start("redis", ["redis-server", *options, "--save", ""])

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False

        self.await_that("redis", process, answers)
        return port

    def certificates(self):
        """A certificate for this machine, its key and its issuer, by the paths of their files."""
        paths = {name: self.path / name for name in ("ca.key", "ca.crt", "node.key", "node.csr", "node.crt")}
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        steps = [
            ["req", "-x509", *new_key, "-keyout", paths["ca.key"], "-out", paths["ca.crt"], "-days", "30", "-subj", "/CN=check"],
            ["req", *new_key, "-keyout", paths["node.key"], "-out", paths["node.csr"], "-subj", "/CN=node",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
            ["x509", "-req", "-in", paths["node.csr"], "-CA", paths["ca.crt"], "-CAkey", paths["ca.key"], "-CAcreateserial",
             "-copy_extensions", "copy", "-days", "30", "-out", paths["node.crt"]],
        ]
        for step in steps:
            subprocess.run(["openssl", *map(str, step)], check=True, capture_output=True)
        return paths["node.crt"], paths["node.key"], paths["ca.crt"]
