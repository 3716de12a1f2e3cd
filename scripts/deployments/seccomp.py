"""The seccomp profile: a node does all its work under it, and what it does not need is refused.

    seccomp.py run NODE      the work under the profile, and calls that have to be refused
    seccomp.py trace NODE    the same under strace; prints the calls, for when a node needs another one
"""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

from client import Client, Endpoint
from processes import HERE, Processes, fail, free_ports

PROFILE = HERE / "deployments/seccomp/pubsub-node.json"
CONFINE = [sys.executable, str(HERE / "scripts/deployments/confine.py"), str(PROFILE)]

# As a program could try after a break-in: other namespaces, modules, other processes, keys, kernel interfaces.
FORBIDDEN = {
    "unshare": "libc.unshare(0x10000000)",
    "ptrace": "libc.ptrace(0, 0, 0, 0)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "setns": "libc.setns(0, 0)",
    "a packet socket": "libc.socket(17, 3, 0)",
    "chroot": "libc.chroot(b'/')",
    "process_vm_readv": "libc.process_vm_readv(1, None, 0, None, 0, 0)",
    "a namespace by clone": "libc.syscall(56, 0x10000000, 0, 0, 0, 0)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "keyctl": "libc.syscall(250, 0, 0, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "perf_event_open": "libc.syscall(298, 0, 0, 0, 0, 0)",
}


class Work:
    """Nodes that are started with a prefix, such as strace or the launcher with the profile."""

    def __init__(self, running, binary, prefix):
        self._running, self._binary, self._prefix = running, binary, prefix
        self._endpoint = Endpoint()
        certificate, key, self._ca_file = running.certificates()
        links = free_ports(3)
        common = {"server.port": 0, "metrics.port": 0, "server.shards": 2, "storage.segment_bytes": 1 << 20,
                  "push.allow_http": "true", "push.allow_private_networks": "true", "audit.file_bytes_max": 4096}
        tls = {"tls.cert_file": certificate, "tls.key_file": key, "cluster.tls.cert_file": certificate, "tls.reload_interval_ms": 500,
               "cluster.tls.key_file": key, "cluster.tls.ca_file": self._ca_file,
               "cluster.seeds": ",".join(f"localhost:{port}" for port in links)}
        self._settings = {"with-redis": common | {"store": "redis", "redis.port": running.redis()}}
        for number, port in enumerate(links, 1):
            self._settings[f"log-{number}"] = common | tls | {
                "cluster.node_id": number, "cluster.listen": f"127.0.0.1:{port}"}

    def start(self, name):
        flags = ["--cluster-init"] if name == "log-1" else []
        return self._running.node(name, self._binary, self._settings[name], self._prefix(name), flags)

    def client(self, name, process):
        address = self._running.await_node(name, process)["http"]
        return Client(address, self._ca_file if name.startswith("log") else None)

    def all_of_it(self):
        """Everything that a node does, with each store; returns once all nodes have ended well."""
        subprocess.run([*self._prefix("key"), self._binary, "--data-dir", self._running.path / "key", "--bootstrap-key"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes = {name: self.start(name) for name in self._settings}
        clients = {name: self.client(name, process) for name, process in processes.items()}
        stored = {name: self._use(clients[name]) for name in ("log-1", "with-redis")}
        # Who has certificates reads them again.
        for name in ("log-1", "log-2", "log-3"):
            self._signal(name, signal.SIGHUP)
        self._use_cluster(clients["log-1"], clients["log-2"])
        # One ends as it is told to, one at once; both come back with all that was acknowledged.
        for name, how in (("log-1", signal.SIGTERM), ("with-redis", signal.SIGTERM), ("log-2", signal.SIGKILL)):
            self._stop(name, processes[name], how)
            processes[name] = self.start(name)
            clients[name] = self.client(name, processes[name])
        for name in ("log-1", "with-redis"):
            self._count(clients[name], stored[name])
            self._clean_up(clients[name])
        # The last ones of a cluster have no majority to hand over to, and may use up the time of a stop (75); the log is on disk all the same.
        for name, process in processes.items():
            self._stop(name, process, signal.SIGTERM, (0, 75))
        self._endpoint.close()

    def _signal(self, name, number):
        """To the node itself, which a tracer may have started."""
        os.kill(json.loads((self._running.path / f"{name}.ready").read_text())["pid"], number)

    def _stop(self, name, process, how, codes=(0,)):
        self._signal(name, how)
        code = process.wait(timeout=60)
        if code not in codes and how == signal.SIGTERM:
            fail(f"{name} ended with {code}")

    def _use(self, client):
        client.ask("PUT", "/v1/topics/orders", {"partitions": 4, "compression": "lz4"})
        client.ask("PUT", "/v1/subscriptions/billing", {"topic": "orders", "start": "earliest"})
        client.ask("PUT", "/v1/subscriptions/mailer", {"topic": "orders", "type": "push", "push": {"url": self._endpoint.url}})
        count = 0
        for step in range(40):
            body = {"messages": [{"text": "payload " * 500, "key": str(each)} for each in range(50)]}
            count += len(client.ask("POST", "/v1/topics/orders/messages", body)["results"])
            pulled = client.ask("POST", "/v1/subscriptions/billing/pull", {"max_messages": 10, "wait_ms": 100})["messages"]
            if pulled:
                client.ask("POST", "/v1/subscriptions/billing/ack", {"ack_ids": [message["ack_id"] for message in pulled]})
            client.ask("GET", f"/v1/topics/orders/partitions/{step % 4}/messages?offset=0&limit=10")
        client.websocket({"op": "ping", "ref": 1})
        until = time.monotonic() + 20
        while self._endpoint.received == 0 and time.monotonic() < until:
            time.sleep(0.05)
        if self._endpoint.received == 0:
            fail("nothing was pushed")
        return count

    @staticmethod
    def _use_cluster(first, second):
        second.ask("POST", "/v1/topics/orders/messages", {"messages": [{"text": "by the other node"} for _ in range(8)]})
        first.ask("GET", "/v1/cluster")
        first.ask("POST", "/v1/cluster/rebalance")

    @staticmethod
    def _count(client, wanted):
        """Reads every partition to its end: nothing that was acknowledged may be missing."""
        found = 0
        for partition in range(4):
            offset = 0
            while True:
                page = client.ask("GET", f"/v1/topics/orders/partitions/{partition}/messages?offset={offset}&limit=1000")
                found += len(page["messages"])
                if page["next_offset"] == offset:
                    break
                offset = page["next_offset"]
        if found < wanted:
            fail(f"{wanted} messages were acknowledged, {found} are there")

    @staticmethod
    def _clean_up(client):
        client.ask("PATCH", "/v1/topics/orders", {"retention_bytes": 1 << 20})
        for topic in ("orders",):
            client.ask("DELETE", f"/v1/topics/{topic}")


def check_forbidden():
    for what, call in FORBIDDEN.items():
        # Numbers are those of one architecture; names are known everywhere.
        if "syscall(" in call and platform.machine() != "x86_64":
            continue
        program = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); r = {call}; print(r, ctypes.get_errno())"
        answer = subprocess.run([*CONFINE, sys.executable, "-c", program], capture_output=True, text=True)
        if answer.stdout.split() != ["-1", "1"]:
            fail(f"{what} is not refused under the profile: {answer.stdout}{answer.stderr}")


def run(binary):
    with Processes("seccomp") as running:
        Work(running, binary, lambda _: CONFINE).all_of_it()
        commands = [[binary, "--version"], ["/bin/sh", "-euc", "umask 077; cat /dev/null; exec \"$0\" --version", binary]]
        for command in commands:
            subprocess.run([*CONFINE, *command], check=True, stdout=subprocess.DEVNULL)
    check_forbidden()
    print("a node does its work under the profile, with each store, TLS, a cluster and push; what it does not need is refused")


def trace(binary):
    with Processes("trace") as running:
        Work(running, binary, lambda name: ["strace", "-f", "-qq", "-c", "-o", running.path / f"{name}.calls"]).all_of_it()
        found = set()
        for file in running.path.glob("*.calls"):
            found |= set(re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+\d+\s+(?:\d+\s+)?(\w+)$", file.read_text(), re.M)) - {"total"}
        known = {name for rule in json.loads(PROFILE.read_text()).get("syscalls", []) for name in rule["names"]}
        print("called:", *sorted(found))
        print("called and not in the profile:", *sorted(found - known))
        print("in the profile and not called:", *sorted(known - found))


def main():
    if not shutil.which("strace") and sys.argv[1:2] == ["trace"]:
        fail("strace is missing")
    match sys.argv[1:]:
        case ["run", binary]:
            run(binary)
        case ["trace", binary]:
            trace(binary)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
