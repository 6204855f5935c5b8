"""Everything that exists in an account, listed natively from moto's backends: the leak check.

The kinds of objects that the tables name (rows.py), as (kind, id, name, tags), for what a user would have to delete; what vanishes
with its parent (a VPC's main route table) does not count while the parent is there. Accounts begin empty: there is no default VPC.
"""

from . import lifecycle, rows


def of(account):
    lifecycle.settle(account)
    found = []
    for service, (_, regions) in account.backends().items():
        for region, backend in regions.items():
            for kind in rows.KINDS.get(service, {}).values():
                for thing in kind.all(backend) if kind.listed else []:
                    if counts(service, backend, kind, thing):
                        tags = tags_of(backend, kind, thing)
                        name = rows.one(thing, kind.label) if kind.label else None
                        found.append({"service": service, "region": region, "kind": kind.name, "id": rows.one(thing, kind.id),
                                      "name": name or tags.get("Name", ""), "tags": tags})
    return sorted(found, key=lambda o: (o["service"], o["region"], o["kind"], o["id"]))


def counts(service, backend, kind, thing):
    if rows.one(thing, kind.state) in kind.over or (kind.foreign and kind.foreign(thing)):
        return False
    if not (kind.inherent and kind.inherent(thing)):
        return True
    parent = rows.KINDS[service][kind.within[0]]
    return all(parent.key(one) != kind.parent(thing) for one in parent.all(backend))


def tags_of(backend, kind, thing):
    """As a plain dict; AWS and moto have several forms."""
    tags = kind.tags(backend, thing) if callable(kind.tags) else rows.one(thing, kind.tags)
    if isinstance(tags, list):
        return {tag["Key"]: tag["Value"] for tag in tags}
    return {key: value["Value"] if isinstance(value, dict) else value for key, value in (tags or {}).items()}
