"""The queries of the dashboards: that they can be read, and that they find data where real nodes do real work.

    dashboards.py parse PROMTOOL                    each query as a recording rule
    dashboards.py live PROMETHEUS NODE              each query against a Prometheus that scrapes nodes under load
"""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import yaml

from client import Client, Endpoint
from processes import HERE, Processes, fail, free_ports

LOAD_S = 14


def queries():
    """Each query with the board and panel that it is of."""
    for file in sorted((HERE / "deployments/grafana/dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{file.stem}: {panel['title']}", target["expr"]
        for annotation in board["annotations"]["list"]:
            # It shows when something happens; what it watches is there all the time.
            yield f"{file.stem}: {annotation['name']}", annotation["expr"].removesuffix(" > 0")
        for variable in board["templating"]["list"]:
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
            if found:
                yield f"{file.stem}: ${variable['name']}", found[1]


def filled(expression, job, interval):
    """As Grafana would send it, for all nodes."""
    text = expression.replace("$__rate_interval", interval).replace("$job", job).replace("$instance", ".*")
    if "$" in text:
        fail(f"an unknown variable is left in {text}")
    return text


def parse(promtool):
    rules = [{"record": f"query:{index}", "expr": filled(expr, "pubsub", "5m")} for index, (_, expr) in enumerate(queries())]
    if len(rules) < 50:
        fail(f"only {len(rules)} queries were found in the dashboards")
    file = HERE / "target/check-deployments/queries.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    subprocess.run([promtool, "check", "rules", file], check=True)


def names_in(text):
    """The metrics that a query names, without the endings that a histogram adds."""
    names = re.findall(r"(?<![\w:])(?:pubsub|process)_[a-z0-9_]+", text)
    return {re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name) for name in names}


def load(addresses, ca_file, until):
    """Does with a cluster all that shows in a panel: publishes, twice too, consumes, pushes, fails."""
    endpoint = Endpoint()
    nodes = [Client(address, ca_file) for address in addresses]
    first, other = nodes[0], nodes[-1]
    first.ask("PUT", "/v1/topics/orders", {"partitions": 4})
    first.ask("PUT", "/v1/subscriptions/billing", {"topic": "orders", "start": "earliest", "ack_deadline_ms": 1000})
    first.ask("PUT", "/v1/subscriptions/mailer", {"topic": "orders", "type": "push", "push": {"url": endpoint.url}})
    step = 0
    while time.monotonic() < until:
        step += 1
        messages = {"messages": [{"text": "x" * 200, "key": str(number)} for number in range(20)]}
        for node in nodes:
            node.ask("POST", "/v1/topics/orders/messages", messages, {"Idempotency-Key": f"load-{step // 2}"})
        pulled = other.ask("POST", "/v1/subscriptions/billing/pull", {"max_messages": 30, "wait_ms": 0})["messages"]
        # A few are left to come again.
        ids = [message["ack_id"] for message in pulled][: max(0, len(pulled) - 2)]
        if ids:
            other.ask("POST", "/v1/subscriptions/billing/ack", {"ack_ids": ids})
        other.call("GET", "/v1/topics/nowhere")
        other.ask("GET", f"/v1/topics/orders/partitions/{step % 4}/messages?offset=0&limit=10")
        if step % 10 == 0:
            other.websocket({"op": "ping", "ref": 1})
        time.sleep(0.05)
    endpoint.close()


class Monitored:
    """A cluster of two with TLS everywhere, a node with its messages in Redis, and a Prometheus that watches them."""

    def __init__(self, running, prometheus, binary):
        self._running = running
        certificate, key, self.ca_file = running.certificates()
        links = free_ports(2)
        common = {"server.port": 0, "metrics.port": 0, "push.allow_http": "true", "push.allow_private_networks": "true"}
        tls = {"tls.cert_file": certificate, "tls.key_file": key, "cluster.tls.cert_file": certificate,
               "cluster.tls.key_file": key, "cluster.tls.ca_file": self.ca_file,
               "cluster.seeds": ",".join(f"127.0.0.1:{port}" for port in links)}
        started = {}
        for number, port in enumerate(links, 1):
            settings = common | tls | {"cluster.node_id": number, "cluster.listen": f"127.0.0.1:{port}"}
            flags = ["--cluster-init"] if number == 1 else []
            started[f"node-{number}"] = running.node(f"node-{number}", binary, settings, flags=flags)
        redis = common | {"store": "redis", "redis.port": running.redis()}
        started["node-redis"] = running.node("node-redis", binary, redis)
        self.ready = {name: running.await_node(name, process) for name, process in started.items()}
        self.url = self._start(prometheus)

    def exported(self):
        """The metrics that some node has now; those of topics and subscriptions are there once one is."""
        names = set()
        for ready in self.ready.values():
            with urllib.request.urlopen(f"http://{ready['metrics']}/metrics", timeout=10) as answer:
                names |= set(re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.M))
        return names

    def _start(self, prometheus):
        [port] = free_ports(1)
        cluster = [self.ready[name]["metrics"] for name in ("node-1", "node-2")]
        alone = [self.ready["node-redis"]["metrics"]]
        jobs = [{"job_name": job, "static_configs": [{"targets": targets}]}
                for job, targets in (("pubsub", cluster), ("pubsub-redis", alone))]
        rules = str(HERE / "deployments/prometheus/rules/*.yml")
        configuration = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [rules],
                         "scrape_configs": jobs}
        file = self._running.path / "prometheus.yml"
        file.write_text(json.dumps(configuration))
        url = f"http://127.0.0.1:{port}"
        process = self._running.start("prometheus", [
            prometheus, f"--config.file={file}", f"--storage.tsdb.path={self._running.path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}"])

        def is_ready():
            try:
                return urllib.request.urlopen(f"{url}/-/ready", timeout=5).status == 200
            except OSError:
                return False

        self._running.await_that("prometheus", process, is_ready)
        return url

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def has_data(self, expression):
        """Whether a query gives a number for the cluster, or for the node with Redis."""
        for job in ("pubsub", "pubsub-redis"):
            for sample in self.ask("query", query=filled(expression, job, "10s"))["result"]:
                if sample["value"][1] != "NaN":
                    return True
        return False


def rule_queries():
    rules = yaml.safe_load((HERE / "deployments/prometheus/rules/pubsub.yml").read_text())
    return [(f"rule {rule.get('alert') or rule['record']}", rule["expr"]) for group in rules["groups"] for rule in group["rules"]]


def live(prometheus, binary):
    with Processes("dashboards") as running:
        monitored = Monitored(running, prometheus, binary)
        until = time.monotonic() + LOAD_S
        cluster = [monitored.ready[name]["http"] for name in ("node-1", "node-2")]
        wrong, found = [], 0

        def loaded(*arguments):
            try:
                load(*arguments)
            except (OSError, SystemExit, ValueError) as error:
                wrong.append(f"the load ended: {error}")

        loads = [threading.Thread(target=loaded, args=arguments, daemon=True) for arguments in
                 ((cluster, monitored.ca_file, until), ([monitored.ready["node-redis"]["http"]], None, until))]
        for each in loads:
            each.start()
        # So that rates have something behind them, and work goes on while the queries are asked.
        time.sleep(LOAD_S - 2)
        exported = monitored.exported()
        for where, expression in [*queries(), *rule_queries()]:
            unknown = names_in(expression) - exported
            wrong += [f"{where}: no node exports {name}" for name in sorted(unknown)]
        for where, expression in queries():
            found += 1
            if not monitored.has_data(expression):
                wrong.append(f"{where}: no data: {expression}")
        for each in loads:
            each.join(timeout=60)
        groups = monitored.ask("rules")["groups"]
        wrong += [f"rule {rule['name']}: {rule['lastError']}" for group in groups for rule in group["rules"] if rule.get("lastError")]
        if wrong:
            fail("\n".join(["dashboards:", *wrong]))
        print(f"{found} queries of the dashboards have data from nodes under load")


def main():
    match sys.argv[1:]:
        case ["parse", promtool]:
            parse(promtool)
        case ["live", prometheus, binary]:
            live(prometheus, binary)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
