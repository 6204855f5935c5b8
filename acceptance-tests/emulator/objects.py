"""Everything that exists in an account, listed natively from moto's backends: the leak check.

A lister per service gives (kind, id, name, tags) for what a user would have to delete; what vanishes with its parent (a VPC's
main route table) does not count while the parent is there. Accounts begin empty: there is no default VPC.
"""

from . import extend

LISTERS = {}


def lister(service):
    return lambda function: LISTERS.setdefault(service, []).append(function) or function


def of(account):
    found = []
    for service, (_, regions) in account.backends().items():
        for region, backend in regions.items():
            for function in extend.SETTLE.get(service, []):
                function(backend, account)
            for function in LISTERS.get(service, []):
                for kind, id, name, tags in function(backend, account):
                    found.append({"service": service, "region": region, "kind": kind, "id": id, "name": name, "tags": tags})
    return sorted(found, key=lambda o: (o["service"], o["region"], o["kind"], o["id"]))
