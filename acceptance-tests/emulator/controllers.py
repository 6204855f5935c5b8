"""The real controllers of a cluster: what their pods would run, as programs beside the control plane.

Whoever has asked for a controller (`POST …/controllers`) has its programs run for as long as a pod with its image is bound to a node. They
get what a kubelet would give: arguments, environment, the service account's token, Secrets as files; and the credentials of the role that
the pod's identity names. Of several pods of one workload one runs: the others would wait to be leader.

What is otherwise than in a cluster stands in the rows: ports are on loopback and free ones, nobody is elected. kwok calls pods ready at
once, whether or not their program answers.
"""

import base64
import itertools
import re
import secrets
import shutil
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field

import requests
from moto.sts.models import sts_backends

from . import sts
from .cluster_metrics import Metrics
from .control_plane import Program, free_port, kubeconfig
from .kubernetes_api import Api, ApiError

# Real seconds between two looks, and how long credentials hold; how many programs that have ended are remembered.
PACE, VALID_FOR, REMEMBERED = 0.4, 900, 10


@dataclass(frozen=True)
class Row:
    """`flags` and `environment` take the place of the pod's own; in them `{8080}` is the loopback port in place of the pod's, `{/certs}`
    the folder of what is mounted there, `{kubeconfig}` a file, `{namespace}` the pod's, `{aws}` the address of AWS."""

    # What is asked for, the tool that runs (without: a stand-in), and the end of the image's name.
    controller: str
    tool: str
    image: str
    flags: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)


LOOPBACK = {"metrics-bind-address": "127.0.0.1:{8080}", "health-probe-bind-address": "127.0.0.1:{8081}"}
AWS_SERVICES = ("ec2", "elasticloadbalancing", "acm", "tagging", "sts")
ROWS = [
    Row("keda", "keda-operator", "kedacore/keda",
        {**LOOPBACK, "metrics-service-bind-address": "127.0.0.1:{9666}", "leader-elect": "false", "cert-dir": "{/certs}"},
        {"KEDA_CLUSTER_OBJECT_NAMESPACE": "{namespace}"}),
    Row("keda", "keda-admission-webhooks", "kedacore/keda-admission-webhooks", {**LOOPBACK, "port": "{9443}", "cert-dir": "{/certs}"}),
    Row("keda", "keda-adapter", "kedacore/keda-metrics-apiserver",
        {"bind-address": "127.0.0.1", "secure-port": "{6443}", "port": "{8080}", "cert-dir": "{/certs}",
         "client-ca-file": "{/certs}/ca.crt", "tls-cert-file": "{/certs}/tls.crt", "tls-private-key-file": "{/certs}/tls.key",
         **{f"{of}-kubeconfig": "{kubeconfig}" for of in ("authentication", "authorization", "lister")}}),
    Row("metrics-server", "", "metrics-server/metrics-server"),
    Row("karpenter", "karpenter", "karpenter/controller", {},
        {"METRICS_PORT": "{8080}", "HEALTH_PROBE_PORT": "{8081}", "DISABLE_LEADER_ELECTION": "true"}),
    Row("load-balancer-controller", "aws-load-balancer-controller", "aws-load-balancer-controller",
        {"metrics-bind-addr": "127.0.0.1:{8080}", "health-probe-bind-addr": "127.0.0.1:{61779}", "webhook-bind-port": "{9443}",
         "kubeconfig": "{kubeconfig}", "webhook-cert-dir": "{/tmp/k8s-webhook-server/serving-certs}", "enable-leader-election": "false",
         **{f"enable-{of}": "false" for of in ("shield", "waf", "wafv2")},
         "aws-api-endpoints": ",".join(f"{service}={{aws}}" for service in AWS_SERVICES)}),
]
NAMES = {row.controller for row in ROWS}


def row_of(pod):
    image = re.sub(r"(@sha256:.*|:[^/]*)$", "", pod["spec"]["containers"][0]["image"])
    return next((row for row in ROWS if image == row.image or image.endswith("/" + row.image)), None)


class Controllers:
    """Of one control plane. `wanted` is what is to run now; a thread of its own follows the pods."""

    def __init__(self, plane):
        self.plane, self.wanted = plane, frozenset()
        self.account = self.cluster = self.port = None
        self.running, self.past, self.numbers = {}, [], itertools.count()
        self.lock, self.ended, self.thread = threading.RLock(), False, None

    def want(self, wanted, account, cluster, port):
        """At every look at the cluster; `port` is the emulator's."""
        self.account, self.cluster, self.port = account, cluster, port
        self.wanted = frozenset(wanted)
        if self.wanted and self.thread is None and not self.ended:
            self.api = Api(self.plane.url, self.plane.folder / "ca.crt", self.plane.token)
            self.plane.gateway.local = self.local
            self.thread = threading.Thread(target=self.follow, daemon=True)
            self.thread.start()

    def end(self):
        with self.lock:
            self.ended = True
            for running in self.running.values():
                running.end()
            self.running = {}

    def local(self, pod, port):
        """The loopback port of a pod's port."""
        with self.lock:
            running = self.running.get(workload(pod))
        return running.ports.get(port) if running and not running.program.has_ended() else None

    def said(self):
        """What has run and runs: for tests."""
        with self.lock:
            return [one.said() for one in [*self.past, *self.running.values()]]

    def follow(self):
        while not self.ended:
            try:
                with self.lock:
                    if not self.ended:
                        self.look()
            except (ApiError, requests.RequestException) as error:
                if not self.ended:
                    print(f"emulator: controllers of {self.cluster.name}: {error}", file=sys.stderr)
            except Exception:
                traceback.print_exc(file=sys.stderr)
            time.sleep(PACE)

    def look(self):
        pods = self.api.items("/api/v1/pods") if self.wanted or self.running else []
        there = {}
        for pod in sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"]):
            row = row_of(pod)
            bound = pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")
            if row and row.controller in self.wanted and bound and pod["status"].get("phase") != "Failed":
                there.setdefault(workload(pod), []).append((pod, row))
        for key, running in list(self.running.items()):
            # A program that ends is started again, as its container would be.
            if running.pod_id not in {pod["metadata"]["uid"] for pod, _ in there.get(key, [])} or running.program.has_ended():
                running.end()
                self.past = [*self.past, self.running.pop(key)][-REMEMBERED:]
            else:
                running.refresh()
        for key, candidates in there.items():
            if key not in self.running and not any(one.key == key and time.monotonic() - one.ended_at < 1 for one in self.past):
                try:
                    self.running[key] = Running(self, key, *candidates[0])
                except NotYet:
                    pass


def workload(pod):
    """What the pod is one of: its namespace and its ReplicaSet's name without the digest."""
    owner = next((one["name"] for one in pod["metadata"].get("ownerReferences", [])), pod["metadata"]["name"])
    return pod["metadata"]["namespace"], owner.rsplit("-", 1)[0]


class NotYet(Exception):
    """A Secret or its like is not there yet: the container would be waiting."""


class Running:
    """One program in a pod's place."""

    def __init__(self, controllers, key, pod, row):
        self.controllers, self.key, self.row, self.api, self.pod = controllers, key, row, controllers.api, pod
        self.pod_id, self.namespace = pod["metadata"]["uid"], pod["metadata"]["namespace"]
        self.account_name = pod["spec"].get("serviceAccountName", "default")
        self.folder = controllers.plane.folder / f"pod-{next(controllers.numbers)}"
        self.folder.mkdir()
        self.container = pod["spec"]["containers"][0]
        self.ports, self.mounts, self.ended_at = {}, {}, 0.0
        try:
            self.refresh()
            self.start()
        except Exception:
            shutil.rmtree(self.folder)
            raise

    def start(self):
        plane = self.controllers.plane
        if not self.row.tool:
            [port] = [one["containerPort"] for one in self.container["ports"]]
            self.program = Metrics(Api(plane.url, plane.folder / "ca.crt", plane.token), int(self.fill(f"{{{port}}}")))
            return
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.account_name}"
        token = self.api.request("POST", f"{path}/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}})["status"]["token"]
        (self.folder / "kubeconfig").write_text(kubeconfig(plane.url, plane.folder / "ca.crt", token))
        self.program = Program(self.row.tool, self.arguments(), self.folder, self.environment(path))

    def end(self):
        self.program.end()
        self.ended_at = time.monotonic()

    def said(self):
        return {"controller": self.row.controller, "program": self.row.tool or self.row.controller, "namespace": self.namespace,
                "pod": self.pod["metadata"]["name"], "pid": self.program.process.pid, "running": not self.program.has_ended(),
                "log": self.program.said()}

    # --- files ------------------------------------------------------------------------------------------------------

    def refresh(self):
        """Secrets and ConfigMaps as files; a kubelet renews them too."""
        volumes = {volume["name"]: volume for volume in self.pod["spec"].get("volumes", [])}
        for mount in self.container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            if not volume.keys() & {"secret", "configMap"}:
                continue
            folder = self.mounts.setdefault(mount["mountPath"], self.folder / f"mount-{len(self.mounts)}")
            folder.mkdir(exist_ok=True)
            for name, content in self.contents(volume).items():
                file = folder / name
                if not file.exists() or file.read_bytes() != content:
                    # At once, as a kubelet does it: whoever reads has never half of it.
                    file.with_suffix(".new").write_bytes(content)
                    file.with_suffix(".new").rename(file)

    def contents(self, volume):
        secret, path = volume.get("secret"), f"/api/v1/namespaces/{self.namespace}"
        path += f"/secrets/{secret['secretName']}" if secret else f"/configmaps/{volume['configMap']['name']}"
        try:
            data = self.api.get(path).get("data") or {}
        except ApiError as error:
            if error.code != 404:
                raise
            if not (secret or volume["configMap"]).get("optional"):
                raise NotYet from None
            return {}
        return {name: base64.b64decode(content) if secret else content.encode() for name, content in data.items()}

    # --- arguments and environment ----------------------------------------------------------------------------------

    def fill(self, text):
        def value(found):
            name = found[1]
            if name.isdigit():
                return str(self.ports.setdefault(int(name), free_port()))
            if name.startswith("/"):
                return str(self.mounts.get(name, self.folder))
            return {"kubeconfig": str(self.folder / "kubeconfig"), "namespace": self.namespace, "aws": f"http://127.0.0.1:{self.controllers.port}"}[name]

        return re.sub(r"\{([^}]*)\}", value, text)

    def arguments(self):
        own = [one for one in self.container.get("args", []) if one.startswith("-")]
        kept = [one for one in own if one.lstrip("-").split("=")[0] not in self.row.flags]
        return [*kept, *(f"--{name}={self.fill(value)}" for name, value in self.row.flags.items())]

    def environment(self, service_account):
        given = {one["name"]: self.value(one) for one in self.container.get("env", [])}
        given = {name: value for name, value in given.items() if value is not None}
        proxy = f"http://127.0.0.1:{self.controllers.plane.gateway.port}"
        return {
            **given, **{name: self.fill(value) for name, value in self.row.environment.items()}, **self.identity(service_account),
            "KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder), "TMPDIR": str(self.folder),
            "HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.fill("{aws}")}

    def value(self, variable):
        if "value" in variable or "valueFrom" not in variable:
            return variable.get("value", "")
        source = variable["valueFrom"]
        if path := source.get("fieldRef", {}).get("fieldPath"):
            value = self.pod
            for step in path.split("."):
                value = value.get(step, {})
            return value or ""
        if wanted := source.get("resourceFieldRef"):
            kind, name = wanted["resource"].split(".")
            amount = self.container.get("resources", {}).get(kind, {}).get(name)
            divisor = wanted.get("divisor") or "1"
            return None if amount is None else str(-int(-quantity(amount) // (quantity(divisor) or 1)))
        return None

    def identity(self, service_account):
        """What EKS's webhook adds to pods that have a role: where its credentials are to be had."""
        account, cluster = self.controllers.account, self.controllers.cluster
        region = cluster.arn.split(":")[3]
        annotations = self.api.get(service_account)["metadata"].get("annotations", {})
        if not role_of(account, cluster, self.namespace, self.account_name, annotations):
            return {}
        token = self.folder / "identity-token"
        token.write_text(secrets.token_hex(16))
        return {
            "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI":
                f"{self.fill('{aws}')}/_ekb/accounts/{account.id}/identity/{region}/{cluster.name}/{self.namespace}/{self.account_name}"}


UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text):
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text))
    return float(found[1]) * UNITS[found[2]]


# --- who they are ---------------------------------------------------------------------------------------------------


def role_of(account, cluster, namespace, name, annotations):
    """The role of a service account: by an association (EKS Pod Identity), else by its annotation (IRSA)."""
    stored = account.backends()["eks"][1][cluster.arn.split(":")[3]].__dict__.get("ekb_stored", {})
    for one in stored.get("pod_identity_association", {}).values():
        if (one["clusterName"], one["namespace"], one["serviceAccount"]) == (cluster.name, namespace, name):
            return one["roleArn"]
    return annotations.get("eks.amazonaws.com/role-arn")


def credentials(account, plane, cluster, namespace, name):
    """What the pod's credential provider asks for. They end with the role."""
    api = Api(plane.url, plane.folder / "ca.crt", plane.token)
    annotations = api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")["metadata"].get("annotations", {})
    role = role_of(account, cluster, namespace, name, annotations)
    id = role and sts.principal_id(role)
    if not id:
        raise LookupError(f"no role for {namespace}/{name}")
    _, partition, _, region, *_ = cluster.arn.split(":")
    made = sts_backends[account.id][partition].assume_role(region, f"eks-{cluster.name}-{name}"[:64], role, None, VALID_FOR, None)
    account.sessions[made.access_key_id] = role, id
    return {"AccessKeyId": made.access_key_id, "SecretAccessKey": made.secret_access_key, "Token": made.session_token,
            "Expiration": made.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"), "AccountId": account.id}
