"""Every alert has a test in which it fires, one in which it does not, and a runbook that says what to do."""

import sys

import yaml

from processes import HERE, fail

SECTIONS = ["## What it means", "## Look first at", "## What to do", "## When to call for help"]


def alerts():
    rules = yaml.safe_load((HERE / "deployments/prometheus/rules/pubsub.yml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]


def tested():
    """The names of alerts that some test sees fire, and of those that some test sees quiet."""
    fires, quiet = set(), set()
    for file in sorted((HERE / "deployments/prometheus/tests").glob("*.yml")):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case["exp_alerts"] else quiet).add(case["alertname"])
    return fires, quiet


def main():
    fires, quiet = tested()
    wrong = []
    known = alerts()
    for alert in known:
        name = alert["alert"]
        if name not in fires:
            wrong.append(f"{name}: no test has it fire")
        if name not in quiet:
            wrong.append(f"{name}: no test has it quiet")
        if alert["labels"].get("severity") not in ("critical", "warning"):
            wrong.append(f"{name}: its severity is neither critical nor warning")
        runbook = alert["annotations"].get("runbook", "")
        if runbook != f"docs/runbooks/{name}.md":
            wrong.append(f"{name}: its runbook is {runbook!r}")
            continue
        page = HERE / runbook
        text = page.read_text() if page.exists() else ""
        wrong += [f"{runbook}: there is no {section!r}" for section in SECTIONS if section not in text]
        if f"[{name}]({name}.md) | {alert['labels']['severity']} |" not in (HERE / "docs/runbooks/README.md").read_text():
            wrong.append(f"docs/runbooks/README.md: no line for {name}, or with another severity")
    pages = {page.stem for page in (HERE / "docs/runbooks").glob("*.md")} - {"README"}
    wrong += [f"docs/runbooks/{page}.md: there is no such alert" for page in sorted(pages - {alert["alert"] for alert in known})]
    if wrong:
        fail("\n".join(["alerts:", *wrong]))
    print(f"{len(known)} alerts are tested and have runbooks")


if __name__ == "__main__":
    sys.exit(main())
