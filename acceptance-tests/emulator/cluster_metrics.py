"""What metrics-server would answer, without kubelets to ask: each pod uses what its annotations `ekb.test/cpu` and `ekb.test/memory` say."""

import http.server
import json
import os
import ssl
import tempfile
import threading
import time
import urllib.parse
from types import SimpleNamespace

from .control_plane import Authority
from .kubernetes_api import ApiError

GROUP = "/apis/metrics.k8s.io/v1beta1"
RESOURCES = {
    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1", "resources": [
        {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
        {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}]}
CPU, MEMORY = "ekb.test/cpu", "ekb.test/memory"


class Metrics(http.server.ThreadingHTTPServer):
    """In the place of a program of `controllers.py`, on a loopback port."""

    daemon_threads = True

    def __init__(self, api, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.api, self.over, self.process = api, False, SimpleNamespace(pid=os.getpid())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(Authority("metrics").issue("metrics-server")))
            file.flush()
            context.load_cert_chain(file.name)
        # Who connects shakes hands in a thread of its own.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def has_ended(self):
        return self.over

    def end(self):
        self.over = True
        self.shutdown()
        self.server_close()

    def said(self):
        return ""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = urllib.parse.urlsplit(self.path)
        try:
            status, said = 200, self.answer(asked.path.rstrip("/"), urllib.parse.parse_qs(asked.query))
        except ApiError as error:
            status, said = error.code, error.status
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path, query):
        if path == GROUP:
            return RESOURCES
        if not path.startswith(f"{GROUP}/"):
            raise ApiError(404, {"message": f"nothing at {path}"})
        # The same path as that of the pods and nodes themselves.
        of, selector = path.replace(GROUP, "/api/v1"), query.get("labelSelector", [""])[0]
        found = self.server.api.get(f"{of}?labelSelector={urllib.parse.quote(selector)}" if selector else of)
        kind = "NodeMetrics" if "/nodes" in path else "PodMetrics"
        if "items" not in found:
            return used(kind, found)
        return {"kind": f"{kind}List", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {},
                "items": [used(kind, one) for one in found["items"]]}

    def log_message(self, *_):
        pass


def used(kind, thing):
    metadata, now = thing["metadata"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    said = {"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", "timestamp": now, "window": "15s",
            "metadata": {name: metadata[name] for name in ("name", "namespace", "labels", "creationTimestamp") if name in metadata}}
    annotations = metadata.get("annotations", {})
    usage = {"cpu": annotations.get(CPU, "1m"), "memory": annotations.get(MEMORY, "16Mi")}
    if kind == "NodeMetrics":
        return {**said, "usage": usage}
    first, *others = [container["name"] for container in thing["spec"]["containers"]]
    return {**said, "containers": [{"name": first, "usage": usage}, *({"name": one, "usage": {"cpu": "0", "memory": "0"}} for one in others)]}
