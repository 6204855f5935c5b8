"""What is in a cluster: to bring it back to how it was when it was new, so that another may have its control plane."""

import time

from .kubernetes_api import ApiError

# What comes and goes by itself: kinds, and names.
FLEETING = {"events", "leases", "endpoints", "endpointslices", "componentstatuses", "controllerrevisions", "ipaddresses", "flowschemas",
            "prioritylevelconfigurations", "servicecidrs"}
ALWAYS_THERE = ("/serviceaccounts/default", "/configmaps/kube-root-ca.crt", "/configmaps/extension-apiserver-authentication",
                "/configmaps/kube-apiserver-legacy-service-account-token-tracking")
LIMIT = 60  # real seconds, on a busy machine


def contents(api):
    """{path: object} of all that can be listed and deleted."""
    found = {}
    for base in ["/api/v1", *("/apis/" + group["preferredVersion"]["groupVersion"] for group in api.get("/apis")["groups"])]:
        try:
            resources = api.get(base)["resources"]
        except ApiError:  # a group that is going
            continue
        for resource in resources:
            if "/" in resource["name"] or resource["name"] in FLEETING or not {"list", "delete"} <= set(resource["verbs"]):
                continue
            try:
                items = api.items(f"{base}/{resource['name']}")
            except ApiError:
                continue
            for item in items:
                if resource["name"] == "apiservices" and not item["spec"].get("service"):
                    continue  # of Kubernetes' own, or of a definition
                metadata = item["metadata"]
                within = f"/namespaces/{metadata['namespace']}" if resource["namespaced"] else ""
                # Items of a list do not say what they are.
                item["kind"] = resource["kind"]
                found[f"{base}{within}/{resource['name']}/{metadata['name']}"] = item
    return found


def empty(api, new):
    """Removes what was not there when it was `new`; whether it is so again in time."""
    until = time.monotonic() + LIMIT

    def stays(path):
        return path in new or (path.endswith(ALWAYS_THERE) and path.rsplit("/", 2)[0] in new)

    while surplus := {path: item for path, item in contents(api).items() if not stays(path)}:
        if time.monotonic() > until:
            return False
        # What is in a namespace goes before it, what is of a kind before its definition.
        for path in sorted(surplus, key=lambda path: ("/namespaces/" not in path, "/customresourcedefinitions/" in path)):
            item = surplus[path]
            try:
                if item["kind"] == "Namespace" and item["metadata"].get("deletionTimestamp"):
                    # Its controller would take seconds to see that it is empty.
                    if not any(other.find(f"/namespaces/{item['metadata']['name']}/") > 0 for other in surplus):
                        api.request("PUT", f"{path}/finalize", {**item, "spec": {"finalizers": []}})
                    continue
                if item["metadata"].get("finalizers"):
                    api.merge(path, {"metadata": {"finalizers": None}})
                api.delete(path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
            except ApiError as error:
                if error.code not in (403, 404, 405, 409):
                    raise
        time.sleep(0.1)
    return True
