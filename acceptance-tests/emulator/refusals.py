"""Refuses what the tables say is refused: `Refuse` rows of rows.py."""

import fnmatch

from . import rows
from .extend import error


def check(context):
    for row in rows.REFUSALS.get(context.service, []):
        if any(fnmatch.fnmatchcase(context.operation, pattern) for pattern in rows.as_list(row.operation)):
            for thing in met_by(row, context):
                raise error(context.service, row.code, rows.fill(row.message, context.params, thing, context.names()))


def met_by(row, context):
    """The objects for which the call is refused; None stands for one that is not there."""
    if not row.kind:
        return [None] if row.when(context, None) else []
    kind = rows.KINDS[context.service][row.kind]
    named = row.named or kind.named
    if not any(context.params.get(name) for name in named):
        return []
    things = kind.named_by(context.backend, context.params, named)
    if not things:
        return [None] if rows.ABSENT in row.states else []
    return [thing for thing in things if holds(row, kind, thing, context)]


def holds(row, kind, thing, context):
    state = rows.one(thing, kind.state)
    return (
        (rows.THERE in row.states or state in row.states)
        and state not in row.not_in
        and (not row.used_by or any(is_used(use, kind.key(thing)[-1], context) for use in row.used_by))
        and (row.when is None or row.when(context, thing))
    )


def is_used(use, key, context):
    service, _, name = use[0].rpartition(":")
    user, path = rows.KINDS[service or context.service][name], use[1]
    backend = context.backend_of(service) if service else context.backend
    itself = user.named_by(backend, context.params) if backend else []
    return any(
        key in rows.values(thing, path)
        for thing in (user.all(backend) if backend else ())
        if not (user.within[1:] == (path,) and user.inherent and user.inherent(thing))
        and rows.one(thing, user.state) not in user.over
        and not any(thing is other for other in itself)
    )
