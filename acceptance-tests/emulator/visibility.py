"""Eventual consistency: new objects that reads do not show yet, by an `Unseen` row or on demand (fault action `invisible`)."""

from . import rows, services
from .extend import error


def identities(thing):
    """The ids, ARNs and names of one of moto's objects, or of a dict in the shape of a service's model."""
    if isinstance(thing, str):
        return [thing]
    if isinstance(thing, dict):
        return [v for k, v in thing.items() if isinstance(v, str) and (k.endswith(("Id", "Arn", "Name")) or k in ("arn", "name", "id"))]
    found = [getattr(thing, name, None) for name in ("id", "arn", "name", "group_id", "allocation_id")]
    return [one for one in found if isinstance(one, str)]


def hide_new(context, made, result):
    """After a creating call that meets the fault or the row: what it answers with becomes invisible."""
    rule = rule_for(context)
    if rule is None:
        return
    hidden = {"service": context.service, "writes": bool(rule.get("writes"))}
    if "seconds" in rule:
        hidden["until"] = context.now() + rule["seconds"]
    else:
        hidden["calls"] = rule.get("calls", 1)
    # Named by the answer, or by who makes it. A network interface that a gateway brings along is not.
    names = {name for value in [*result.values(), *context.params.values()] for one in rows.as_list(value) for name in identities(one)}
    for kind, thing in made:
        id, key = rows.one(thing, kind.id), kind.key(thing)
        if id in names or key[-1] in names:
            context.account.table("hidden")[(context.service, kind.name, *key)] = {**hidden, "kind": kind.name, "id": id, "key": key}


def rule_for(context):
    row = rows.UNSEEN.get((context.service, context.operation))
    return context.call.invisible or (row and {"seconds": row.seconds, "writes": row.writes})


def is_hidden(context, entry):
    """Whether it still is. One counter, whichever name it is asked by."""
    if "until" in entry:
        over = context.now() >= entry["until"]
    else:
        over = entry["calls"] <= 0
        entry["calls"] -= 1
    if over:
        context.account.memory["hidden"] = {k: v for k, v in context.account.table("hidden").items() if v is not entry}
    return not over


def entries(context):
    return [entry for entry in context.account.table("hidden").values() if entry["service"] == context.service]


def refuse(context):
    """A call that names a hidden object: reads do not find it; writes neither, if it is hidden for them too."""
    for entry in entries(context):
        said = set(strings({k: v for k, v in context.params.items() if not k.startswith("Filter")}))
        if (entry["id"] in said or said.issuperset(entry["key"])) and (not context.call.mutating or entry["writes"]):
            if is_hidden(context, entry):
                kind = rows.KINDS[context.service][entry["kind"]]
                code, text = getattr(kind, "absent", None) or (
                    kind.not_found or services.of(context.service).not_found, f"The ID '{entry['key'][-1]}' does not exist")
                raise error(context.service, code, rows.fill(text, context.params))


def without_hidden(context, result):
    for entry in entries(context):
        result = {
            key: [one for one in value if not is_entry(entry, one) or not is_hidden(context, entry)] if isinstance(value, list) else value
            for key, value in result.items()
        }
    return result


def is_entry(entry, thing):
    return any(name in (entry["id"], entry["key"][-1]) for name in identities(thing))


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
