"""Faults on demand. A rule says which calls it meets and what happens to them.

    {"match": {"service": "ec2", "operation": "Create*", "mutating": true, "region": "…", "contains": "nat_gateway/"},
     "nth": 3, "times": 1, "action": "lose", …}

`match`: all given conditions hold; `operation` is a shell pattern or a list of them; `contains` is a text somewhere in the
request's parameters (a tag, a name, an id); `untagged`: the call may give tags to what it makes, and gives none of this key (as
policies of an organisation demand it). `nth` (default 1): the first matching call that is met, counted since the rule was
set; `times` (default 1, null: for ever): how many calls from there on.

Actions:
    throttle    the service's own throttling error; not applied
    error       the service's own 5xx, or `code`, `status`, `message`; not applied
    deny        the service's own "not authorised"; not applied
    reset       the connection is closed without an answer; not applied
    lose        applied, then the connection is closed without an answer
    kill_before the calling process gets SIGKILL; not applied
    kill_after  applied, then the calling process gets SIGKILL
    slow        waits `seconds` of real time, then goes on
    invisible   what the call makes is hidden from reads for the next `calls` reads that would show it, or for `seconds` of AWS
                time; with `writes: true`, calls that name it fail too
    fail_later  accepted, and later found failed (NAT gateways, endpoints): `code`, `message`
"""

import fnmatch
import itertools
import json
import threading

from . import services

ENDING = {"throttle", "error", "deny", "reset", "lose", "kill_before", "kill_after"}
ACTIONS = ENDING | {"slow", "invisible", "fail_later"}


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self.rules = []

    def add(self, rule):
        if rule.get("action") not in ACTIONS:
            raise ValueError(f"no such action: {rule.get('action')!r}; there are {sorted(ACTIONS)}")
        unknown = set(rule) - {"match", "nth", "times", "action", "code", "status", "message", "seconds", "calls", "writes"}
        unknown |= set(rule.get("match", {})) - {"service", "operation", "mutating", "region", "contains", "untagged"}
        if unknown:
            raise ValueError(f"unknown in a fault rule: {sorted(unknown)}")
        rule = dict(rule, id=next(self._ids), seen=0, fired=0)
        with self._lock:
            self.rules.append(rule)
        return rule["id"]

    def clear(self):
        with self._lock:
            self.rules = []

    def meet(self, call):
        """The rules that this call sets off, in the order in which they were set; at most one that ends the call."""
        met = []
        with self._lock:
            for rule in self.rules:
                if not matches(rule.get("match", {}), call):
                    continue
                rule["seen"] += 1
                nth, times = rule.get("nth", 1), rule.get("times", 1)
                if rule["seen"] < nth or (times is not None and rule["seen"] >= nth + times):
                    continue
                if rule["action"] in ENDING and any(other["action"] in ENDING for other in met):
                    continue
                rule["fired"] += 1
                met.append(rule)
        return met


def matches(condition, call):
    patterns = condition.get("operation")
    if isinstance(patterns, str):
        patterns = [patterns]
    return (
        condition.get("service", call.service) == call.service
        and condition.get("region", call.region) == call.region
        and condition.get("mutating", call.mutating) == call.mutating
        and (patterns is None or any(fnmatch.fnmatchcase(call.operation, p) for p in patterns))
        and ("contains" not in condition or condition["contains"] in json.dumps(call.params, default=str))
        and ("untagged" not in condition or call.takes_tags and condition["untagged"] not in tag_keys(call.params))
    )


def tag_keys(params):
    """The keys of the tags that a creating call gives: a list or map, or lists by the type of resource."""
    tags = params.get("tags") or params.get("Tags") or []
    tags = [tags, *(one.get("Tags", []) for one in params.get("TagSpecifications", []))]
    return {one if isinstance(one, str) else one.get("Key") or one.get("TagKey") or one.get("key") for some in tags for one in some}


def error_of(rule, call):
    """(code, status, message) of a rule that answers with an error."""
    service = services.of(call.service)
    if rule["action"] == "throttle":
        code, status = service.throttled
        message = "Rate exceeded" if call.service != "ec2" else "Request limit exceeded."
    elif rule["action"] == "deny":
        code, status = service.denied
        message = "You are not authorized to perform this operation." + (
            f" User: {call.identity} is not authorized to perform: {call.service}:{call.operation}"
        )
    else:
        code, status = service.broken
        message = "An internal error has occurred"
    return rule.get("code", code), rule.get("status", status), rule.get("message", message)
