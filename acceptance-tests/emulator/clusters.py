"""What is behind the endpoints of emulated EKS clusters, where the emulator was started with `--clusters`: a control plane each.

It starts when the cluster is made, and the cluster stays CREATING until it answers; it ends with the cluster, and with the emulator.
Nothing of it is in moto's objects or in the account's memory, which snapshots copy: what runs is known by the cluster's ARN and time of
creation. After a restore, what is missing is started anew, and what is too much is ended.
"""

import base64
import sys
import threading
import time
import traceback

import boto3
import requests
from botocore.signers import RequestSigner
from moto.ec2.models import ec2_backends

from . import controllers, karpenter_nodes, lifecycle, sts
from .cluster_access import Access, hold_health_port, remember_principal
from .cluster_nodes import Nodes, given_by, instances_of, remove_strangers, terminate
from .control_plane import PROGRAMS, ControlPlane, tool
from .extend import after
from .kubernetes_api import ApiError
from .lifecycle import WAIT, entered, instead
from .rows import GONE
from .sts_front import Front

# Real seconds between two looks at all clusters: what happens in a cluster does not wait for calls of AWS's API.
PACE, CALM = 0.25, 3
# AWS seconds before a node group is ACTIVE in which its nodes appear.
NODES_BEFORE = 75

# Control planes of clusters that are gone, emptied, for the next ones: a start takes seconds. Several for a moment, for the next cases of
# a sweep; no more than so many.
PLANES, SPARE, SPARES = {}, [], 2


def start(emulator):
    """Once per process; builds the programs first where they are missing."""
    global front, port
    port = emulator.port
    for name in PROGRAMS:
        tool(name)
    hold_health_port()
    front = Front(emulator)
    emulator.clusters = sys.modules[__name__]
    threading.Thread(target=keep_looking, args=(emulator,), daemon=True).start()


# --- control planes -------------------------------------------------------------------------------------------------


def key(cluster):
    return cluster.arn, cluster.created_at


def plane_of(cluster):
    """The one behind a cluster; started where there is none."""
    plane = PLANES.get(key(cluster))
    if plane is None:
        access = Access(front, cluster)
        plane = SPARE.pop() if SPARE else None
        if plane:
            plane.controllers = controllers.Controllers(plane)
            plane.take(access)
        else:
            plane = ControlPlane(access)
            plane.controllers = controllers.Controllers(plane)
        PLANES[key(cluster)] = plane
    return plane


def retire(plane):
    """Its cluster is gone."""
    threading.Thread(target=spare_or_end, args=(plane,), daemon=True).start()


def spare_or_end(plane):
    try:
        if plane.ready.is_set() and not plane.broken and plane.clear() and len(SPARE) < SPARES:
            SPARE.append(plane)
            return
    except (ApiError, requests.RequestException) as error:
        print(f"emulator: a control plane cannot be used again: {error}", file=sys.stderr)
    plane.end()


@after("eks", "CreateCluster")
def cluster_created(context, result):
    cluster = result["cluster"]
    if cluster.accessConfig.get("bootstrapClusterCreatorAdminPermissions", True):
        cluster.creator = sts.identity(context.account.id, context.call.access_key)
    if not context.failure:
        plane_of(cluster)


@instead("eks", "cluster", "ACTIVE")
def cluster_answers(_account, _backend, cluster):
    return None if plane_of(cluster).is_ready() else WAIT


@entered("eks", "cluster", "ACTIVE")
def cluster_is_known(_backend, cluster):
    plane = plane_of(cluster)
    cluster.endpoint = plane.url
    cluster.certificate_authority = {"data": plane.certificate_authority}


@entered("eks", "cluster", GONE)
def cluster_is_gone(_backend, cluster):
    if plane := PLANES.pop(key(cluster), None):
        retire(plane)


@after("eks", "CreateAccessEntry")
def access_entry_created(_context, result):
    remember_principal(result["accessEntry"])


def connection(account, region, name):
    """How the rig itself gets in, with all rights."""
    cluster = account.backends()["eks"][1][region].clusters[name]
    plane = plane_of(cluster)
    return {"url": plane.url, "ca": plane.ca, "token": plane.token, "folder": str(plane.folder),
            "pids": {name: program.process.pid for name, program in plane.programs.items()}}


def break_down(account, region, name):
    """The cluster's API is gone, for good."""
    plane_of(account.backends()["eks"][1][region].clusters[name]).break_down()


def identity(account, region, name, namespace, service_account):
    """Credentials of the role that a service account has."""
    cluster = account.backends()["eks"][1][region].clusters[name]
    return controllers.credentials(account, plane_of(cluster), cluster, namespace, service_account)


def what_runs(account, region, name):
    """The controllers' programs, those that have ended too."""
    return plane_of(account.backends()["eks"][1][region].clusters[name]).controllers.said()


def token(cluster, region, access_key, secret_key, session_token=None):
    """As `aws eks get-token` makes it."""
    session = boto3.session.Session(access_key, secret_key, session_token, region)
    client = session.client("sts")
    signer = RequestSigner(client.meta.service_model.service_id, region, "sts", "v4", session.get_credentials(), session.events)
    url = signer.generate_presigned_url({
        "method": "GET", "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", "body": {},
        "headers": {"x-k8s-aws-id": cluster}, "context": {}}, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


# --- node groups ----------------------------------------------------------------------------------------------------


def nodes_of(account, backend, group):
    cluster = backend.clusters[group.cluster_name]
    return Nodes(account, plane_of(cluster), ec2_backends[account.id][group.region], cluster, group)


def updates_of(backend, group):
    updates = backend.__dict__.get("ekb_stored", {}).get("update", {}).values()
    return [update for update in updates if update["thing"] is group and update["status"] == "InProgress"]


@after("eks", "UpdateNodegroupVersion")
def update_may_be_forced(context, result):
    result["update"]["force"] = context.params.get("force")


@instead("eks", "nodegroup", "ACTIVE")
def nodes_are_ready(account, backend, group):
    if group.status == "CREATING":
        nodes = nodes_of(account, backend, group)
        nodes.bring(None)
        return None if nodes.all_ready() else WAIT
    return WAIT if updates_of(backend, group) else None


@instead("eks", "update", "Successful")
def nodes_are_replaced(account, backend, update):
    if not update.get("nodegroupName") or update["type"] != "VersionUpdate":
        return None
    nodes_of(account, backend, update["thing"]).bring(update)
    if failure := update.get("failure"):
        update["errors"] = [failure]
        return "Failed"
    return None if update.get("replaced") else WAIT


@entered("eks", "nodegroup", GONE)
def nodes_are_gone(backend, group):
    cluster = backend.clusters.get(group.cluster_name)
    if cluster and key(cluster) in PLANES:
        plane, ec2 = plane_of(cluster), ec2_backends[cluster.arn.split(":")[4]][group.region]
        if plane.broken:
            for instance in instances_of(ec2, cluster, group):
                terminate(ec2, instance)
        else:
            Nodes(None, plane, ec2, cluster, group).remove_all()


def look_at_nodes(account, backend, group):
    if group.status == "CREATING":
        pending = next((entry for entry in account.table("to come").values() if entry["thing"] is group), None)
        if pending is None or pending["failure"] or pending["at"] - account.now() > NODES_BEFORE:
            return
    update = next((update for update in updates_of(backend, group) if update["type"] == "VersionUpdate"), None)
    # Where all is well and nothing was changed, less often.
    calm, should_be = plane_of(backend.clusters[group.cluster_name]).calm, repr((group.status, group.scaling_config, given_by(group)))
    before, at = calm.get(group.arn, (None, 0))
    if update is None and before == should_be and time.monotonic() - at < CALM:
        return
    nodes = nodes_of(account, backend, group)
    nodes.bring(update)
    calm[group.arn] = (should_be if nodes.all_ready() else None, time.monotonic())


# --- all of it, again and again -------------------------------------------------------------------------------------


def keep_looking(emulator):
    while True:
        time.sleep(PACE)
        for id in {arn.split(":")[4] for arn, _ in list(PLANES)}:
            account = emulator.accounts.known(id)
            try:
                with account.lock if account else threading.Lock():
                    look(account, id)
            except Exception:
                traceback.print_exc(file=sys.stderr)


def look(account, id):
    backends = account.backends().get("eks", (None, {}))[1].values() if account else []
    there = {key(cluster): (backend, cluster) for backend in backends for cluster in backend.clusters.values()}
    for gone in [one for one in PLANES if one[0].split(":")[4] == id and one not in there]:
        retire(PLANES.pop(gone))
    if account:
        lifecycle.settle(account)
    for backend, cluster in there.values():
        if cluster.status in ("ACTIVE", "UPDATING", "DELETING") and cluster.name in backend.clusters:
            look_at(account, backend, cluster)


def look_at(account, backend, cluster):
    plane = plane_of(cluster)
    if plane.broken or plane.failure or not plane.is_ready():
        return
    if cluster.endpoint != plane.url:
        # Restored from a snapshot: another control plane took the place of the one that was there.
        cluster_is_known(backend, cluster)
    plane.access.bring(plane.api, backend)
    plane.controllers.want(account.controllers, account, cluster, port)
    karpenter_nodes.look(plane, ec2_backends[account.id][cluster.arn.split(":")[3]], cluster)
    names = set(cluster.nodegroups)
    if names != plane.groups:
        remove_strangers(plane.api, names)
        plane.groups = names
    for group in list(cluster.nodegroups.values()):
        look_at_nodes(account, backend, group)
