"""A node takes the settings that the manifests and the compose file give it: settings.py NODE RENDERED…"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from processes import HERE, fail

SECRET = "0123456789abcdef0123456789abcdef"


def of_manifests(path):
    """The environment of the node's container, as Kubernetes would put it together for pod 2."""
    objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(path.read_text()) if each}
    container = objects["StatefulSet", "pubsub"]["spec"]["template"]["spec"]["containers"][0]
    variables = {}
    for source in container["envFrom"]:
        variables |= objects["ConfigMap", source["configMapRef"]["name"]]["data"]
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            value = SECRET
        elif "fieldRef" in source:
            value = "pubsub-2" if source["fieldRef"]["fieldPath"] == "metadata.name" else "2"
        else:
            value = re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], variable["value"])
        variables[variable["name"]] = value
    return variables


def of_compose(path):
    """The environment of its one node, with nothing set where it is started."""
    environment = yaml.safe_load(path.read_text())["services"]["node"]["environment"]
    return {name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value) for name, value in environment.items()}


def check(binary, what, variables):
    with tempfile.TemporaryDirectory() as folder:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PUBSUB_")}
        answer = subprocess.run([binary, "--check-config"], env=inherited | variables, cwd=folder, capture_output=True, text=True)
    if answer.returncode != 0:
        fail(f"{what}: the node does not take its settings: {answer.stderr}")


def main():
    binary, *rendered = sys.argv[1:]
    for path in rendered:
        check(binary, path, of_manifests(Path(path)))
    check(binary, "docker-compose.yml", of_compose(HERE / "docker-compose.yml"))
    print(f"a node takes the settings of {len(rendered)} overlays and of docker-compose.yml")


if __name__ == "__main__":
    sys.exit(main())
