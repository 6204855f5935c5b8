"""Calls from outside: what another program, or a person at the console, does to the account."""

import functools
import json
import threading

import boto3
import botocore.config
from botocore.exceptions import ClientError

# Says that a request is from outside, and of which account.
HEADER = "X-Ekb-Outside"
_lock = threading.Lock()
_account = threading.local()


@functools.lru_cache(maxsize=256)
def client(port, service, region):
    """One for all accounts: making one takes long."""
    made = boto3.client(
        service, region_name=region, endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="unused", aws_secret_access_key="unused",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=50))
    made.meta.events.register("before-call", lambda params, **_: params["headers"].__setitem__(HEADER, _account.id))
    return made


def call(port, account, body):
    """{"result": …} or {"error": {code, message, status}}."""
    with _lock:  # boto3 makes clients from one thread at a time only
        service = client(port, body["service"], body.get("region", "us-east-1"))
    _account.id = account
    names = {operation: method for method, operation in service.meta.method_to_api_mapping.items()}
    try:
        result = getattr(service, names[body["operation"]])(**body.get("params", {}))
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return {"error": {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"], "status": status}}
    result.pop("ResponseMetadata", None)
    return {"result": json.loads(json.dumps(result, default=str))}
