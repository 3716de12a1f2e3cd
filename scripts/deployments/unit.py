"""The unit's filter of system calls lets through what the seccomp profile for containers does: unit.py ANALYZE"""

import json
import re
import subprocess
import sys

from processes import HERE, fail


def groups(analyze):
    """The calls of each group, by the list that systemd itself prints; groups are made of groups."""
    text = subprocess.run([analyze, "syscall-filter", "--no-pager"], check=True, capture_output=True, text=True).stdout
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    found, current = {}, None
    for line in text.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("@"):
            current = found.setdefault(word, [])
        elif word and current is not None:
            current.append(word)
    return found


def expand(word, known):
    if not word.startswith("@"):
        return {word}
    return set().union(*(expand(each, known) for each in known[word]))


def allowed(unit, known):
    """As systemd reads the lines one after the other: the first allows, those with ~ take away, others add."""
    calls = expand("@default", known)
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        listed = set().union(*(expand(word, known) for word in line.lstrip("~").split()))
        calls = calls - listed if line.startswith("~") else calls | listed
    return calls


def main():
    unit = (HERE / "deployments/systemd/pubsub-node.service").read_text()
    profile = json.loads((HERE / "deployments/seccomp/pubsub-node.json").read_text())
    needed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    missing = needed - allowed(unit, groups(sys.argv[1]))
    if missing:
        fail(f"the unit refuses calls that a node may make: {' '.join(sorted(missing))}")
    print(f"the unit allows the {len(needed)} calls of the profile")


if __name__ == "__main__":
    sys.exit(main())
