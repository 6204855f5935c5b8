"""The nodes of emulated node groups: Node objects in the real control plane, kept alive by kwok, each with an instance in EC2.

What a node group is at present is compared with the nodes that are there, again and again: nodes are made, replaced and removed until
both agree. All that has to be remembered stands in annotations of the nodes.
"""

import hashlib
import json
import time

from .kubernetes_api import ApiError

OWN = "ekb.test/"
GROUP = "eks.amazonaws.com/nodegroup"
MADE_FROM, LEAVING, GIVEN = OWN + "made-from", OWN + "leaving", OWN + "given"
# EKS gives up an update when a node has not been empty for so many AWS seconds ("Update behavior" of managed node groups); pods move in
# real time, so there is some of that too.
DRAIN_LIMIT, REAL_DRAIN_LIMIT = 900, 6
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


class Nodes:
    """Of one node group, as they are at one look."""

    def __init__(self, account, plane, ec2, cluster, group):
        self.account, self.api, self.ec2, self.cluster, self.group = account, plane.api, ec2, cluster, group
        self.there = self.api.items(f"/api/v1/nodes?labelSelector={GROUP}%3D{group.nodegroup_name}")
        self.match_instances()

    def match_instances(self):
        """A node without its instance is gone, and an instance without its node: terminated by somebody, or before a restore."""
        instances = {instance.id: instance for instance in instances_of(self.ec2, self.cluster, self.group)}
        for node in list(self.there):
            if instances.pop(instance_of(node), None) is None:
                self.remove(node)
        for instance in instances.values():
            terminate(self.ec2, instance)

    def all_ready(self):
        return len(self.there) == self.group.scaling_config["desiredSize"] and all(
            is_ready(node) and not is_leaving(node) for node in self.there)

    # --- one step towards what should be --------------------------------------------------------------------------

    def bring(self, update):
        """`update` is the version update in progress, or nothing."""
        if self.group.status in ("CREATE_FAILED", "DELETE_FAILED"):
            return
        if self.group.status == "DELETING":
            # Pods are asked to leave; what does not has gone when the group has.
            self.drain_all(self.there)
            return
        self.give()
        wanted = self.group.scaling_config["desiredSize"]
        if update is None:
            # Those that an update could not replace come back, newer ones go.
            current = made_from(self.group, {})
            order = sorted(self.there, key=lambda node: (node["metadata"]["annotations"].get(MADE_FROM) != current, is_leaving(node)))
            for node in order[:wanted]:
                if is_leaving(node):
                    self.stay(node)
            self.drain_all(order[wanted:])
            self.make(wanted - len(self.there), current)
        else:
            self.replace(wanted, update)

    def replace(self, wanted, update):
        """A rolling update: as many at a time as the group's updateConfig says, new nodes first."""
        target = made_from(self.group, update["changes"])
        old = [node for node in self.there if node["metadata"]["annotations"].get(MADE_FROM) != target]
        new = [node for node in self.there if node not in old]
        config = getattr(self.group, "updateConfig", None) or self.group.update_config or {}
        at_once = config.get("maxUnavailable") or max(1, len(self.there) * config.get("maxUnavailablePercentage", 1) // 100)
        missing = wanted - len(old) + min(at_once, len(old)) - len(new)
        if missing > 0:
            self.make(missing, target)
            return
        if not all(is_ready(node) for node in new):
            return
        leaving = [node for node in old if is_leaving(node)]
        leaving += [node for node in old if node not in leaving][:max(0, at_once - len(leaving))]
        for node in leaving:
            stuck = self.drain(node, force=update.get("force"))
            if stuck:
                update["failure"] = {
                    "errorCode": "PodEvictionFailure", "resourceIds": [node["metadata"]["name"]],
                    "errorMessage": f"Reached max retries while trying to evict pods from nodes in node group {self.group.nodegroup_name}"}
        update["replaced"] = not old and len(new) == wanted

    def drain_all(self, nodes):
        for node in list(nodes):
            self.drain(node, force=True)

    def drain(self, node, force):
        """Asks the pods of a node to leave, and removes it once they have; gives what did not leave in time."""
        name = node["metadata"]["name"]
        if not is_leaving(node):
            since = {"aws": self.account.now(), "real": time.time()}
            self.api.merge(f"/api/v1/nodes/{name}", {
                "metadata": {"annotations": {LEAVING: json.dumps(since)}}, "spec": {"unschedulable": True}})
            node["metadata"]["annotations"][LEAVING] = json.dumps(since)
        there = [pod for pod in pods_on(self.api, name) if needs_eviction(pod)]
        if not there:
            self.remove(node)
            return []
        for pod in there:
            if not pod["metadata"].get("deletionTimestamp"):
                self.evict(pod)
        since = json.loads(node["metadata"]["annotations"][LEAVING])
        if self.account.now() - since["aws"] < DRAIN_LIMIT or time.time() - since["real"] < REAL_DRAIN_LIMIT:
            return []
        if force:
            self.remove(node)
            return []
        return there

    def evict(self, pod):
        """The API server refuses where a PodDisruptionBudget does not allow it."""
        metadata = {name: pod["metadata"][name] for name in ("name", "namespace")}
        try:
            self.api.request("POST", f"{path_of(pod)}/eviction", {
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
        except ApiError as error:
            if error.code not in (404, 409, 429, 500):
                raise

    def stay(self, node):
        self.api.merge(f"/api/v1/nodes/{node['metadata']['name']}", {
            "metadata": {"annotations": {LEAVING: None}}, "spec": {"unschedulable": None}})

    def remove(self, node):
        name = node["metadata"]["name"]
        for pod in pods_on(self.api, name):
            self.api.delete(path_of(pod), {"gracePeriodSeconds": 0})
        self.api.delete(f"/api/v1/nodes/{name}")
        for instance in instances_of(self.ec2, self.cluster, self.group):
            if instance.id == instance_of(node):
                terminate(self.ec2, instance)
        self.there.remove(node)

    def remove_all(self):
        for node in list(self.there):
            self.remove(node)

    # --- making ---------------------------------------------------------------------------------------------------

    def make(self, count, source):
        subnets = [self.ec2.get_subnet(id) for id in self.group.subnets]
        for _ in range(count):
            # What it replaces goes.
            alike = [node for node in self.there if node["metadata"]["annotations"][MADE_FROM] == source and not is_leaving(node)]
            zones = [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in alike]
            subnet = min(subnets, key=lambda subnet: zones.count(subnet.availability_zone))
            self.there.append(self.make_one(subnet, source))

    def make_one(self, subnet, source):
        group, cluster, zone = self.group, self.cluster, subnet.availability_zone
        version, release, template = json.loads(source)
        image = "ami-" + hashlib.sha256(f"{version} {release} {group.ami_type}".encode()).hexdigest()[:17]
        kind, instance = run_instance(self.ec2, cluster, group, subnet, image, template)
        address = instance.private_ip
        name = f"ip-{address.replace('.', '-')}.{group.region}.compute.internal"
        arch = "arm64" if "ARM_64" in group.ami_type else "amd64"
        labels = {
            "kubernetes.io/hostname": name, "kubernetes.io/arch": arch, "kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": arch, "beta.kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": kind, "beta.kubernetes.io/instance-type": kind,
            "topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": group.region,
            "failure-domain.beta.kubernetes.io/zone": zone, "failure-domain.beta.kubernetes.io/region": group.region,
            "topology.k8s.aws/zone-id": subnet.availability_zone_id, "topology.ebs.csi.aws.com/zone": zone,
            GROUP: group.nodegroup_name, "eks.amazonaws.com/nodegroup-image": image,
            "eks.amazonaws.com/capacityType": group.capacity_type,
        }
        if template:
            labels |= {"eks.amazonaws.com/sourceLaunchTemplateId": template["id"],
                       "eks.amazonaws.com/sourceLaunchTemplateVersion": str(template.get("version", ""))}
        given = given_by(group)
        capacity = {"cpu": "4", "memory": "16Gi", "pods": "58", "ephemeral-storage": "100Gi"}
        addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name},
                     {"type": "InternalDNS", "address": name}]
        return self.api.request("POST", "/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": labels | given["labels"],
                         "annotations": {MADE_FROM: source, GIVEN: json.dumps(given)}},
            "spec": {"providerID": f"aws:///{zone}/{instance.id}", "taints": given["taints"]},
            "status": {"capacity": capacity, "allocatable": capacity, "addresses": addresses, "nodeInfo": {
                "architecture": arch, "operatingSystem": "linux", "kubeletVersion": f"v{version}.0-eks-{release.rsplit('-', 1)[-1]}",
                "kubeProxyVersion": "", "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.12.0",
                "osImage": "Amazon Linux 2023", "bootID": instance.id, "machineID": instance.id, "systemUUID": instance.id}},
        })

    def give(self):
        """Labels and taints of the group go to the nodes that are there."""
        now = given_by(self.group)
        for node in self.there:
            before = json.loads(node["metadata"]["annotations"][GIVEN])
            if before == now:
                continue
            taken = {name: None for name in before["labels"]}
            keys = {(taint["key"], taint["effect"]) for taint in before["taints"] + now["taints"]}
            others = [taint for taint in node["spec"].get("taints", []) if (taint["key"], taint["effect"]) not in keys]
            self.api.merge(f"/api/v1/nodes/{node['metadata']['name']}", {
                "metadata": {"labels": taken | now["labels"], "annotations": {GIVEN: json.dumps(now)}},
                "spec": {"taints": others + now["taints"]}})
            node["metadata"]["annotations"][GIVEN] = json.dumps(now)


def made_from(group, changes):
    """What the group's nodes are made from, as text: an update replaces nodes of another."""
    template = {**(group.launch_template or {}), **(changes.get("launch_template") or {})}
    return json.dumps([changes.get("version", group.version), changes.get("release_version", group.release_version), template])


def run_instance(ec2, cluster, group, subnet, image, template):
    """(instance type, instance)."""
    kind = (group.instance_types or [None])[0]
    if template:
        data = ec2.get_launch_template(template["id"]).get_version(template.get("version") or "$Default").data
        kind = data.get("InstanceType") or kind
    made = ec2.run_instances(
        image, 1, None, [], instance_type=kind, is_instance_type_default=False, region_name=group.region, subnet_id=subnet.id,
        placement=subnet.availability_zone, security_group_ids=[cluster.resources_vpc_config["clusterSecurityGroupId"]],
        block_device_mappings=[], tags={"instance": {
            "eks:cluster-name": cluster.name, "eks:nodegroup-name": group.nodegroup_name,
            f"kubernetes.io/cluster/{cluster.name}": "owned", **(group.tags or {})}})
    return kind, made.instances[0]


def instances_of(ec2, cluster, group):
    wanted = {"eks:cluster-name": cluster.name, "eks:nodegroup-name": group.nodegroup_name}
    return [
        instance for reservation in ec2.reservations.values() for instance in reservation.instances
        if instance.state != "terminated" and wanted.items() <= ec2.tags.get(instance.id, {}).items()]


def terminate(ec2, instance):
    ec2.terminate_instances([instance.id])
    # moto leaves them.
    for interface in instance.nics.values():
        ec2.enis.pop(interface.id, None)


def instance_of(node):
    return node["spec"]["providerID"].rsplit("/", 1)[-1]


def remove_strangers(api, groups):
    """Nodes of node groups that are no more: after a restore."""
    for node in api.items(f"/api/v1/nodes?labelSelector={GROUP}"):
        if node["metadata"]["labels"][GROUP] not in groups:
            for pod in pods_on(api, node["metadata"]["name"]):
                api.delete(path_of(pod), {"gracePeriodSeconds": 0})
            api.delete(f"/api/v1/nodes/{node['metadata']['name']}")


def pods_on(api, node):
    return api.items(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")


def given_by(group):
    taints = [{"key": taint["key"], "effect": EFFECTS[taint["effect"]], **({"value": taint["value"]} if taint.get("value") else {})}
              for taint in group.taints or []]
    return {"labels": dict(group.labels or {}), "taints": taints}


def is_ready(node):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", []))


def is_leaving(node):
    return LEAVING in node["metadata"].get("annotations", {})


def needs_eviction(pod):
    """Not those of DaemonSets, nor those that have ended."""
    owners = [owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])]
    return "DaemonSet" not in owners and pod["status"].get("phase") not in ("Succeeded", "Failed")


def path_of(pod):
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
