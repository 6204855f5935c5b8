"""Operations that follow from rows alone: those of `Stored` kinds, and tags by ARN (`Tagging`).

The shapes come from the service's model: an answer's member of the object's shape is the object, others are attributes of it.
"""

import copy

from moto.core.utils import get_service_model, utcnow

from . import rows
from .extend import before, error


def hook(service):
    """Puts the rows of a service to work."""
    for kind in rows.KINDS.get(service, {}).values():
        if isinstance(kind, rows.Stored):
            for operation, function in [(kind.makes, make), (kind.shows, show), (kind.lists, list_all), (kind.changes, change),
                                        (kind.removes, remove)]:
                if operation:
                    before(service, operation)(lambda context, kind=kind, function=function: function(context, kind))
    if service in rows.TAGGING:
        row = rows.TAGGING[service]
        for operation, function in [(row.tag, tag), (row.untag, untag), (row.list, tags)]:
            before(service, operation)(lambda context, row=row, function=function: function(context, row))


# --- objects --------------------------------------------------------------------------------------------------------


def make(context, kind):
    place = context.backend.__dict__.setdefault("ekb_stored", {}).setdefault(kind.name, {})
    given = {name: value for name, value in context.params.items() if name in members(context, kind) or name in kind.named}
    thing = {**given_values(context, kind.defaults), **copy.deepcopy(given)}
    thing.update(given_values(context, kind.adds, thing))
    place[kind.key(thing)] = thing
    return answer(context, kind, thing)


def show(context, kind):
    return answer(context, kind, find(context, kind))


def list_all(context, kind):
    things = kind.named_by(context.backend, context.params)
    if not any(context.params.get(name) for name in kind.named):
        things = kind.all(context.backend)
    # Parameters that are attributes narrow the list.
    given = {name: value for name, value in context.params.items() if name in members(context, kind)}
    things = [thing for thing in things if all(thing.get(name) == value for name, value in given.items())]
    shape = output(context)
    member = next(name for name, inner in shape.members.items() if inner.type_name == "list")
    texts = shape.members[member].member.type_name == "string"
    said = {name: context.params[name] for name in shape.members if name in context.params}
    return {**said, member: [kind.key(thing)[-1] for thing in things] if texts else things}


def change(context, kind):
    thing = find(context, kind)
    changed = {name: value for name, value in context.params.items() if name in members(context, kind)}
    thing.update(copy.deepcopy(changed))
    return answer(context, kind, thing)


def remove(context, kind):
    thing = find(context, kind)
    for place in kind.places(context.backend):
        place.pop(kind.key(thing), None)
    return answer(context, kind, thing)


def find(context, kind):
    found = kind.named_by(context.backend, context.params)
    if not found:
        code, text = kind.absent
        raise error(context.service, code, rows.fill(text, context.params, context.names()))
    return found[0]


def given_values(context, table, thing=None):
    return {
        name: utcnow() if value is rows.NOW else rows.fill(copy.deepcopy(value), context.params, thing, context.names())
        for name, value in table.items()
    }


def output(context):
    return get_service_model(context.service).operation_model(context.operation).output_shape


def body(service, kind):
    """The shape of the object: what the answer to making or showing one has as its only structure, else that answer itself."""
    model = get_service_model(service)
    for operation in (kind.shows, kind.makes, kind.lists):
        shape = model.operation_model(operation).output_shape if operation else None
        inner = [member for member in (shape.members.values() if shape else []) if member.type_name in ("structure", "list")]
        if len(inner) == 1:
            return inner[0] if inner[0].type_name == "structure" else inner[0].member
    return shape


def members(context, kind):
    return body(context.service, kind).members


def answer(context, kind, thing):
    shape = output(context)
    name = body(context.service, kind).name
    return {
        member: thing if inner.name == name else thing[member]
        for member, inner in (shape.members if shape else {}).items()
        if inner.name == name or member in thing
    }


# --- tags -----------------------------------------------------------------------------------------------------------


def tagged(context, row):
    arn = context.params[row.arn]
    for kind in rows.KINDS[context.service].values():
        for thing in kind.all(context.backend):
            if rows.one(thing, kind.id) == arn and isinstance(kind.tags, str):
                if rows.one(thing, kind.tags) is None:
                    rows.put(thing, kind.tags, {})
                return rows.one(thing, kind.tags)
    raise error(context.service, "NotFoundException", f"Resource was not found: {arn}")


def tag(context, row):
    tagged(context, row).update(context.params[row.tags])
    return {}


def untag(context, row):
    has = tagged(context, row)
    for key in context.params[row.keys]:
        has.pop(key, None)
    return {}


def tags(context, row):
    return {row.tags: tagged(context, row)}
