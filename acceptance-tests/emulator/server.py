"""The server: credentials, faults, log and control API around moto."""

import functools
import json
import re
import sys
import time
import traceback

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from . import control, credentials, ec2_catalogue, extend, faults, lifecycle, plain, processes, services, sqs
from .accounts import Accounts
from .call import Call

REQUEST_ID = re.compile(r"(<(?:RequestId|requestId|RequestID)>)[^<]*(<)")
ERROR_CODE = re.compile(r"<Code>([^<]+)</Code>")


class Cut(Exception):
    """The connection is to be closed without an answer."""


class Emulator:
    def __init__(self, scale):
        self.accounts = Accounts(scale)
        self.moto = DomainDispatcherApplication(create_app)
        # moto looks through its folders and patterns at every call.
        self.moto.get_backend_for_host = functools.lru_cache(self.moto.get_backend_for_host)
        self.port = 0
        # The module, where there are real control planes behind clusters.
        self.clusters = None

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO", "").startswith("/_ekb/"):
            status, body = control.answer(self, environ)
            start_response(f"{status} .", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        try:
            status, headers, body = self.handle(environ)
        except Cut:
            processes.cut(environ["werkzeug.socket"])
            raise ConnectionResetError from None
        headers = {k: v for k, v in headers.items() if k.lower() not in ("content-length", "connection", "date", "server")}
        start_response(f"{status} .", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def handle(self, environ):
        began = time.monotonic()
        call = Call(environ)
        call.account = account = self.accounts.get(call.account_id)
        # What a cluster's controllers do is no doing of the program under test.
        call.outside = call.outside or call.access_key in account.sessions
        if call.operation == "ReceiveMessage":
            sqs.wait(call)
        entry = {
            "service": call.service,
            "operation": call.operation,
            "region": call.region,
            "mutating": call.mutating,
            "params": call.params,
            "request_id": call.request_id,
            "access_key": call.access_key,
            "outside": call.outside,
            "user_agent": environ.get("HTTP_USER_AGENT", ""),
            "time": account.now(),
            "status": None,
            "error": None,
            "message": None,
            "applied": False,
            "faults": [],
        }
        try:
            status, headers, body = self.apply(call, entry)
        finally:
            entry["seconds"] = round(time.monotonic() - began, 4)
        return status, headers, body

    def apply(self, call, entry):
        account = call.account
        # Under one lock from counting to carrying out: the n-th call is the n-th that is applied.
        with account.lock:
            account.record(entry)
            self.drop_if_killed(call, entry)
            met = [] if call.outside else account.faults.meet(call)
            entry["faults"] = [rule["action"] for rule in met]
            slow = sum(rule.get("seconds", 1) for rule in met if rule["action"] == "slow")
            if not slow:
                return self.carry_out(call, entry, met)
        time.sleep(slow)
        with account.lock:
            self.drop_if_killed(call, entry)
            return self.carry_out(call, entry, met)

    @staticmethod
    def drop_if_killed(call, entry):
        """Sent by a process that was killed since: what was not applied before the kill never is."""
        port = int(call.environ["REMOTE_PORT"])
        if port in call.account.killed_ports:
            call.account.killed_ports.discard(port)
            entry["faults"].append("dropped")
            raise Cut

    def carry_out(self, call, entry, met):
        ending = None
        for rule in met:
            if rule["action"] == "invisible":
                call.invisible = rule
            elif rule["action"] == "fail_later":
                call.fail_later = rule
            elif rule["action"] in faults.ENDING:
                ending = rule
        action = ending["action"] if ending else None
        refused = credentials.refusal(call)
        if refused:
            return self.finish(entry, call.error(*refused))
        service = services.of(call.service)
        if call.invalid and service.moto:
            return self.finish(entry, call.error(service.invalid, 400, call.invalid))
        if action in ("throttle", "error", "deny"):
            return self.finish(entry, call.error(*faults.error_of(ending, call)))
        if action == "reset":
            raise Cut
        if action == "kill_before":
            self.kill(call, entry)
            raise Cut
        answer = self.finish(entry, self.run(call, entry))
        if action == "kill_after":
            self.kill(call, entry)
        if action in ("kill_after", "lose"):
            raise Cut
        return answer

    def kill(self, call, entry):
        process, ports = processes.peer(int(call.environ["REMOTE_PORT"]), self.port)
        entry["killed"] = process
        if process is None:
            entry["faults"].append("process not found")
            return
        call.account.killed_ports |= ports - {int(call.environ["REMOTE_PORT"])}
        processes.kill(process)

    def run(self, call, entry):
        """(status, headers, body): what was answered before, where nothing has changed since."""
        account = call.account
        if said := ec2_catalogue.answer(call):
            return said
        if call.mutating:
            account.answers.clear()
        if self.clusters or not stands(call):
            return self.carry(call, entry)
        lifecycle.settle(account)
        said = (call.service, call.region, call.operation, call.protocol, json.dumps(call.params, sort_keys=True, default=str))
        # What is hidden counts the looks.
        if account.table("hidden") or said not in account.answers:
            account.answers[said] = self.carry(call, entry)
        return account.answers[said]

    def carry(self, call, entry):
        """The call through moto: (status, headers, body)."""
        environ = call.environ
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account_id
        result = {}

        def start_response(status, headers, _info=None):
            result["status"], result["headers"] = int(status.split()[0]), dict(headers)

        try:
            with extend.current(call):
                if call.service in plain.RESPONSES:
                    status, headers, body = plain.answer(call)
                else:
                    body = b"".join(self.moto(environ, start_response))
                    status, headers = result["status"], result["headers"]
        except Exception as error:  # what moto cannot do, and our own mistakes: never retried, always seen
            entry["emulator_error"] = f"{type(error).__name__}: {error}"
            traceback.print_exc(file=sys.stderr)
            return call.error("EmulatorError", 400, f"The emulator cannot do {call.service}:{call.operation}: {error}")
        if status == 404 and not call.operation:
            entry["emulator_error"] = "no such operation"
        return status, headers, body

    def finish(self, entry, answer):
        status, headers, body = answer
        entry["status"] = status
        entry["applied"] = status < 400
        headers = {k: v for k, v in headers.items() if k.lower() not in ("x-amzn-requestid", "x-amz-request-id", "status")}
        headers["x-amzn-RequestId"] = entry["request_id"]
        if body[:1] == b"<":
            text = REQUEST_ID.sub(rf"\g<1>{entry['request_id']}\g<2>", body.decode())
            body = text.encode()
        if status >= 400:
            entry["error"], entry["message"] = error_in(headers, body)
        return status, headers, body


def stands(call):
    """Whether the answer stands until something changes in the account: a read that does not hang on who asks, or on the time."""
    return (
        call.service in ("ec2", "eks", "events", "iam", "kms", "logs")
        and call.operation.startswith(("Describe", "Get", "List"))
        and "Insight" not in call.operation
    )


def error_in(headers, body):
    text = body.decode(errors="replace")
    found = ERROR_CODE.search(text)
    if found:
        message = re.search(r"<Message>(.*?)</Message>", text, re.S)
        return found.group(1), message.group(1) if message else None
    try:
        content = json.loads(text)
    except ValueError:
        return headers.get("x-amzn-ErrorType") or headers.get("x-amzn-errortype"), text[:500]
    kind = headers.get("x-amzn-ErrorType") or headers.get("x-amzn-errortype") or content.get("__type") or content.get("code") or ""
    return kind.rsplit("#", 1)[-1], content.get("message") or content.get("Message")


def create_app(service):
    app = create_backend_app(service)
    # Exceptions come to us, not as a page of HTML that SDKs would retry.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


class Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, kind, message, *arguments):
        if kind == "error":
            sys.stderr.write(message % arguments + "\n")


def serve(scale, port=0):
    """A server on a free loopback port, not yet running: (server, emulator)."""
    extend.install()
    emulator = Emulator(scale)
    server = make_server("127.0.0.1", port, emulator, threaded=True, request_handler=Handler)
    emulator.port = server.server_port
    return server, emulator
