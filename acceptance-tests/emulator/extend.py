"""How the extension hangs into moto.

Every operation of an extended service runs through `pipeline`. A service's file registers functions around moto's own:

    @before("ec2", "DeleteSubnet")        may raise moto's exceptions, or return a result (a dict) in place of moto's
    @after("ec2", "CreateNatGateway")     sees and may change the result: a dict in the shape of the service's model, whose
                                          values may be moto's objects; what it returns (if anything) takes its place
    @settle("ec2")                        brings what has a time stamp up to the account's present time; before every call

and for all of an extended service's operations alike: client tokens, objects invisible for a while, pagination.
"""

import contextlib
import functools
import importlib
import json
import threading

from moto.core import responses
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class

BEFORE, AFTER, SETTLE = {}, {}, {}
_context = threading.local()

# One line per extended service: model name -> (moto's response class, our modules).
SERVICES = {
    "ec2": ("moto.ec2.responses:EC2Response", ["ec2", "ec2_network"]),
    "iam": ("moto.iam.responses:IamResponse", ["iam"]),
    "logs": ("moto.logs.responses:LogsResponse", ["logs"]),
    "sts": ("moto.sts.responses:TokenResponse", []),
}


def before(service, *operations):
    return lambda function: [BEFORE.setdefault((service, o), []).append(function) for o in operations] and function


def after(service, *operations):
    return lambda function: [AFTER.setdefault((service, o), []).append(function) for o in operations] and function


def settle(service):
    return lambda function: SETTLE.setdefault(service, []).append(function) or function


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

    def __init__(self, call, response):
        self.call, self.response, self.account, self.params = call, response, call.account, call.params

    @property
    def backend(self):
        return getattr(self.response, "ec2_backend", None) or self.response.backend

    def now(self):
        return self.account.now()


def install():
    """Wraps every operation of every extended service. Once per process."""
    # moto looks up the methods of its (large) classes at every call.
    responses.method_names_from_class = functools.lru_cache(method_names_from_class)
    for service, (where, modules) in SERVICES.items():
        for module in modules:
            importlib.import_module(f".{module}", __package__)
        module, name = where.split(":")
        response_class = getattr(importlib.import_module(module), name)
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
        return pipeline(service, operation, original, Context(call, self))

    return method


def pipeline(service, operation, original, context):
    from . import pagination, tokens, visibility

    for function in SETTLE.get(service, []):
        function(context.backend, context.account)
    visibility.refuse(context)
    token = tokens.Token(context, service, operation)
    result = token.remembered()
    if result is not None:
        return ActionResult(result)
    for function in BEFORE.get((service, operation), []):
        result = function(context)
        if result is not None:
            break
    wrap = ActionResult
    if result is None:
        if original is None:
            raise NotImplementedError(f"{service}:{operation}")
        result = original(context.response)
        if isinstance(result, ActionResult) and not isinstance(result, EmptyResult):
            result = result.result
        elif isinstance(result, str) and result.startswith("{"):
            # Some of moto's services write their JSON themselves.
            result, wrap = json.loads(result), json.dumps
        else:
            wrap = lambda _changed, answer=result: answer  # noqa: E731  (nothing in it to change)
            result = {}
    for function in AFTER.get((service, operation), []):
        changed = function(context, result)
        result = result if changed is None else changed
    token.remember(result)
    if isinstance(result, dict):
        if context.call.mutating:
            visibility.hide_new(context, result)
        else:
            result = visibility.without_hidden(context, result)
            result = pagination.page(context, service, operation, result)
    return wrap(result)
