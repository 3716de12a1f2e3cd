"""What must hold in the compose files: compose.py FILE…"""

import sys
from pathlib import Path

import yaml

from processes import HERE, fail

# As the first docker-compose knows them: `name` and others came later.
SECTIONS = {"services", "volumes", "networks", "configs", "secrets"}


def check(path):
    content = yaml.safe_load((HERE / path).read_text())
    yield from (f"the first docker-compose knows no {key!r}" for key in content if key not in SECTIONS and not key.startswith("x-"))
    for name, service in content["services"].items():
        options = service.get("security_opt", [])
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in options:
            yield f"{name}: its root can be written to, or it has or may get capabilities"
        is_node = service["image"].startswith("pubsubring:")
        if is_node and "seccomp:deployments/seccomp/pubsub-node.json" not in options:
            yield f"{name}: it does not run under the profile"
        if not is_node and any("seccomp" in option for option in options):
            yield f"{name}: it does not need another profile than the default one"
        yield from (f"{name}: port {port} is open to others" for port in service.get("ports", []) if not port.startswith("127.0.0.1:"))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and not (HERE / source).exists():
                yield f"{name}: there is no {source}"
            if not source.startswith(".") and source not in content["volumes"]:
                yield f"{name}: the volume {source} is not declared"


def images(paths):
    """Images by their name without version, from the compose files and the manifests: one thing has one version."""
    found = {}
    texts = [HERE / path for path in paths] + sorted((HERE / "deployments/kubernetes/base").glob("*.yaml"))
    for path in texts:
        for line in path.read_text().splitlines():
            if line.strip().startswith("image: "):
                name, _, version = line.split("image: ")[1].strip().rpartition(":")
                found.setdefault(name, set()).add(version)
    return found


def main():
    wrong = [f"{path}: {each}" for path in sys.argv[1:] for each in check(Path(path))]
    wrong += [f"{name} is used in the versions {sorted(versions)}" for name, versions in images(sys.argv[1:]).items() if len(versions) > 1]
    if wrong:
        fail("\n".join(["compose:", *wrong]))
    print(f"{len(sys.argv) - 1} compose files hold")


if __name__ == "__main__":
    sys.exit(main())
