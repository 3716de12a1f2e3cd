"""The collector's configuration holds together: each pipeline is made of what is declared, and everything declared is used."""

import sys

import yaml

from processes import HERE, fail


def main():
    content = yaml.safe_load((HERE / "deployments/otel/otel-collector.yml").read_text())
    wrong = []
    for kind in ("receivers", "processors", "exporters"):
        declared = set(content[kind])
        used = {name for pipeline in content["service"]["pipelines"].values() for name in pipeline[kind]}
        wrong += [f"{kind}: {name} is used and not declared" for name in sorted(used - declared)]
        wrong += [f"{kind}: {name} is declared and not used" for name in sorted(declared - used)]
    wrong += [f"extensions: {name}" for name in sorted(set(content["extensions"]) ^ set(content["service"]["extensions"]))]
    for name, pipeline in content["service"]["pipelines"].items():
        if pipeline["processors"][:1] != ["memory_limiter"] or pipeline["processors"][-1:] != ["batch"]:
            wrong.append(f"{name}: memory is limited first, and batches are made last")
    manifest = (HERE / "deployments/kubernetes/base/observability.yaml").read_text()
    endpoints = [each["endpoint"] for each in content["receivers"]["otlp"]["protocols"].values()]
    endpoints.append(content["extensions"]["health_check"]["endpoint"])
    for endpoint in endpoints:
        if f"containerPort: {endpoint.rsplit(':', 1)[1]}" not in manifest:
            wrong.append(f"observability.yaml has no port for {endpoint}")
    if wrong:
        fail("\n".join(["otel-collector.yml:", *wrong]))
    print("the collector's configuration holds together")


if __name__ == "__main__":
    sys.exit(main())
