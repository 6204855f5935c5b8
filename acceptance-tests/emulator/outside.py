"""Calls from outside: what another program, or a person at the console, does to the account."""

import functools
import json
import threading

import boto3
import botocore.config
from botocore.exceptions import ClientError

# The end of the access key tells these calls from those of the provider under test.
SUFFIX = "RIG0"
_lock = threading.Lock()


@functools.lru_cache(maxsize=256)
def client(port, account, service, region):
    with _lock:  # boto3 makes clients from one thread only
        return boto3.client(
            service, region_name=region, endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=f"AKIA{account}{SUFFIX}", aws_secret_access_key="unused",
            config=botocore.config.Config(retries={"total_max_attempts": 1}))


def call(port, account, body):
    """{"result": …} or {"error": {code, message, status}}."""
    service = client(port, account, body["service"], body.get("region", "us-east-1"))
    names = {operation: method for method, operation in service.meta.method_to_api_mapping.items()}
    try:
        result = getattr(service, names[body["operation"]])(**body.get("params", {}))
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return {"error": {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"], "status": status}}
    result.pop("ResponseMetadata", None)
    return {"result": json.loads(json.dumps(result, default=str))}
