"""Eventual consistency on demand: new objects that reads do not show yet (fault action `invisible`)."""

from .extend import error

NOT_FOUND = {
    "vpc": "InvalidVpcID.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "eipalloc": "InvalidAllocationID.NotFound",
    "nat": "NatGatewayNotFound",
    "rtb": "InvalidRouteTableID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "vpce": "InvalidVpcEndpointId.NotFound",
    "fl": "InvalidFlowLogId.NotFound",
}


def identity(thing):
    """The id (or name) of one of moto's objects, or of a dict in the shape of a service's model; None if it has none."""
    if isinstance(thing, dict):
        for name, value in thing.items():
            if isinstance(value, str) and (name.endswith(("Id", "Arn", "Name")) or name in ("arn", "name", "id")):
                return value
        return None
    for name in ("id", "arn", "name"):
        value = getattr(thing, name, None)
        if isinstance(value, str):
            return value
    return None


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
    for name, value in result.items():
        for thing in value if isinstance(value, list) else [value]:
            # `AllocateAddress` and the like name what they made by plain ids.
            found = thing if isinstance(thing, str) and name.endswith("Id") else None if isinstance(thing, str) else identity(thing)
            if found:
                context.account.table("hidden")[found] = dict(hidden)


def is_hidden(context, name, counts):
    hidden = context.account.table("hidden")
    entry = hidden.get(name)
    if entry is None:
        return False
    if "until" in entry:
        if context.now() < entry["until"]:
            return True
        del hidden[name]
        return False
    if entry["calls"] <= 0:
        del hidden[name]
        return False
    if counts:
        entry["calls"] -= 1
    return True


def refuse(context):
    """A call that names a hidden object: reads do not find it; writes neither, if the fault says so."""
    table = context.account.table("hidden")
    if not table:
        return
    for name in strings({k: v for k, v in context.params.items() if not k.startswith("Filter")}):
        if name in table and (not context.call.mutating or table[name]["writes"]) and is_hidden(context, name, True):
            prefix = name.split("-", 1)[0]
            raise error(context.call.service, NOT_FOUND.get(prefix, "ResourceNotFoundException"), f"The ID '{name}' does not exist")


def without_hidden(context, result):
    if not context.account.table("hidden"):
        return result
    return {
        key: [thing for thing in value if not is_hidden(context, identity(thing), True)] if isinstance(value, list) else value
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
