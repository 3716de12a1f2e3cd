"""What must hold between the objects of a rendered overlay, which no schema knows: manifests.py FILE…"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from processes import HERE, fail

WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")


def pods(objects):
    return [(each["metadata"]["name"], each["spec"]["template"]) for each in objects if each["kind"] in WORKLOADS]


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def references(template):
    """The ConfigMaps, Secrets and accounts that a pod needs."""
    spec = template["spec"]
    yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
    for container in containers(template):
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference and not reference.get("optional"):
                yield "Secret", reference["name"]


def check_references(objects, there):
    for name, template in pods(objects):
        for kind, wanted in references(template):
            if (kind, wanted) not in there:
                yield f"{name} needs {kind} {wanted}, which is not there"
    for each in objects:
        if each["kind"] == "HorizontalPodAutoscaler":
            target = each["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) not in there:
                yield f"the autoscaler scales {target['kind']} {target['name']}, which is not there"
        if each["kind"] == "StatefulSet" and ("Service", each["spec"]["serviceName"]) not in there:
            yield f"StatefulSet {each['metadata']['name']} has no Service {each['spec']['serviceName']}"


def check_selectors(objects):
    """A Service, a policy or a budget that selects no pod is a slip of the pen."""
    labels = [template["metadata"]["labels"] for _, template in pods(objects)]
    for each in objects:
        spec = each.get("spec", {})
        selector = {
            "Service": lambda: spec.get("selector"),
            "NetworkPolicy": lambda: spec["podSelector"].get("matchLabels"),
            "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
        }.get(each["kind"], lambda: None)()
        if selector and not any(selector.items() <= pod.items() for pod in labels):
            yield f"{each['kind']} {each['metadata']['name']} selects no pod: {selector}"


def check_ports(objects):
    """Ports that Services and probes give by name are those of some container."""
    for name, template in pods(objects):
        for container in template["spec"]["containers"]:
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                check = container.get(probe, {})
                port = (check.get("httpGet") or check.get("tcpSocket") or {}).get("port")
                if port and port not in ports:
                    yield f"{name}: the {probe} asks port {port}, which the container does not name"
    for each in (each for each in objects if each["kind"] == "Service"):
        selected = [template for _, template in pods(objects)
                    if each["spec"]["selector"].items() <= template["metadata"]["labels"].items()]
        named = {port["name"] for template in selected for one in containers(template) for port in one.get("ports", [])}
        for port in each["spec"]["ports"]:
            if port["targetPort"] not in named:
                yield f"Service {each['metadata']['name']}: no container has a port {port['targetPort']}"


def check_confinement(objects):
    for name, template in pods(objects):
        for container in containers(template):
            context = container.get("securityContext", {})
            if not context.get("readOnlyRootFilesystem") or context.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f"{name}/{container['name']}: its root can be written to, or it has capabilities"


def started(script, variables):
    """The arguments and the number with which the script of a pod starts the node, which is one that only tells them."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "pubsub-node"
        told.write_text('#!/bin/sh\necho "$PUBSUB_CLUSTER_NODE_ID $*"\n')
        told.chmod(0o755)
        environment = {"PATH": f"{folder}:/usr/bin:/bin"} | variables
        return subprocess.run(["/bin/sh", "-euc", script], env=environment, check=True, capture_output=True, text=True).stdout.strip()


def check_numbers(objects):
    """The first node founds the cluster, and a pod that is renumbered is another node."""
    [template] = [template for name, template in pods(objects) if name == "pubsub"]
    [script] = template["spec"]["containers"][0]["args"]
    cases = [("1", "", "1 --cluster-init"), ("2", "", "2"), ("2", "1=11 2=12", "12"), ("1", "1=2", "2"), ("12", "2=13", "12")]
    for ordinal, renumbered, wanted in cases:
        told = started(script, {"PUBSUB_CLUSTER_NODE_ID": ordinal, "RENUMBERED": renumbered})
        if told != wanted:
            yield f"pod {ordinal} with RENUMBERED={renumbered!r} starts as {told!r}"


def check(path):
    objects = [each for each in yaml.safe_load_all(path.read_text()) if each]
    there = {(each["kind"], each["metadata"]["name"]) for each in objects}
    wanted = {("StatefulSet", "pubsub"), ("PodDisruptionBudget", "pubsub"), ("NetworkPolicy", "default-deny"), ("DaemonSet", "seccomp-profile")}
    yield from (f"there is no {kind} {name}" for kind, name in sorted(wanted - there))
    yield from check_references(objects, there)
    yield from check_selectors(objects)
    yield from check_ports(objects)
    yield from check_confinement(objects)
    yield from check_numbers(objects)
    profiles = [each["data"]["pubsub-node.json"] for each in objects if each["metadata"]["name"].startswith("seccomp-profile-")]
    if [json.loads(text) for text in profiles] != [json.loads((HERE / "deployments/seccomp/pubsub-node.json").read_text())]:
        yield "the seccomp profile is not the one of deployments/seccomp"


def main():
    wrong = [f"{Path(path).name}: {each}" for path in sys.argv[1:] for each in check(Path(path))]
    if wrong:
        fail("\n".join(["manifests:", *wrong]))
    print(f"{len(sys.argv) - 1} overlays hold together")


if __name__ == "__main__":
    sys.exit(main())
