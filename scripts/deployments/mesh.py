"""Istio's objects: valid by the schemas of their definitions, without a field too many, and what they name exists.

    mesh.py ISTIO RENDERED      the rendered folder deployments/istio, and the rendered objects that it is for
"""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

from processes import HERE, fail

SCHEMAS = HERE / "deployments/istio/schemas"


def closed(schema):
    """As Kubernetes reads it with strict validation: no field that is not declared."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        # What stands below these refines the object around it, and does not declare its fields.
        result[key] = value if key in ("oneOf", "anyOf", "allOf", "not") else closed(value)
    is_object = "properties" in schema and isinstance(schema["properties"], dict)
    if is_object and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    return result


def schema_of(each):
    group, version = each["apiVersion"].split("/")
    schema = closed(json.loads((SCHEMAS / f"{group}_{version}_{each['kind']}.json").read_text()))
    # Every object has these, and a definition leaves them out.
    schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    return schema


def check_schema(each):
    for error in jsonschema.Draft7Validator(schema_of(each)).iter_errors(each):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"{each['kind']} {each['metadata']['name']}: {place}: {error.message[:200]}"


def check_references(objects, there):
    rules = {each["spec"]["host"]: each["spec"] for each in objects if each["kind"] == "DestinationRule"}
    gateways = {each["metadata"]["name"] for each in objects if each["kind"] == "Gateway"}
    services = {name for kind, name in there if kind == "Service"}
    yield from (f"DestinationRule: there is no Service {host}" for host in sorted(rules.keys() - services))
    for each in (each for each in objects if each["kind"] == "VirtualService"):
        yield from (f"there is no Gateway {name}" for name in sorted(set(each["spec"]["gateways"]) - gateways - {"mesh"}))
        for route in each["spec"]["http"]:
            if sum(share.get("weight", 0) for share in route["route"]) != 100:
                yield f"route {route['name']}: the weights are not 100 together"
            for share in route["route"]:
                destination = share["destination"]
                subsets = {subset["name"] for subset in rules.get(destination["host"], {}).get("subsets", [])}
                if destination["subset"] not in subsets:
                    yield f"route {route['name']}: {destination['host']} has no subset {destination['subset']}"
    for principal in sorted(principals(objects)):
        _, _, namespace, _, account = principal.split("/")
        if namespace == "pubsub" and ("ServiceAccount", account) not in there:
            yield f"there is no account {account}, which a policy names"


def principals(objects):
    for each in (each for each in objects if each["kind"] == "AuthorizationPolicy"):
        for rule in each["spec"].get("rules", []):
            for source in rule["from"]:
                yield from source["source"].get("principals", [])


def check_retries(objects):
    """A publish that has no key is never sent again once a node may have seen it."""
    harmless = {"connect-failure", "refused-stream"}
    for each in (each for each in objects if each["kind"] == "VirtualService"):
        for route in each["spec"]["http"]:
            reasons = set(route["retries"].get("retryOn", "").split(",")) - {""}
            safe = all("idempotency-key" in match.get("headers", {}) or match.get("method", {}).get("exact") in ("GET", "HEAD")
                       for match in route.get("match", [{}]))
            if not reasons <= harmless and not safe:
                yield f"route {route['name']} sends again what may have been done: {sorted(reasons - harmless)}"


def main():
    mesh, rendered = (list(filter(None, yaml.safe_load_all(Path(path).read_text()))) for path in sys.argv[1:])
    there = {(each["kind"], each["metadata"]["name"]) for each in rendered}
    objects = [each for each in mesh if "istio.io" in each["apiVersion"]]
    wrong = [error for each in objects for error in check_schema(each)]
    wrong += [*check_references(objects, there), *check_retries(objects)]
    if len(objects) < 10:
        wrong.append(f"only {len(objects)} objects were found")
    if wrong:
        fail("\n".join(["istio:", *wrong]))
    print(f"{len(objects)} objects of the mesh are valid")


if __name__ == "__main__":
    sys.exit(main())
