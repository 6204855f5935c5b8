"""`python -m emulator.check_answers URL ACCESS_KEY`: every operation of the extension once through boto3 (`checks/`, a file a
service), requests and answers checked against botocore's models. Ends with 1 and says what does not fit.

botocore checks requests by itself (ParamValidator). Answers it takes as they come, so the raw XML or JSON is walked beside the model here:
every element must be a member, of the right type, and an enum's value must be one of the enum's (without regard to case and
underscores, which AWS itself does not keep to).
"""

import importlib
import json
import pathlib
import re
import sys
import traceback
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

wrong, seen = [], set()


# Where AWS's answers are not what its model says.
AWS_SAYS_SO = {("DescribeInternetGateways.internetGatewaySet[].attachmentSet[].state", "available")}


def plain(text):
    return text.lower().replace("_", "")


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def check(path, element, shape):
    text = (element.text or "").strip()
    match shape.type_name:
        case "structure":
            names = {}
            for name, member in shape.members.items():
                serialised = member.serialization
                names[serialised.get("name", name)] = member
                if serialised.get("flattened") and member.type_name == "list":
                    names[member.member.serialization.get("name", name)] = member.member
            for child in element:
                member = names.get(local(child))
                if member is None:
                    wrong.append(f"{path}: no member {local(child)}")
                else:
                    check(f"{path}.{local(child)}", child, member)
        case "list":
            for child in element:
                check(f"{path}[]", child, shape.member)
        case "boolean" if text not in ("true", "false"):
            wrong.append(f"{path}: not a boolean: {text!r}")
        case "integer" | "long" if not re.fullmatch(r"-?\d+", text):
            wrong.append(f"{path}: not a number: {text!r}")
        case "timestamp" if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
            wrong.append(f"{path}: not a time: {text!r}")
        case "string":
            values = [plain(value) for value in getattr(shape, "enum", None) or []]
            if values and plain(text) not in values and (path, text) not in AWS_SAYS_SO:
                wrong.append(f"{path}: {text!r} is none of {values}")


def check_json(path, value, shape):
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
             "timestamp": (int, float), "double": (int, float), "float": (int, float)}
    if value is None:
        return
    if shape.serialization.get("timestampFormat") == "iso8601":
        kinds["timestamp"] = str
    if not isinstance(value, kinds.get(shape.type_name, object)):
        wrong.append(f"{path}: not a {shape.type_name}: {value!r}")
    elif shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, inner in value.items():
            if name not in members:
                wrong.append(f"{path}: no member {name}")
            else:
                check_json(f"{path}.{name}", inner, members[name])
    elif shape.type_name == "map":
        for name, inner in value.items():
            check_json(f"{path}.{name}", inner, shape.value)
    elif shape.type_name == "list":
        for inner in value:
            check_json(f"{path}[]", inner, shape.member)
    elif shape.type_name == "string":
        values = [plain(one) for one in getattr(shape, "enum", None) or []]
        if values and plain(value) not in values:
            wrong.append(f"{path}: {value!r} is none of {values}")


def on_answer(http_response, model, **_):
    seen.add((model.service_model.service_name, model.name))
    if http_response.status_code >= 400 or model.output_shape is None:
        return
    protocol = model.service_model.metadata["protocol"]
    if protocol in ("json", "rest-json"):
        check_json(model.name, json.loads(http_response.content or b"{}"), model.output_shape)
        return
    root = ElementTree.fromstring(http_response.content)
    if protocol == "query":
        wrapper = model.output_shape.serialization.get("resultWrapper")
        root = next((child for child in root if local(child) == wrapper), ElementTree.Element("none"))
    for child in list(root):
        if local(child) in ("requestId", "RequestId", "return"):
            root.remove(child)
    check(model.name, root, model.output_shape)


class Checker:
    """What the checks of a service get."""

    def __init__(self, url, key):
        self.url, self.key, self.elsewhere = url, key, set()

    def client(self, service):
        made = boto3.client(service, region_name="eu-central-1", endpoint_url=self.url, aws_access_key_id=self.key,
                            aws_secret_access_key="unused", config=Config(retries={"total_max_attempts": 1}))
        made.meta.events.register("after-call", lambda http_response, model, **_: on_answer(http_response, model))
        return made

    def same(self, what, is_, should):
        if is_ != should:
            wrong.append(f"{what}: {is_!r}, not {should!r}")

    def refused(self, function, code, **parameters):
        try:
            function(**parameters)
            wrong.append(f"{function.__name__} should have been refused with {code}")
        except ClientError as error:
            if error.response["Error"]["Code"] != code or not error.response["Error"]["Message"]:
                wrong.append(f"{function.__name__}: {error}, not {code}")

    def advance(self, seconds):
        """AWS time jumps ahead."""
        body = json.dumps({"seconds": seconds}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/_ekb/accounts/{self.key[4:16]}/advance", data=body, method="POST"))

    def exists(self, service):
        """What the leak check has of a service: [(kind, name, tags)]."""
        with urllib.request.urlopen(f"{self.url}/_ekb/accounts/{self.key[4:16]}/objects") as answer:
            return [(one["kind"], one["name"], one["tags"]) for one in json.load(answer) if one["service"] == service]

    def called_elsewhere(self, service, *operations):
        """By the tests in Rust."""
        self.elsewhere |= {(service, operation) for operation in operations}


def ours():
    """Every operation that the extension has a hook or a row for."""
    from . import extend, rows

    extend.install()
    refused = [(service, name) for service, refusals in rows.REFUSALS.items() for row in refusals for name in rows.as_list(row.operation)]
    named = {*extend.BEFORE, *extend.AFTER, *rows.STATES, *rows.KEPT, *refused}
    return {(service, operation) for service, operation in named if "*" not in operation}


def main(url, key):
    checker = Checker(url, key)
    for file in sorted((pathlib.Path(__file__).parent / "checks").glob("[a-z]*.py")):
        try:
            importlib.import_module(f"{__package__}.checks.{file.stem}").check(checker)
        except Exception:  # what was wrong before it is the reason, mostly
            wrong.append(traceback.format_exc())
    for service, operation in sorted(ours() - seen - checker.elsewhere):
        wrong.append(f"{service}:{operation} is not checked")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


main(*sys.argv[1:])
