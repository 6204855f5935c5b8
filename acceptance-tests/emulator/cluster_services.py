"""How Services of a cluster are reached, whose pods are programs beside the control plane: a CONNECT proxy that knows Services by
address and by name, and leads to the loopback port of the program behind them.

The API server asks it over a socket (webhooks, aggregated APIs), programs over a port (`HTTPS_PROXY`). Nothing else of a cluster has an
address: connections to other pods are refused.
"""

import http.server
import select
import socket
import socketserver
import threading

from .kubernetes_api import ApiError

# As of https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/
CONFIGURATION = """\
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: %s}}}
"""


class Gateway:
    """`local` gives the loopback port of a pod's port, or nothing."""

    def __init__(self, folder):
        self.api, self.local = None, lambda pod, port: None
        self.socket = folder / "egress"
        self.servers = [UnixServer(str(self.socket), Handler), Server(("127.0.0.1", 0), Handler)]
        self.port = self.servers[1].server_address[1]
        for server in self.servers:
            server.gateway = self
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def configuration(self):
        return CONFIGURATION % self.socket

    def end(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def find(self, host, port):
        """The loopback port behind a Service's address or name; none where nothing answers."""
        service = self.service(host)
        if service is None:
            return None
        wanted = next((one for one in service["spec"].get("ports", []) if one["port"] == port), None)
        selector = service["spec"].get("selector")
        if not wanted or not selector:
            return None
        labels = "%2C".join(f"{key}%3D{value}" for key, value in selector.items())
        pods = self.api.items(f"/api/v1/namespaces/{service['metadata']['namespace']}/pods?labelSelector={labels}")
        found = (self.local(pod, target(pod, wanted)) for pod in pods)
        return next((one for one in found if one), None)

    def service(self, host):
        if host[0].isdigit():
            services = self.api.items("/api/v1/services")
            return next((one for one in services if one["spec"].get("clusterIP") == host), None)
        # NAME.NAMESPACE.svc, with the cluster's domain or without.
        name, namespace, *rest = host.split(".")
        return self.api.get(f"/api/v1/namespaces/{namespace}/services/{name}") if rest[:1] == ["svc"] else None


def target(pod, service_port):
    """The number of the pod's port that a Service's port means."""
    wanted = service_port.get("targetPort", service_port["port"])
    if isinstance(wanted, int):
        return wanted
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    return next((port["containerPort"] for port in ports if port.get("name") == wanted), None)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads, allow_reuse_address = True, True


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        host, _, port = self.path.rpartition(":")
        try:
            local = self.server.gateway.find(host, int(port))
            other = socket.create_connection(("127.0.0.1", local), 5) if local else None
        except (ApiError, OSError, ValueError):
            other = None
        self.close_connection = True
        try:
            self.wfile.write(b"HTTP/1.1 %d .\r\n\r\n" % (200 if other else 502))
        except OSError:
            return  # who asked waits no longer
        if other:
            with other:
                relay(self.connection, other)

    def address_string(self):
        return "a socket"

    def log_message(self, *_):
        pass


def relay(one, other):
    """Until both have said all."""
    peers = {one: other, other: one}
    while peers:
        readable, _, _ = select.select(list(peers), [], [])
        for connection in readable:
            try:
                content = connection.recv(65536)
                if content:
                    peers[connection].sendall(content)
                    continue
                peers[connection].shutdown(socket.SHUT_WR)
            except OSError:
                return
            del peers[connection]
