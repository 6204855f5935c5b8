"""What becomes of objects in time: `State` rows of rows.py.

What is still to come is a table of the account, so snapshots keep it. States follow from time stamps at the next call; there are
no threads. `@entered(service, kind, state)` is for what AWS does besides: a function of backend and object; kind `*` is any.
`@instead(service, kind, state)` is asked before a state that is due: a function of account, backend and object that answers WAIT
(not yet: asked again at the next call), another state, or nothing.
"""

import copy

from . import rows, visibility

ENTERED, INSTEAD = {}, {}
WAIT = object()


def entered(service, kind, *states):
    return lambda function: [ENTERED.setdefault((service, kind, s), []).append(function) for s in states] and function


def instead(service, kind, *states):
    return lambda function: [INSTEAD.__setitem__((service, kind, s), function) for s in states] and function


def seconds():
    """How long what takes, by name, in AWS seconds."""
    return {name: value for table in rows.STATES.values() for row in table for name, value in row.seconds().items()}


class Watch:
    """Looks before and after a call, and puts what it makes or names into the state that its rows say."""

    def __init__(self, context):
        self.context = context
        self.rows = rows.STATES.get((context.service, context.operation), [])
        self.kept = rows.KEPT.get((context.service, context.operation), [])
        names = dict.fromkeys(row.kind for row in [*self.rows, *self.kept])
        if context.call.mutating and visibility.rule_for(context):
            names = rows.KINDS[context.service]
        # What the call made: (kind, object).
        self.made = []
        self.kinds = [rows.KINDS[context.service][name] for name in names]
        self.there = {kind.name: kind.all(context.backend) for kind in self.kinds}
        self.named = {kind.name: self.places_of(kind) for kind in self.kinds}

    def places_of(self, kind):
        """What the call names, with where it is kept."""
        named = kind.named_by(self.context.backend, self.context.params)
        return [
            (thing, place, next((key for key, one in place.items() if one is thing), None) if isinstance(place, dict) else None)
            for place in kind.places(self.context.backend)
            for thing in rows.items(place)
            if any(thing is one for one in named)
        ]

    def over(self):
        for kind in self.kinds:
            there = {id(thing) for thing in self.there[kind.name]}
            made = [thing for thing in kind.all(self.context.backend) if id(thing) not in there]
            self.made += [(kind, thing) for thing in made]
            for thing, place, key in [(thing, None, None) for thing in made] or self.named[kind.name]:
                for row in self.kept:
                    for name, value in row.parameters.items() if row.kind == kind.name else ():
                        rows.put(thing, name, copy.deepcopy(self.context.params.get(name, value)))
                row = next((row for row in self.rows if row.kind == kind.name and row.fits(thing)), None)
                if row is not None:
                    keep(place, key, thing, row)
                    enter(self.context, kind, thing, row)


def keep(place, key, thing, row):
    """moto deletes at once; what AWS takes its time for stays."""
    if row.chain[0] == rows.GONE or place is None or any(thing is one for one in rows.items(place)):
        return
    if isinstance(place, dict):
        place[key] = thing
    else:
        place.append(thing)


def enter(context, kind, thing, row):
    """The object is in the first state of the row from now on."""
    to_come = context.account.table("to come")
    key = (context.service, context.call.region, kind.name, *kind.key(thing))
    if key in to_come and rows.one(thing, kind.state) == row.chain[0]:
        return  # the same again, which does not begin anew
    failure = context.failure if row.failed else None
    rest = row.failed if failure else row.chain[1:]
    to_come.pop(key, None)
    step(to_come, key, context.backend, thing, row.chain[0], rest, failure, context.now())


def enter_as(context, operation, kind, thing):
    """What that operation would do to the object."""
    row = next(row for row in rows.STATES[context.service, operation] if row.kind == kind and row.fits(thing))
    enter(context, rows.KINDS[context.service][kind], thing, row)


def put(account, service, region, kind, id, values, chain):
    """What AWS does by itself to an object: it gets the values, and goes through the states."""
    settle(account)
    backend, row = account.backends()[service][1][region], rows.KINDS[service][kind]
    thing = next(thing for thing in row.all(backend) if rows.one(thing, row.id) == id or row.key(thing)[-1] == id)
    for path, value in values.items():
        rows.put(thing, path, value)
    if chain:
        to_come, key = account.table("to come"), (service, region, kind, *row.key(thing))
        to_come.pop(key, None)
        step(to_come, key, backend, thing, chain[0], chain[1:], None, account.now())


def settle(account):
    """Brings every object of the account up to its present time."""
    to_come, now = account.table("to come"), account.now()
    held = set()
    while due := [key for key, entry in to_come.items() if entry["at"] <= now and key not in held]:
        key = min(due, key=lambda key: to_come[key]["at"])
        entry = to_come[key]
        state, *rest = entry["chain"]
        service, _, kind, *_ = key
        if function := INSTEAD.get((service, kind, state)):
            other = function(account, entry["backend"], entry["thing"])
            if other is WAIT:
                held.add(key)
                continue
            state, rest = (other, []) if other else (state, rest)
        # Others may have waited for this one.
        held.clear()
        del to_come[key]
        account.answers.clear()
        if entry["failure"]:
            code, message = entry["failure"]
            for path, text in rows.KINDS[service][kind].failure.items():
                rows.put(entry["thing"], path, rows.fill(text, {"code": code, "message": message}))
        step(to_come, key, entry["backend"], entry["thing"], state, rest, None, entry["at"])


def step(to_come, key, backend, thing, state, rest, failure, now):
    service, _, name, *_ = key
    kind = rows.KINDS[service][name]
    if state == rows.GONE:
        remove(service, backend, kind, thing)
        return
    rows.put(thing, kind.state, state)
    if rest:
        after, *chain = rest
        to_come[key] = {"at": now + after, "chain": chain, "backend": backend, "thing": thing, "failure": failure}
    happened(service, backend, kind, thing, state)


def remove(service, backend, kind, thing):
    """The end of an object, and of what lives in it."""
    for place in kind.places(backend):
        if isinstance(place, dict):
            for key in [key for key, one in place.items() if one is thing]:
                del place[key]
        else:
            place[:] = [one for one in place if one is not thing]
    for child in rows.KINDS[service].values():
        if child.within and child.within[0] == kind.name:
            for one in child.all(backend):
                if child.parent(one) == kind.key(thing):
                    remove(service, backend, child, one)
    happened(service, backend, kind, thing, rows.GONE)


def happened(service, backend, kind, thing, state):
    for name in (kind.name, "*"):
        for function in ENTERED.get((service, name, state), []):
            function(backend, thing)
