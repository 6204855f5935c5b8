"""How the extension hangs into moto.

What a service does is rows (rows.py) and, where AWS is not regular, functions around moto's own. Every operation of an extended
service (services.py) runs through `pipeline`:

    @before("ec2", "DeleteSubnet")        may raise `error`, or return a result (a dict) in place of moto's
    @after("ec2", "CreateNatGateway")     sees and may change the result: a dict in the shape of the service's model, whose
                                          values may be moto's objects; what it returns (if anything) takes its place

and for all of an extended service's operations alike: client tokens, objects invisible for a while, pagination.
"""

import contextlib
import functools
import importlib
import json
import threading
import uuid

from moto.core import responses
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class

from .services import LACKING, SERVICES

BEFORE, AFTER = {}, {}
_context = threading.local()


def before(service, *operations):
    return lambda function: [BEFORE.setdefault((service, o), []).append(function) for o in operations] and function


def after(service, *operations):
    return lambda function: [AFTER.setdefault((service, o), []).append(function) for o in operations] and function


@contextlib.contextmanager
def current(call):
    _context.call = call
    try:
        yield
    finally:
        _context.call = None


def error(service, code, message):
    """An exception that moto answers in the protocol of `service` (it looks at the module of the exception's class)."""
    return type("OurError", (ServiceException,), {"__module__": f"moto.{service}.exceptions"})(code, message)


class Context:
    """What a hook gets: the call, its account, its parameters, and moto's backend."""

    def __init__(self, service, operation, call, response):
        self.service, self.operation, self.call, self.response = service, operation, call, response
        self.account, self.params = call.account, call.params
        self.uuid = str(uuid.uuid4())
        # (code, message): what the call makes is to be found failed later. A hook may set it.
        later = call.fail_later
        self.failure = (later.get("code", "InternalError"), later.get("message", "")) if later else None

    @property
    def backend(self):
        return getattr(self.response, f"{self.service}_backend", None) or self.response.backend

    def backend_of(self, service):
        """moto's backend of another service in the same region, if there is one by now."""
        return self.account.backends().get(service, (None, {}))[1].get(self.call.region)

    def now(self):
        return self.account.now()

    def names(self):
        """What texts of rows may name besides parameters and attributes."""
        partition = getattr(self.backend, "partition", "aws")
        return {"account": self.account.id, "region": self.call.region, "partition": partition, "uuid": self.uuid}


def install():
    """Wraps every operation of every extended service. Once per process."""
    from . import plain, stored

    # moto looks up the methods of its (large) classes at every call.
    responses.method_names_from_class = functools.lru_cache(method_names_from_class)
    for service, row in SERVICES.items():
        if not row.moto:
            continue
        for module in row.modules:
            importlib.import_module(f".{module}", __package__)
        stored.hook(service)
        if row.moto == LACKING:
            response_class = plain.response_class(service)
        else:
            module, name = row.moto.split(":")
            response_class = plain.RESPONSES[service] = getattr(importlib.import_module(module), name)
        if row.moto != LACKING and get_service_model(service).metadata["protocol"].startswith("rest"):
            # moto finds the operation from the service's model, but only in paths that it expects.
            paths = importlib.import_module(module.replace("responses", "urls")).url_paths
            paths.setdefault("{0}/.*", next(iter(paths.values())))
        for operation in get_service_model(service).operation_names:
            method = camelcase_to_underscores(operation)
            original = getattr(response_class, method, None)
            if original is not None or (service, operation) in BEFORE:
                setattr(response_class, method, wrapped(service, operation, original))


def wrapped(service, operation, original):
    def method(self):
        call = getattr(_context, "call", None)
        if call is None:
            return original(self)
        return pipeline(original, Context(service, operation, call, self))

    return method


def pipeline(original, context):
    from . import lifecycle, pagination, refusals, tokens, visibility

    lifecycle.settle(context.account)
    visibility.refuse(context)
    token = tokens.Token(context)
    result = token.remembered()
    if result is not None:
        return ActionResult(result)
    refusals.check(context)
    watch = lifecycle.Watch(context)
    for function in BEFORE.get((context.service, context.operation), []):
        result = function(context)
        if result is not None:
            break
    wrap = ActionResult
    if result is None:
        if original is None:
            raise NotImplementedError(f"{context.service}:{context.operation}")
        result = original(context.response)
        if isinstance(result, ActionResult) and not isinstance(result, EmptyResult):
            result = result.result
        elif isinstance(result, str) and result.startswith("{"):
            # Some of moto's services write their JSON themselves.
            result, wrap = json.loads(result), json.dumps
        else:
            wrap = lambda _changed, answer=result: answer  # noqa: E731  (nothing in it to change)
            result = {}
    watch.over()
    for function in AFTER.get((context.service, context.operation), []):
        changed = function(context, result)
        result = result if changed is None else changed
    token.remember(result)
    if isinstance(result, dict):
        if context.call.mutating:
            visibility.hide_new(context, watch.made, result)
        else:
            result = visibility.without_hidden(context, result)
            result = pagination.page(context, result)
    return wrap(result)
