"""Runs a program under a seccomp profile, as a container runtime would: confine.py PROFILE PROGRAM [ARGUMENT…]

The profile is that of Docker, containerd and the kubelet; libseccomp makes the filter of it, as it does for runc.
"""

import ctypes
import ctypes.util
import json
import os
import sys

ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_KILL_PROCESS": 0x80000000}
ERRNO = 0x00050000
ARCHITECTURES = {"SCMP_ARCH_X86_64": 0xC000003E, "SCMP_ARCH_AARCH64": 0xC00000B7}
COMPARISONS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
UNKNOWN_SYSCALL = -1
ALREADY_THERE = -17  # EEXIST


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def load_library():
    library = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    return library


def action(rule, name="action", errno="errnoRet"):
    if rule[name] == "SCMP_ACT_ERRNO":
        return ERRNO | rule.get(errno, 1)
    return ACTIONS[rule[name]]


def comparisons(rule):
    return [Comparison(each["index"], COMPARISONS[each["op"]], each["value"], each.get("valueTwo", 0)) for each in rule.get("args", [])]


def confine(profile):
    library = load_library()
    context = library.seccomp_init(action(profile, "defaultAction", "defaultErrnoRet"))
    for architecture in profile["architectures"]:
        added = library.seccomp_arch_add(context, ARCHITECTURES[architecture])
        if added not in (0, ALREADY_THERE):
            raise OSError(-added, f"{architecture} is not taken")
    for rule in profile["syscalls"]:
        given = comparisons(rule)
        array = (Comparison * len(given))(*given)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == UNKNOWN_SYSCALL:
                continue
            added = library.seccomp_rule_add_array(context, action(rule), number, len(given), array)
            if added != 0:
                raise OSError(-added, f"the rule for {name} is not taken")
    loaded = library.seccomp_load(context)
    if loaded != 0:
        raise OSError(-loaded, "the filter is not taken")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    confine(wanted)
    os.execvp(sys.argv[2], sys.argv[2:])
