"""A real Kubernetes control plane on loopback: etcd, aws-iam-authenticator, kube-apiserver, controller manager, scheduler, and kwok in
the kubelets' place.

Each program runs under `src/supervise.py`, on a leash that is a pipe from this process: however this process ends, they end too, and
their folder goes.
"""

import base64
import datetime
import ipaddress
import json
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .cluster_contents import contents, empty
from .cluster_services import Gateway
from .kubernetes_api import Api, ApiError

HERE = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ["etcd", "aws-iam-authenticator", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]
START_LIMIT = 300  # real seconds, on a machine that is busy building; alone it takes a few


def tool(name):
    sys.path.insert(0, str(HERE / "tools"))
    import tools

    return tools.TOOLS[name].ensure()


# --- keys and certificates ------------------------------------------------------------------------------------------


def pem_of(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


CA_USAGE = x509.KeyUsage(**{
    use: use in ("key_cert_sign", "crl_sign", "digital_signature")
    for use in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
                "crl_sign", "encipher_only", "decipher_only")})


class Authority:
    """A certificate authority of its own."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._builder(self.name, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(CA_USAGE, critical=True).sign(self.key, hashes.SHA256()))
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _builder(self, subject, key):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30)))

    def issue(self, *names):
        """(certificate, key) in PEM for a server of these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        made = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256()))
        return made.public_bytes(serialization.Encoding.PEM).decode(), pem_of(key)


# --- programs -------------------------------------------------------------------------------------------------------


class Program:
    def __init__(self, name, arguments, folder, environment=None, owns_folder=False):
        self.log = folder / f"{name}.log"
        command = [sys.executable, "-IS", str(HERE / "src/supervise.py"), *(["--remove", str(folder)] if owns_folder else [])]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*command, str(tool(name)), *arguments], cwd=folder, env=environment or {}, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def has_ended(self):
        return self.process.poll() is not None

    def end(self):
        """SIGKILL to the program: kube-apiserver and aws-iam-authenticator outlive SIGTERM."""
        self.process.stdin.close()
        self.process.wait()

    def said(self):
        try:
            return self.log.read_text(errors="replace")
        except OSError:
            return ""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# --- the control plane ----------------------------------------------------------------------------------------------


class ControlPlane:
    """Starts at once, in a thread of its own; `is_ready` says when it answers, and raises what kept it from starting."""

    def __init__(self, access):
        self.access = access
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ekb-cluster-"))
        # What was well at the last look at node groups, and their names.
        self.calm, self.groups, self.karpenter_nodes = {}, set(), {}
        self.gateway = Gateway(self.folder)
        self.programs, self.failure, self.ready, self.ended, self.broken = {}, None, threading.Event(), False, False
        self.lock = threading.Lock()
        authority = Authority("kubernetes")
        self.ca, self.token = authority.pem, secrets.token_hex(32)
        certificate, key = authority.issue("127.0.0.1", "localhost", "kubernetes.default.svc")
        # By which aggregated APIs know that it is the API server who asks.
        front = Authority("front-proxy")
        front_certificate, front_key = front.issue("front-proxy-client")
        accounts = ec.generate_private_key(ec.SECP256R1())
        public = accounts.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        for name, content in [("ca.crt", self.ca), ("server.crt", certificate), ("server.key", key), ("accounts.key", pem_of(accounts)),
                              ("accounts.pub", public.decode()), ("front-ca.crt", front.pem), ("front.crt", front_certificate),
                              ("front.key", front_key), ("egress.yaml", self.gateway.configuration), ("tokens.csv", f"{self.token},admin,admin,system:masters\n")]:
            (self.folder / name).write_text(content)
        threading.Thread(target=self.attempt, args=(self.bring_up,), daemon=True).start()

    @property
    def certificate_authority(self):
        return base64.b64encode(self.ca.encode()).decode()

    def is_ready(self):
        if self.failure:
            raise RuntimeError(self.failure)
        return self.ready.is_set()

    def run(self, name, *arguments, **options):
        with self.lock:
            if self.ended:
                raise RuntimeError("ended")
            program = self.programs[name] = Program(name, arguments, self.folder, **options)
        return program

    def attempt(self, start):
        try:
            start()
            self.ready.set()
        except Exception as error:
            self.failure = f"the control plane did not start: {error}"
            if not self.ended:
                print(f"emulator: {self.failure}", file=sys.stderr)

    def bring_up(self):
        # Short: the path of a socket may have 107 bytes.
        etcd = f"unix://{self.folder}/etcd"
        self.run("etcd", "--data-dir=data", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                 # It insists on an address for peers that will never come.
                 "--listen-peer-urls=http://127.0.0.1:0", "--unsafe-no-fsync", "--log-level=warn", owns_folder=True)
        self.start_api_server(etcd, self.access.start(self))
        kubeconfig = ["--kubeconfig=admin.kubeconfig"]
        self.run("kube-controller-manager", *kubeconfig, "--leader-elect=false", "--secure-port=0", "--root-ca-file=ca.crt",
                 "--service-account-private-key-file=accounts.key", "--kube-api-qps=200", "--kube-api-burst=400",
                 # What is scaled by use is scaled at once.
                 "--horizontal-pod-autoscaler-sync-period=1s", "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
                 "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
                 # No node is lost because a busy machine kept kwok from its heartbeats.
                 "--node-monitor-grace-period=1h")
        self.run("kube-scheduler", *kubeconfig, "--leader-elect=false", "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400")
        stages = sorted((tool("kwok").parent / "files").glob("*.yaml"))
        self.run("kwok", *kubeconfig, "--manage-all-nodes=true", *(f"--config={stage}" for stage in stages))
        self.access.make_roles(self.api)
        # Pods need it; the controllers are at work when it is there.
        self.wait("the service account default", lambda: self.api.get("/api/v1/namespaces/default/serviceaccounts/default"))
        self.new = set(contents(self.api))

    def start_api_server(self, etcd, authentication):
        # The port was free a moment ago: whoever takes it in between costs another attempt.
        for _ in range(3):
            self.port = free_port()
            self.url = f"https://127.0.0.1:{self.port}"
            self.api = Api(self.url, self.folder / "ca.crt", self.token)
            self.gateway.api = Api(self.url, self.folder / "ca.crt", self.token)
            (self.folder / "admin.kubeconfig").write_text(kubeconfig(self.url, self.folder / "ca.crt", self.token))
            server = self.run(
                "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                "--advertise-address=127.0.0.1",
                # It would refuse to publish a loopback address as the endpoint of `kubernetes.default`.
                "--endpoint-reconciler-type=none", "--service-cluster-ip-range=172.20.0.0/16", "--tls-cert-file=server.crt",
                "--tls-private-key-file=server.key", "--service-account-issuer=https://kubernetes.default.svc",
                "--service-account-signing-key-file=accounts.key", "--service-account-key-file=accounts.pub",
                "--token-auth-file=tokens.csv", "--authorization-mode=Node,RBAC", "--allow-privileged=true",
                "--egress-selector-config-file=egress.yaml", "--requestheader-client-ca-file=front-ca.crt",
                "--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--proxy-client-cert-file=front.crt", "--proxy-client-key-file=front.key", *authentication)
            try:
                self.wait("kube-apiserver", lambda: self.api.session.get(f"{self.url}/readyz", timeout=2).raise_for_status(), server)
                return
            except RuntimeError:
                if "address already in use" not in server.said():
                    raise
        raise RuntimeError("no free port for kube-apiserver")

    def wait(self, what, attempt, program=None):
        until = time.monotonic() + START_LIMIT
        while True:
            try:
                return attempt()
            except (requests.RequestException, ApiError) as error:
                if self.ended or time.monotonic() > until or (program and program.has_ended()):
                    said = "\n".join(program.said()[-3000:] for program in self.programs.values())
                    raise RuntimeError(f"{what} is not there: {error}\n{said}") from None
            time.sleep(0.05)

    def break_down(self):
        """Its API answers no more."""
        self.broken = True
        self.controllers.end()
        self.programs["kube-apiserver"].end()

    # --- for another cluster, once its own is gone --------------------------------------------------------------------

    def clear(self):
        """Whether it is as new again."""
        self.ready.clear()
        self.controllers.end()
        self.programs.pop("aws-iam-authenticator").end()
        return empty(self.api, self.new)

    def take(self, access):
        self.access, self.calm, self.groups, self.karpenter_nodes = access, {}, set(), {}
        threading.Thread(target=self.attempt, args=(lambda: access.start(self),), daemon=True).start()

    def end(self):
        with self.lock:
            self.ended = True
            programs = list(self.programs.items())
        self.controllers.end()
        self.gateway.end()
        for _, program in sorted(programs, key=lambda named: named[0] == "etcd"):
            program.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def kubeconfig(url, ca, token):
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "rig",
        "clusters": [{"name": "rig", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "admin"}}],
    })
