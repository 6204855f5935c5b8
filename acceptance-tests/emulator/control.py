"""The control API: what tests ask of the emulator, as JSON under /_ekb/ on the same port.

    GET    /_ekb/health
    GET    /_ekb/latency                     how long what takes, in AWS seconds
    POST   /_ekb/accounts                    a new account: {id, access_key, secret_key}; empty, or with {of, name} with the snapshots of another
                                             one, and as it was at that snapshot
    POST   /_ekb/accounts/ID/call            {service, region, operation, params}: calls the emulator from outside, through
                                             boto3 (so parameters and answer are checked against the model); meets no faults
    POST   /_ekb/accounts/ID/interface       {region, subnet, kind, description, groups}: a network interface of another AWS
                                             service, in use: {id}; DELETE with {region, id} lets the service remove it
    GET    /_ekb/accounts/ID/log?since=N     requests from number N on
    DELETE /_ekb/accounts/ID/log
    GET    /_ekb/accounts/ID/objects         everything that exists, listed natively: [{service, region, kind, id, name, tags}]
    GET    /_ekb/accounts/ID/settings        {time_scale, now}
    POST   /_ekb/accounts/ID/settings        {time_scale}
    POST   /_ekb/accounts/ID/advance         {seconds}: AWS time jumps ahead
    GET    /_ekb/accounts/ID/clusters/REGION/NAME   the control plane behind a cluster, with a token that may do all: {url, ca, token,
                                             folder, pids}; only of an emulator with `--clusters`, as the next
    DELETE /_ekb/accounts/ID/clusters/REGION/NAME   its API server is gone, and never comes back
    POST   /_ekb/accounts/ID/controllers     {run}: these controllers run in the account's clusters where their pods are, and no others
    GET    /_ekb/accounts/ID/controllers/REGION/NAME   their programs in a cluster: [{controller, program, namespace, pod, pid, running, log}]
    GET    /_ekb/accounts/ID/identity/REGION/CLUSTER/NAMESPACE/NAME   credentials of the role of a service account, for its pods
    POST   /_ekb/accounts/ID/token           {cluster, region, access_key, secret_key, session_token}: a token as EKS takes it
    GET, POST, DELETE /_ekb/accounts/ID/faults   see faults.py; POST answers {id}
    POST   /_ekb/accounts/ID/event           {region, source, detail_type, detail}: an event of AWS's own: {sent}, to how many queues; see events.py
    POST   /_ekb/accounts/ID/insights        {cluster, insights, refreshed}: see eks_catalog.py
    POST   /_ekb/accounts/ID/state           {service, region, kind, id, values, chain}: the object gets these values (by path) and goes
                                             through these states: state, AWS seconds, state, …
    POST   /_ekb/accounts/ID/snapshots/NAME  remember everything
    POST   /_ekb/accounts/ID/restore/NAME    make it so again (the log and the faults stay)
    DELETE /_ekb/accounts/ID                 forget the account
"""

import json
import traceback
from urllib.parse import parse_qs

from . import credentials, ec2_network, eks_catalog, events, lifecycle, objects, outside


def answer(emulator, environ):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = json.loads(environ["wsgi.input"].read(length) or b"null") if length else None
    path = environ["PATH_INFO"].removeprefix("/_ekb/").strip("/").split("/")
    query = {key: values[0] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    try:
        status, content = 200, dispatch(emulator, environ["REQUEST_METHOD"], path, query, body)
    except (KeyError, ValueError, LookupError) as error:
        status, content = 400, {"error": f"{type(error).__name__}: {error}"}
    except Exception:
        status, content = 500, {"error": traceback.format_exc()}
    return status, json.dumps(content, default=str).encode()


def dispatch(emulator, method, path, query, body):
    match [method, *path]:
        case ["GET", "health"]:
            return {"ok": True}
        case ["GET", "latency"]:
            return lifecycle.seconds()
        case ["POST", "accounts"]:
            id = emulator.accounts.copy(**body) if body else emulator.accounts.new()
            return {"id": id, "access_key": f"AKIA{id}EKBT", "secret_key": credentials.SECRET_KEY}
        case ["POST", "accounts", account, "call"]:
            return outside.call(emulator.port, account, body)
        case ["DELETE", "accounts", account]:
            emulator.accounts.drop(account)
            return {}
        case ["GET", "accounts", account, "clusters", region, name]:
            return clusters(emulator).connection(emulator.accounts.get(account), region, name)
        case ["DELETE", "accounts", account, "clusters", region, name]:
            clusters(emulator).break_down(emulator.accounts.get(account), region, name)
            return {}
        case ["POST", "accounts", account, "controllers"]:
            if unknown := set(body["run"]) - clusters(emulator).controllers.NAMES:
                raise LookupError(f"no such controllers: {unknown}")
            emulator.accounts.get(account).controllers = frozenset(body["run"])
            return {}
        case ["GET", "accounts", account, "controllers", region, name]:
            return clusters(emulator).what_runs(emulator.accounts.get(account), region, name)
        case ["GET", "accounts", account, "identity", *who]:
            return clusters(emulator).identity(emulator.accounts.get(account), *who)
        case ["POST", "accounts", _, "token"]:
            return {"token": clusters(emulator).token(**body)}
        case [_, "accounts", account, *rest]:
            account = emulator.accounts.get(account)
            done = account_call(account, method, rest, query, body)
            if method != "GET":
                account.answers.clear()
            return done
    raise LookupError(f"no such control call: {method} /_ekb/{'/'.join(path)}")


def clusters(emulator):
    if emulator.clusters is None:
        raise LookupError("this emulator has nothing behind its clusters: it was started without --clusters")
    return emulator.clusters


def account_call(account, method, rest, query, body):
    match [method, *rest]:
        case ["GET", "log"]:
            since = max(int(query.get("since", 0)) - account.first, 0)
            return account.log[since:]
        case ["DELETE", "log"]:
            account.clear_log()
        case ["GET", "objects"]:
            with account.lock:
                return objects.of(account)
        case ["GET", "settings"]:
            return {"time_scale": account.scale, "now": account.now()}
        case ["POST", "settings"]:
            account.set_scale(body["time_scale"])
        case ["POST", "advance"]:
            account.advance(body["seconds"])
        case ["GET", "faults"]:
            return account.faults.rules
        case ["POST", "faults"]:
            return {"id": account.faults.add(body)}
        case ["DELETE", "faults"]:
            account.faults.clear()
        case ["POST", "interface"]:
            with account.lock:
                return {"id": ec2_network.foreign_interface(account, **body)}
        case ["DELETE", "interface"]:
            with account.lock:
                ec2_network.remove_foreign_interface(account, **body)
        case ["POST", "state"]:
            with account.lock:
                lifecycle.put(account, **body)
        case ["POST", "event"]:
            with account.lock:
                return {"sent": events.emit(account, **body)}
        case ["POST", "insights"]:
            with account.lock:
                eks_catalog.set_insights(account, **body)
        case ["POST", "snapshots", name]:
            account.snapshot(name)
        case ["POST", "restore", name]:
            account.restore(name)
        case _:
            raise LookupError(f"no such control call: {method} {rest}")
    return {}
