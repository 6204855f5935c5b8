"""Eventual consistency on demand: new objects that reads do not show yet (fault action `invisible`)."""

from . import rows, services
from .extend import error


def not_found(service, id):
    """What a service says of an object that it does not see; EC2 by the prefix of its id."""
    kinds = rows.KINDS.get(service, {}).values()
    codes = [kind.not_found for kind in kinds if kind.not_found and id.split("-", 1)[0] == kind.prefix]
    return codes[0] if codes else services.of(service).not_found


def identities(thing):
    """The ids, ARNs and names of one of moto's objects, or of a dict in the shape of a service's model."""
    if isinstance(thing, str):
        return [thing]
    if isinstance(thing, dict):
        return [v for k, v in thing.items() if isinstance(v, str) and (k.endswith(("Id", "Arn", "Name")) or k in ("arn", "name", "id"))]
    found = [getattr(thing, name, None) for name in ("id", "arn", "name", "group_id", "allocation_id")]
    return [one for one in found if isinstance(one, str)]


def hide_new(context, result):
    """After a creating call that met the fault: its objects become invisible."""
    rule = context.call.invisible
    if rule is None:
        return
    hidden = {"writes": bool(rule.get("writes"))}
    if "seconds" in rule:
        hidden["until"] = context.now() + rule["seconds"]
    else:
        hidden["calls"] = rule.get("calls", 1)
    names = set()
    for name, value in result.items():
        for thing in value if isinstance(value, list) else [value]:
            # `AllocateAddress`, `CreateFlowLogs` and the like name what they made by plain ids.
            if not isinstance(thing, str) or name.endswith(("Id", "Ids")):
                names.update(identities(thing))
    if context.call.service != "ec2":
        # Named by who makes it, and perhaps not even in the answer.
        names.update(v for k, v in context.params.items() if k.lower().endswith("name") and isinstance(v, str))
    # One counter, whichever name it is asked by.
    for name in names:
        context.account.table("hidden")[name] = hidden


def is_hidden(context, names):
    table = context.account.table("hidden")
    name = next((name for name in names if name in table), None)
    if name is None:
        return False
    entry = table[name]
    if "until" in entry:
        over = context.now() >= entry["until"]
    else:
        over = entry["calls"] <= 0
        entry["calls"] -= 1
    if over:
        context.account.memory["hidden"] = {k: v for k, v in table.items() if v is not entry}
    return not over


def refuse(context):
    """A call that names a hidden object: reads do not find it; writes neither, if the fault says so."""
    table = context.account.table("hidden")
    if not table:
        return
    service = context.call.service
    for name in strings({k: v for k, v in context.params.items() if not k.startswith("Filter")}):
        if name in table and (not context.call.mutating or table[name]["writes"]) and is_hidden(context, [name]):
            raise error(service, not_found(service, name), f"The ID '{name}' does not exist")


def without_hidden(context, result):
    if not context.account.table("hidden"):
        return result
    return {
        key: [thing for thing in value if not is_hidden(context, identities(thing))] if isinstance(value, list) else value
        for key, value in result.items()
    }


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
