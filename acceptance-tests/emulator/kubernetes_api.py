"""Requests to a Kubernetes API."""

import json

import requests


class ApiError(Exception):
    def __init__(self, code, status):
        super().__init__(f"{code} {status.get('reason', '')}: {status.get('message', '')}")
        self.code, self.status = code, status


class Api:
    """Requests to a Kubernetes API with a bearer token."""

    def __init__(self, url, ca, token):
        self.url, self.session = url, requests.Session()
        self.session.trust_env, self.session.verify = False, str(ca)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, path, body=None, content="application/json", timeout=10):
        answer = self.session.request(
            method, self.url + path, data=None if body is None else json.dumps(body), headers={"Content-Type": content}, timeout=timeout)
        try:
            said = answer.json()
        except ValueError:
            said = {"message": answer.text.strip()}
        if not answer.ok:
            raise ApiError(answer.status_code, said)
        return said

    def get(self, path):
        return self.request("GET", path)

    def items(self, path):
        return self.get(path)["items"]

    def apply(self, path, object):
        return self.request("PATCH", f"{path}?fieldManager=eks&force=true", object, "application/apply-patch+yaml")

    def merge(self, path, fields):
        return self.request("PATCH", path, fields, "application/merge-patch+json")

    def delete(self, path, options=None):
        """Whether it was there."""
        try:
            self.request("DELETE", path, options)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True
