"""Pages for every operation that botocore's paginators know, where moto gives all at once."""

import base64
import functools

from moto.core.utils import get_pagination_model

from .extend import error


@functools.lru_cache
def pages_of(service, operation):
    try:
        model = get_pagination_model(service).get(operation)
    except Exception:
        return None
    if not model or not all(isinstance(model.get(k), str) for k in ("input_token", "output_token", "limit_key")):
        return None
    key = model["result_key"]
    return model["input_token"], model["output_token"], model["limit_key"], key if isinstance(key, str) else key[0]


def page(context, result):
    model = pages_of(context.service, context.operation)
    if not model:
        return result
    token_in, token_out, limit_key, key = model
    things = result.get(key)
    if not isinstance(things, list) or result.get(token_out):
        return result
    limit, token = context.params.get(limit_key), context.params.get(token_in)
    try:
        start = start_of(token)
    except ValueError:
        raise error(context.service, "InvalidNextToken", f"Invalid value '{token}' for {token_in}.") from None
    end = start + int(limit) if limit else None
    result = dict(result, **{key: things[start:end]})
    if end is not None and end < len(things):
        result[token_out] = token_of(end)
    return result


def start_of(token):
    return int(base64.b64decode(token).decode().removeprefix("ekb:")) if token else 0


def token_of(start):
    return base64.b64encode(f"ekb:{start}".encode()).decode()
