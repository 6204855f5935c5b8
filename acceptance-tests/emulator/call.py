"""What a request says: account, service, region, operation, parameters."""

import io
import re
import uuid

from botocore.validate import ParamValidator
from botocore.model import OperationNotFoundError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import NotFound, get_service_router
from moto.core.utils import get_service_model

from . import outside
from .accounts import account_of

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")

# Signing name -> name of the service's model, where they differ.
MODELS = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions",
}

READS = ("Describe", "List", "Get", "Lookup", "Search", "BatchGet", "Simulate", "Decode", "Validate", "Test", "Head",
         "AssumeRole", "Filter", "Preview")


class Call:
    """One request as the rig sees it. `params` has the shape of the service's model."""

    def __init__(self, environ):
        self.request_id = str(uuid.uuid4())
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(self.body)
        self.environ = environ
        signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        self.access_key, self.region, signing = signed.groups() if signed else (None, "us-east-1", "")
        self.service = MODELS.get(signing, signing)
        from_outside = environ.get("HTTP_" + outside.HEADER.upper().replace("-", "_"))
        self.outside = bool(from_outside)
        self.account_id = from_outside or account_of(self.access_key)
        self.identity = f"arn:aws:iam::{self.account_id}:user/rig"
        self.operation, self.params, self.protocol = "", {}, "rest-json"
        self.invalid = None  # what the service's model does not allow
        self.takes_tags = False  # whether it makes something and may give it tags
        if self.service:
            self._parse(Request(environ))
            environ["wsgi.input"] = io.BytesIO(self.body)
        dry = isinstance(self.params, dict) and self.params.get("DryRun")
        self.mutating = bool(self.operation) and not self.operation.startswith(READS) and not dry
        # Set while the call is handled.
        self.account = None
        self.invisible = None  # a fault rule
        self.fail_later = None  # a fault rule

    def _parse(self, request):
        try:
            model = get_service_model(self.service)
        except Exception:  # a service that botocore does not know
            return
        self.protocol = determine_request_protocol(model, request.content_type)
        uri = {}
        target = request.headers.get("x-amz-target")
        action = request.values.get("Action")
        if action:
            self.operation = action
        elif target:
            self.operation = target.rsplit(".", 1)[-1]
        else:
            try:
                operation, uri = get_service_router(self.service).match(request)
                self.operation = operation.name
            except (NotFound, NotImplementedError):
                return
        try:
            operation = model.operation_model(self.operation)
            parser = PROTOCOL_PARSERS[self.protocol](operation)
            self.params = dict(
                parser.parse(
                    {
                        "method": request.method,
                        "values": request.values,
                        "headers": request.headers,
                        "body": request.data,
                        "url_path": request.path,
                        "url_params": uri,
                    }
                )
            )
        except OperationNotFoundError:
            return
        if operation.input_shape is not None:
            self.takes_tags = self.operation != "CreateTags" and self.operation.startswith("Create") and not {
                "tags", "Tags", "TagSpecifications"}.isdisjoint(operation.input_shape.members)
            # moto's parser gives lists that are not in the query string as empty ones.
            located = {name: member.serialization.get("location") for name, member in operation.input_shape.members.items()}
            self.params = {k: v for k, v in self.params.items() if v != [] or located.get(k) != "querystring"}
            report = ParamValidator().validate(self.params, operation.input_shape)
            self.invalid = report.generate_report() if report.has_errors() else None

    def error(self, code, status, message):
        """(status, headers, body) of an error in the service's own protocol."""
        if self.protocol == "ec2":
            body = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}'
                f"</Message></Error></Errors><RequestID>{self.request_id}</RequestID></Response>"
            )
            headers = {"Content-Type": "text/xml;charset=UTF-8"}
        elif self.protocol in ("query", "rest-xml"):
            kind = "Sender" if status < 500 else "Receiver"
            body = (
                f'<ErrorResponse xmlns="https://{self.service}.amazonaws.com/doc/"><Error><Type>{kind}</Type><Code>{code}</Code>'
                f"<Message>{escape(message)}</Message></Error><RequestId>{self.request_id}</RequestId></ErrorResponse>"
            )
            headers = {"Content-Type": "text/xml"}
        else:
            import json

            body = json.dumps({"__type": code, "message": message})
            headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return status, headers, body.encode()


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
