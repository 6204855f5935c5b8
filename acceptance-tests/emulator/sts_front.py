"""What aws-iam-authenticator takes for https://sts.REGION.amazonaws.com: a CONNECT proxy that ends TLS itself and answers signed
GetCallerIdentity requests from the emulator's accounts, as AWS does: only where the signature is right, and not for long.
"""

import datetime
import functools
import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import tempfile
import threading
import urllib.parse

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from . import sts
from .accounts import OUR_KEY, account_of
from .control_plane import Authority
from .credentials import SECRET_KEY

VALID_FOR = datetime.timedelta(minutes=15)


class Refused(Exception):
    """(code, message)."""


def secret_of(account_id, access_key, session_token):
    """Signatures of other calls are not checked; these are."""
    if OUR_KEY.match(access_key):
        return SECRET_KEY
    key = iam_backends[account_id]["aws"].access_keys.get(access_key)
    role = sts_backends[account_id]["aws"].get_assumed_role_from_access_key(access_key)
    if key is None or (role and role.session_token != session_token):
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    return key.secret_access_key


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def signature(secret, path, headers, query):
    """AWS Signature Version 4 of a presigned GET request, over what it says is signed."""
    _, date, region, service, _ = query["X-Amz-Credential"].split("/")
    said = [item for item in urllib.parse.urlsplit(path).query.split("&") if not item.startswith("X-Amz-Signature=")]
    signed = query["X-Amz-SignedHeaders"].split(";")
    lines = "".join(f"{name}:{' '.join((headers.get(name) or '').split())}\n" for name in signed)
    request = "\n".join(["GET", "/", "&".join(sorted(said)), lines, ";".join(signed), sha256("")])
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], f"{date}/{region}/{service}/aws4_request", sha256(request)])
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def answer(emulator, path, headers):
    """The caller's identity; raises Refused."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
    date = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(datetime.datetime.now(datetime.timezone.utc) - date) > VALID_FOR:
        raise Refused("ExpiredTokenException", "Request has expired")
    access_key = query["X-Amz-Credential"].split("/")[0]
    account_id = account_of(access_key)
    with emulator.accounts.get(account_id).lock:
        secret = secret_of(account_id, access_key, query.get("X-Amz-Security-Token"))
        if not hmac.compare_digest(signature(secret, path, headers, query), query["X-Amz-Signature"]):
            raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
        return sts.identity(account_id, access_key)


class Front(http.server.ThreadingHTTPServer):
    """Runs in threads of this process; `environment` is what a program needs that is to take it for STS."""

    daemon_threads = True

    def __init__(self, emulator):
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator, self.authority = emulator, Authority("sts")
        self.context_for = functools.lru_cache(self.context_for)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def context_for(self, host):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(self.authority.issue(host)))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def environment(self, folder):
        trusted = pathlib.Path(folder) / "sts.crt"
        trusted.write_text(self.authority.pem)
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self.server_port}", "SSL_CERT_FILE": str(trusted),
                "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ACCESS_KEY_ID": "unused", "AWS_SECRET_ACCESS_KEY": "unused"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        host = self.path.split(":")[0]
        if not host.startswith("sts."):
            self.send_error(403)
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context_for(host).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self):
        try:
            status, said = 200, {"GetCallerIdentityResponse": {
                "GetCallerIdentityResult": answer(self.server.emulator, self.path, self.headers), "ResponseMetadata": {}}}
        except Refused as refused:
            code, message = refused.args
            status, said = 403, {"Error": {"Code": code, "Message": message, "Type": "Sender"}}
        except (KeyError, ValueError) as error:
            status, said = 400, {"Error": {"Code": "IncompleteSignature", "Message": str(error), "Type": "Sender"}}
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        try:
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # who asked waits no longer

    def log_message(self, *_):
        pass
