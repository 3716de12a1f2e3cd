"""The backup of docs/operations.md: a copy of the data directory of a stopped node is all that is needed to go on from there.

    backup.py NODE
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from client import Client
from processes import Processes, fail

MESSAGES = {"messages": [{"text": f"message {number}", "key": str(number)} for number in range(100)]}
SETTINGS = {"server.port": 0, "metrics.port": 0}


def stop(process):
    process.send_signal(signal.SIGTERM)
    if process.wait(timeout=60) != 0:
        fail(f"the node ended with {process.returncode}")


def publish(client, times):
    return sum(len(client.ask("POST", "/v1/topics/orders/messages", MESSAGES)["results"]) for _ in range(times))


def consume(client, wanted):
    """Takes messages until there are none, and acks them."""
    found = 0
    while found < wanted:
        messages = client.ask("POST", "/v1/subscriptions/billing/pull", {"max_messages": 100, "wait_ms": 5000})["messages"]
        if not messages:
            break
        client.ask("POST", "/v1/subscriptions/billing/ack", {"ack_ids": [message["ack_id"] for message in messages]})
        found += len(messages)
    return found


def main():
    binary = sys.argv[1]
    with Processes("backup") as running:
        process = running.node("node", binary, SETTINGS)
        client = Client(running.await_node("node", process)["http"])
        client.ask("PUT", "/v1/topics/orders", {"partitions": 4})
        client.ask("PUT", "/v1/subscriptions/billing", {"topic": "orders", "start": "earliest"})
        kept = publish(client, 5)
        done = consume(client, 200)
        stop(process)
        shutil.copytree(running.path / "node", running.path / "backup")

        process = running.node("node", binary, SETTINGS)
        client = Client(running.await_node("node", process)["http"])
        publish(client, 5)
        stop(process)
        shutil.rmtree(running.path / "node")

        tool = Path(binary).with_name("pubsub-cli")
        if tool.exists():
            subprocess.run([tool, "store", "verify", running.path / "backup"], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(running.path / "backup", running.path / "node")
        process = running.node("node", binary, SETTINGS)
        client = Client(running.await_node("node", process)["http"])
        found = consume(client, kept - done)
        left = client.ask("POST", "/v1/subscriptions/billing/pull", {"max_messages": 100, "wait_ms": 100})["messages"]
        if found != kept - done or left:
            fail(f"the backup had {kept - done} messages that were not acked, {found + len(left)} came")
        stop(process)
    print(f"a backup of {kept} messages, {done} of them acked, is as it was")


if __name__ == "__main__":
    sys.exit(main())
