"""One emulated account: its time, request log, faults, client tokens and snapshots."""

import copy
import datetime
import enum
import itertools
import re
import threading
import time
import types

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict, backend_lock

from .faults import Faults

# Access keys of the rig say which account they are of.
OUR_KEY = re.compile(r"^AKIA(\d{12})[A-Z0-9]{4}$")


def account_of(access_key):
    ours = OUR_KEY.match(access_key or "")
    if ours:
        return ours.group(1)
    from moto.iam.models import iam_backends

    # Keys that STS or IAM of the emulator gave out. moto's own look makes an IAM for every partition, which takes seconds.
    for id, partitions in list(iam_backends.items()) if access_key else []:
        if any(access_key in backend.access_keys for backend in list(dict.values(partitions))):
            return id
    return DEFAULT_ACCOUNT_ID


# What holds no texts; classes and functions are as they are.
PLAIN = (int, float, bytes, type(None), type, types.FunctionType, types.ModuleType, datetime.date, enum.Enum)


class Account:
    def __init__(self, account_id):
        self.id = account_id
        # Held while a request is applied: moto is not made for threads.
        self.lock = threading.RLock()
        self.scale = 1.0
        self._aws, self._real = time.time(), time.monotonic()
        self.log = []
        self.first = 0  # number of the first entry still in the log
        self.faults = Faults()
        # What the extension remembers besides moto's backends, by name; part of snapshots. Values must be deep-copyable.
        self.memory = {}
        # What reads were answered since something last changed.
        self.answers = {}
        self.snapshots = {}
        # The real controllers that run in clusters, and the sessions of their roles: {access key: (role's ARN, its unique id)}.
        self.controllers, self.sessions = frozenset(), {}
        # Client's ports of connections that a killed process had: their requests are not applied any more.
        self.killed_ports = set()

    # --- time: AWS seconds -------------------------------------------------------------------------------------------

    def now(self):
        """AWS time in seconds since 1970; runs `scale` times as fast as the wall clock."""
        return self._aws + (time.monotonic() - self._real) * self.scale

    def set_scale(self, scale):
        self._aws, self._real, self.scale = self.now(), time.monotonic(), float(scale)

    def advance(self, seconds):
        self._aws += float(seconds)

    def table(self, name):
        return self.memory.setdefault(name, {})

    # --- log ---------------------------------------------------------------------------------------------------------

    def record(self, entry):
        entry["n"] = self.first + len(self.log)
        self.log.append(entry)

    def clear_log(self):
        self.first += len(self.log)
        self.log = []

    # --- snapshots ---------------------------------------------------------------------------------------------------

    def backends(self):
        """The live moto backends of this account: {service: {region: backend}}."""
        with backend_lock:
            return {
                backends.service_name: (backends, dict(backends.get(self.id).items()))
                for backends in BackendDict._instances
                if dict.__contains__(backends, self.id)
            }

    def snapshot(self, name):
        with self.lock:
            content = {service: regions for service, (_, regions) in self.backends().items()}
            self.snapshots[name] = (deep_copy((content, self.memory)), self.now())

    def restore(self, name):
        with self.lock:
            saved, then = self.snapshots[name]
            content, self.memory = deep_copy(saved)
            for service, (backends, _) in self.backends().items():
                regions = dict.__getitem__(backends, self.id)
                dict.clear(regions)
                dict.update(regions, content.get(service, {}))
            # Pending things stay pending for as long as they were at the snapshot.
            self._aws, self._real = then, time.monotonic()

    def reset(self):
        with self.lock:
            for backends, _ in self.backends().values():
                dict.pop(backends, self.id, None)
            self.memory, self.snapshots, self.killed_ports = {}, {}, set()
            self.controllers, self.sessions = frozenset(), {}
            self.faults = Faults()
            self.clear_log()


def deep_copy(content):
    """A deep copy that shares what never changes."""
    return copy.deepcopy(content, shared(content))


def shared(content):
    """AWS's own policies, by their ids."""
    return {id(policy): policy for backend in content[0].get("iam", {}).values() for policy in backend.aws_managed_policies}


def renamed(thing, old, new, seen):
    """The same with another text in place of one, everywhere in it. What can be changed is; `seen` is what was, by its id."""
    if isinstance(thing, str):
        return thing.replace(old, new)
    if isinstance(thing, PLAIN):
        return thing
    if id(thing) in seen:
        return seen[id(thing)]
    if isinstance(thing, (tuple, frozenset)):
        parts = [renamed(one, old, new, seen) for one in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else type(thing)(parts)
    seen[id(thing)] = thing
    if isinstance(thing, dict):
        items = [(renamed(key, old, new, seen), renamed(value, old, new, seen)) for key, value in thing.items()]
        thing.clear()
        thing.update(items)
    elif isinstance(thing, list):
        thing[:] = [renamed(one, old, new, seen) for one in thing]
    elif isinstance(thing, set):
        parts = [renamed(one, old, new, seen) for one in thing]
        thing.clear()
        thing.update(parts)
    for name, value in list(getattr(thing, "__dict__", {}).items()):
        thing.__dict__[name] = renamed(value, old, new, seen)
    return thing


class Accounts:
    def __init__(self, scale=1.0):
        self.scale = scale
        self._lock = threading.Lock()
        self._accounts = {}
        self._ids = itertools.count(100000000001)

    def new(self):
        return str(next(self._ids))

    def copy(self, of, name):
        """A new account with all that another has in its snapshots, in which everything is as at one of them: the same ids, and in ARNs
        its own account's."""
        source, account = self.get(of), self.get(self.new())
        for backends, _ in source.backends().values():
            backends[account.id]  # moto makes it
        for known, (saved, then) in source.snapshots.items():
            account.snapshots[known] = renamed(deep_copy(saved), of, account.id, shared(saved)), then
        account.restore(name)
        return account.id

    def get(self, account_id):
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None:
                account = self._accounts[account_id] = Account(account_id)
                account.set_scale(self.scale)
            return account

    def known(self, account_id):
        """Nothing where it was never asked for, or is forgotten."""
        with self._lock:
            return self._accounts.get(account_id)

    def drop(self, account_id):
        self.get(account_id).reset()
        with self._lock:
            self._accounts.pop(account_id, None)
