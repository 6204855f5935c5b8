"""What EC2 has on offer: lists of a thousand entries that never change, which moto takes a second a page to write. Karpenter reads all of
them when it starts. They are written here, once, and kept for all accounts."""

import functools
import json
from xml.sax.saxutils import escape

from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends

from . import pagination
from .ec2_moto import is_filter_matching

OPERATIONS = ("DescribeInstanceTypes", "DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory")
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def answer(call):
    """(status, headers, body); nothing for other calls, and for types by name, of which there are few."""
    if call.service != "ec2" or call.operation not in OPERATIONS or call.params.get("InstanceTypes"):
        return None
    if call.params.get("DryRun"):
        return call.error("DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set.")
    params = {name: value for name, value in call.params.items() if name not in ("StartTime", "EndTime")}
    body = written(call.region, call.operation, json.dumps(params, sort_keys=True, default=str))
    return 200, {"Content-Type": "text/xml"}, body.replace("REQUEST", call.request_id).encode()


@functools.lru_cache(maxsize=1000)
def written(region, operation, params):
    params = json.loads(params)
    filters = json.dumps({one["Name"]: one["Values"] for one in params.get("Filters", [])}, sort_keys=True)
    member = {"DescribeSpotPriceHistory": "SpotPriceHistory"}.get(operation) or operation.removeprefix("Describe")
    result = page(params, operation, member, listed(region, operation, params.get("LocationType", "region"), filters))
    shape = get_service_model("ec2").operation_model(operation).output_shape
    return f'<{operation}Response xmlns="{NAMESPACE}"><requestId>REQUEST</requestId>{inside(result, shape)}</{operation}Response>'


def page(params, operation, member, things):
    token_in, token_out, limit_key, _ = pagination.pages_of("ec2", operation)
    start = pagination.start_of(params.get(token_in))
    end = start + int(params[limit_key]) if params.get(limit_key) else len(things)
    return {member: things[start:end], **({token_out: pagination.token_of(end)} if end < len(things) else {})}


@functools.lru_cache(maxsize=50)
def listed(region, operation, location_type, filters):
    # Nothing in it is of an account.
    backend, filters = ec2_backends["000000000000"][region], json.loads(filters)
    if operation == "DescribeInstanceTypes":
        offered = {one["InstanceType"] for one in backend.describe_instance_type_offerings("region", {})}
        return [one for one in backend.describe_instance_types() if one["InstanceType"] in offered and all(
            is_filter_matching(one, name, values) for name, values in filters.items())]
    if operation == "DescribeInstanceTypeOfferings":
        return backend.describe_instance_type_offerings(location_type, filters)
    return [{"InstanceType": one["InstanceType"], "AvailabilityZone": one["Location"], "SpotPrice": "0.010000",
             "ProductDescription": "Linux/UNIX", "Timestamp": "2026-11-27T00:00:00.000Z"}
            for one in backend.describe_spot_price_history([], filters)]


def inside(value, shape):
    """A value in EC2's XML, as the model names its parts."""
    if shape.type_name == "structure":
        named = ((shape.members[name], part) for name, part in value.items() if name in shape.members and part is not None)
        return "".join(element(member.serialization.get("name"), part, member) for member, part in named)
    if shape.type_name == "list":
        return "".join(element(shape.member.serialization.get("name", "item"), part, shape.member) for part in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def element(name, value, shape):
    return f"<{name}>{inside(value, shape)}</{name}>"
