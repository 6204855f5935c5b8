"""Instances that Karpenter launches become nodes, as their kubelets would make them: Node objects that kwok keeps alive. They leave with
their instances."""

import math

from moto.ec2.models.instance_types import INSTANCE_TYPES

from .cluster_nodes import OWN, path_of, pods_on
from .kubernetes_api import ApiError

CLUSTER, POOL, MADE = "eks:eks-cluster-name", "karpenter.sh/nodepool", OWN + "karpenter"
# Until Karpenter has taken the node over.
UNREGISTERED = {"key": "karpenter.sh/unregistered", "effect": "NoExecute"}
NAMES = {"x86_64": "amd64", "arm64": "arm64"}


def look(plane, ec2, cluster):
    instances = {
        instance.id: instance for reservation in ec2.reservations.values() for instance in reservation.instances
        if instance.state == "running" and {CLUSTER: cluster.name}.items() <= ec2.tags.get(instance.id, {}).items()
        and POOL in ec2.tags[instance.id]}
    nodes = plane.karpenter_nodes
    for id in instances.keys() - nodes.keys():
        nodes[id] = make(plane.api, ec2, cluster, instances[id])
    for id in nodes.keys() - instances.keys():
        remove(plane.api, nodes.pop(id))


def make(api, ec2, cluster, instance):
    """Its name."""
    subnet, region = ec2.get_subnet(instance.subnet_id), cluster.arn.split(":")[3]
    zone = subnet.availability_zone
    kind = INSTANCE_TYPES[instance.instance_type]
    arch = NAMES[kind["ProcessorInfo"]["SupportedArchitectures"][0]]
    name = f"ip-{instance.private_ip.replace('.', '-')}.{region}.compute.internal"
    capacity, allocatable = sizes(kind)
    node = {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "annotations": {MADE: instance.id}, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/arch": arch, "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": instance.instance_type, "topology.kubernetes.io/zone": zone,
            "topology.kubernetes.io/region": region, "topology.k8s.aws/zone-id": subnet.availability_zone_id}},
        "spec": {"providerID": f"aws:///{zone}/{instance.id}", "taints": [UNREGISTERED]},
        "status": {"capacity": capacity, "allocatable": allocatable, "addresses": [
            {"type": "InternalIP", "address": instance.private_ip}, {"type": "Hostname", "address": name}], "nodeInfo": {
            "architecture": arch, "operatingSystem": "linux", "kubeletVersion": f"v{cluster.version}.0-eks-20261120",
            "kubeProxyVersion": "", "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.12.0",
            "osImage": "Amazon Linux 2023", "bootID": instance.id, "machineID": instance.id, "systemUUID": instance.id}}}
    try:
        api.request("POST", "/api/v1/nodes", node)
    except ApiError as error:
        if error.code != 409:  # it is there already: after a restore
            raise
    return name


def sizes(kind):
    """(capacity, allocatable): what the system keeps for itself is about what EKS's images keep."""
    cpus, memory = kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]
    network = kind.get("NetworkInfo", {})
    pods = network.get("MaximumNetworkInterfaces", 4) * (network.get("Ipv4AddressesPerInterface", 15) - 1) + 2
    gpus = {"nvidia.com/gpu": str(sum(gpu["Count"] for gpu in kind["GpuInfo"]["Gpus"]))} if "GpuInfo" in kind else {}
    common = {"pods": str(pods), "ephemeral-storage": "20Gi", **gpus}
    kept = 100 + 255 + 11 * pods
    return ({"cpu": str(cpus), "memory": f"{math.floor(memory * 0.925)}Mi", **common},
            {"cpu": f"{cpus * 1000 - 60 - 10 * cpus}m", "memory": f"{math.floor(memory * 0.925) - kept}Mi", **common})


def remove(api, name):
    """As the cloud's controller does it. What waits for Karpenter (its finalizer) goes on waiting."""
    for pod in pods_on(api, name):
        api.delete(path_of(pod), {"gracePeriodSeconds": 0})
    api.delete(f"/api/v1/nodes/{name}")
