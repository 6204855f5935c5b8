"""Who may enter a cluster and what he may do there, as on EKS: the real aws-iam-authenticator checks tokens and maps principals by the
emulator's access entries; access policies are ClusterRoles, bound where they are associated.

A mapped principal gets, beside the entry's own groups, one of ours to which its policies are bound (EKS decides on policies without
RBAC, so that nobody sees them there).
"""

import fnmatch
import hashlib
import json
import socket
import time

from . import sts
from .control_plane import Authority, free_port, kubeconfig
from .kubernetes_api import ApiError

# EKS user guide, "Review access policy permissions": what Kubernetes itself aggregates into its roles `view`, `edit`, `admin` (and nothing
# of what others do), or everything, or everything for reading.
POLICIES = {
    "AmazonEKSClusterAdminPolicy": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                                    {"nonResourceURLs": ["*"], "verbs": ["*"]}],
    "AmazonEKSAdminViewPolicy": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    "AmazonEKSAdminPolicy": ("view", "edit", "admin"),
    "AmazonEKSEditPolicy": ("view", "edit"),
    "AmazonEKSViewPolicy": ("view",),
}
ROLE = "ekb.test:"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# How long the API server remembers what the authenticator said: until then a revoked entry still lets in.
REMEMBERED = "1s"
HELD = []


def hold_health_port():
    """aws-iam-authenticator answers health checks on port 21363 of all addresses and goes on without where it cannot have that: we take
    it on loopback, so that nothing listens elsewhere. Every emulator may hold it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        holder.bind(("127.0.0.1", 21363))
        holder.listen()
        HELD.append(holder)
    except OSError:
        pass  # taken on all addresses, by somebody else


class Access:
    def __init__(self, front, cluster):
        self.front, self.cluster, self.partition = front, cluster.name, cluster.arn.split(":")[1]
        self.mappings, self.bindings = None, {}

    def start(self, plane):
        """Before the API server; gives its flags. Later on, for another cluster, at the address that the API server knows."""
        folder, known = plane.folder, getattr(plane, "authenticator", None)
        if not known:
            authority = Authority("authenticator")
            certificate, key = authority.issue("127.0.0.1")
            (folder / "state").mkdir()
            for name, content in [("state/cert.pem", certificate), ("state/key.pem", key), ("authenticator.crt", authority.pem)]:
                (folder / name).write_text(content)
        self.file = folder / "mappings.json"
        self.map([], [])
        (folder / "authenticator.yaml").write_text(json.dumps({
            "clusterID": self.cluster, "server": {"dynamicfilepath": str(self.file), "dynamicfileUserIDStrict": True}}))
        for _ in range(3):
            port = known or free_port()
            program = plane.run(
                "aws-iam-authenticator", "server", "--config=authenticator.yaml", "--state-dir=state", "--kubeconfig-pregenerated=true",
                "--address=127.0.0.1", f"--port={port}", "--backend-mode=DynamicFile", f"--partition={self.partition}",
                environment=self.front.environment(folder))
            while not program.has_ended():
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                except OSError:
                    time.sleep(0.05)
                    continue
                plane.authenticator = port
                (folder / "webhook.kubeconfig").write_text(
                    kubeconfig(f"https://127.0.0.1:{port}/authenticate", folder / "authenticator.crt", ""))
                return ["--authentication-token-webhook-config-file=webhook.kubeconfig",
                        f"--authentication-token-webhook-cache-ttl={REMEMBERED}"]
        raise RuntimeError(f"aws-iam-authenticator does not start: {program.said()}")

    def make_roles(self, api):
        for name, rules in POLICIES.items():
            if isinstance(rules, tuple):
                parts = [api.get(f"{RBAC}/clusterroles/system:aggregate-to-{part}") for part in rules]
                rules = [rule for part in parts for rule in part["rules"]]
            api.apply(f"{RBAC}/clusterroles/{ROLE}{name}", {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": ROLE + name}, "rules": rules})

    # --- what the emulator's access entries say ---------------------------------------------------------------------

    def bring(self, api, backend):
        stored = backend.__dict__.get("ekb_stored", {})
        mine = lambda kind: [thing for thing in stored.get(kind, {}).values() if thing["clusterName"] == self.cluster]  # noqa: E731
        roles, users = [], []
        if creator := getattr(backend.clusters[self.cluster], "creator", None):
            (roles if ":assumed-role/" in creator["Arn"] else users).append(self.creators(creator))
        for entry in mine("access_entry"):
            if mapping := self.mapping(entry):
                (roles if "rolearn" in mapping else users).append(mapping)
        self.map(roles, users)
        wanted = {}
        for policy in mine("access_policy"):
            wanted |= self.bindings_of(api, policy)
        for path in [path for path, made in self.bindings.items() if wanted.get(path) != made]:
            api.delete(path)
            del self.bindings[path]
        for path in [path for path in wanted if path not in self.bindings]:
            try:
                api.apply(path, wanted[path])
            except ApiError as error:
                if error.code != 404:  # a namespace that is not there yet
                    raise
                continue
            self.bindings[path] = wanted[path]

    def mapping(self, entry):
        arn = entry["principalArn"]
        if entry["type"] != "STANDARD" or not entry.get("principalId"):
            return None
        mapping = {"groups": [*entry["kubernetesGroups"], group_of(arn)], "username": entry["username"], "userid": entry["principalId"]}
        if ":role/" not in arn:
            return {**mapping, "userarn": arn}
        if mapping["username"] == arn:
            account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
            mapping["username"] = f"arn:{self.partition}:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}"
        return {**mapping, "rolearn": arn}

    def creators(self, identity):
        """The hidden rule; with `authenticationMode` API, EKS makes an access entry that can be seen."""
        arn, account, id = identity["Arn"], identity["Account"], identity["UserId"].split(":")[0]
        mapping = {"groups": ["system:masters"], "username": "kubernetes-admin", "userid": id}
        if ":assumed-role/" in arn:
            return {**mapping, "rolearn": f"arn:{self.partition}:iam::{account}:role/{arn.split('/')[-2]}"}
        return {**mapping, "userarn": arn}

    def map(self, roles, users):
        if (roles, users) != self.mappings:
            # In place: the authenticator sees it at once.
            self.file.write_text(json.dumps({
                "Version": "1", "LastUpdatedDateTime": str(int(time.time())), "mapRoles": roles, "mapUsers": users, "mapAccounts": []}))
            self.mappings = roles, users

    def bindings_of(self, api, policy):
        """{path: object}."""
        name = policy["policyArn"].rsplit("/", 1)[-1]
        if name not in POLICIES:
            return {}
        group = group_of(policy["principalArn"])
        body = {
            "metadata": {"name": f"{group}:{name}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE + name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]}
        scope = policy["accessScope"]
        if scope["type"] == "cluster":
            return {f"{RBAC}/clusterrolebindings/{group}:{name}": {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", **body}}
        there = [namespace["metadata"]["name"] for namespace in api.items("/api/v1/namespaces")]
        return {
            f"{RBAC}/namespaces/{namespace}/rolebindings/{group}:{name}": {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **body}
            for namespace in there if any(fnmatch.fnmatchcase(namespace, wanted) for wanted in scope.get("namespaces", []))}


def group_of(principal):
    return f"{ROLE}access-entry:{hashlib.sha256(principal.encode()).hexdigest()[:16]}"


def remember_principal(entry):
    """The entry is for the principal that has this name now, not for one that will have it."""
    entry["principalId"] = sts.principal_id(entry["principalArn"])
