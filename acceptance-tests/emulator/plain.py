"""Services without moto's server (it would look for each call's way anew); those that moto lacks altogether have a backend that
holds nothing but what rows put there."""

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.request import Request
from moto.core.responses import BaseResponse

RESPONSES = {}


def response_class(service):
    backends = BackendDict(BaseBackend, service)

    class Response(BaseResponse):
        def __init__(self):
            super().__init__(service_name=service)

        @property
        def backend(self):
            return backends[self.current_account][self.region]

    RESPONSES[service] = Response
    return Response


def answer(call):
    """(status, headers, body)."""
    request = Request(call.environ)
    status, headers, body = RESPONSES[call.service].dispatch(request, request.raw_url, dict(request.headers))
    headers = {name: str(value) for name, value in headers.items()}
    return int(status), headers, body if isinstance(body, bytes) else body.encode()
