"""EKS: clusters, node groups, add-ons, access. Rows first; below them what is not regular: a cluster's network, and updates."""

from base64 import b64encode

from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.eks import models

from . import rows
from .ec2_network import service_interface
from .extend import after, before, error
from .lifecycle import enter_as, entered
from .rows import GONE, NOW, Keep, Kind, Refuse, State, Stored, Tagging, Unseen

models.DEFAULT_KUBERNETES_VERSION = "1.35"
models.DEFAULT_AMI_TYPE = "AL2023_x86_64_STANDARD"

ARN = "arn:{partition}:eks:{region}:{account}"
ISSUES = {"health": {"issues": [{"code": "{code}", "message": "{message}", "resourceIds": []}]}}
IN_CLUSTER = {"within": ("cluster", "clusterName")}
MADE_NOW = {"createdAt": NOW, "modifiedAt": NOW}


def absent(text):
    return {"absent": ("ResourceNotFoundException", text)}


rows.add("eks", [
    Kind("cluster", "clusters", {"name": "name"}, id="arn", label="name", state="status", failure=ISSUES),
    Kind("nodegroup", "clusters.*.nodegroups", {"clusterName": "cluster_name", "nodegroupName": "nodegroup_name"}, id="arn",
         label="nodegroup_name", state="status", within=("cluster", "cluster_name"), failure=ISSUES),
    Kind("fargate_profile", "clusters.*.fargate_profiles", {"clusterName": "cluster_name", "fargateProfileName": "fargate_profile_name"},
         id="fargate_profile_arn", label="fargate_profile_name", state="status", within=("cluster", "cluster_name")),
    Stored("addon", named={"clusterName": "clusterName", "addonName": "addonName"}, id="addonArn", label="addonName", state="status",
           failure=ISSUES, **IN_CLUSTER, makes="CreateAddon", shows="DescribeAddon", lists="ListAddons", removes="DeleteAddon",
           defaults={"addonVersion": "v1.0.0-eksbuild.1", "tags": {}},
           adds={"addonArn": f"{ARN}:addon/{{clusterName}}/{{addonName}}/{{uuid}}", "health": {"issues": []}, **MADE_NOW},
           **absent("No addon: {addonName} found in cluster: {clusterName}")),
    Stored("access_entry", named={"clusterName": "clusterName", "principalArn": "principalArn"}, id="accessEntryArn",
           label="principalArn", **IN_CLUSTER, makes="CreateAccessEntry", shows="DescribeAccessEntry", lists="ListAccessEntries",
           changes="UpdateAccessEntry", removes="DeleteAccessEntry",
           defaults={"type": "STANDARD", "username": "{principalArn}", "kubernetesGroups": [], "tags": {}},
           adds={"accessEntryArn": f"{ARN}:access-entry/{{clusterName}}/{{uuid}}", **MADE_NOW},
           **absent("The specified principalArn could not be found. You must specify a valid principalArn.")),
    Stored("access_policy", named={"clusterName": "clusterName", "principalArn": "principalArn", "policyArn": "policyArn"},
           within=("access_entry", "clusterName", "principalArn"), listed=False, makes="AssociateAccessPolicy",
           lists="ListAssociatedAccessPolicies", removes="DisassociateAccessPolicy",
           adds={"associatedAt": NOW, "modifiedAt": NOW},
           **absent("The specified policyArn is not associated with the access entry.")),
    Stored("pod_identity_association", named={"clusterName": "clusterName", "associationId": "associationId"}, id="associationArn",
           label="serviceAccount", **IN_CLUSTER, makes="CreatePodIdentityAssociation", shows="DescribePodIdentityAssociation",
           lists="ListPodIdentityAssociations", changes="UpdatePodIdentityAssociation", removes="DeletePodIdentityAssociation",
           defaults={"tags": {}},
           adds={"associationId": "a-{uuid}", "associationArn": f"{ARN}:podidentityassociation/{{clusterName}}/a-{{uuid}}", **MADE_NOW},
           **absent("No association found with ID: {associationId}")),
    Stored("update", named={"name": "name", "nodegroupName": "nodegroupName", "addonName": "addonName", "updateId": "id"},
           state="status", listed=False, within=("cluster", "name"), failure={
               "errors": [{"errorCode": "{code}", "errorMessage": "{message}", "resourceIds": []}]}, shows="DescribeUpdate", lists="ListUpdates",
           **absent("No update found for ID: {updateId}")),
    Tagging(),
    # terraform-provider-aws waits for it when it associates a policy.
    Unseen("CreateAccessEntry", 2, writes=True),
    # moto forgets these.
    Keep("CreateCluster", "cluster", {
        "accessConfig": {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True},
        "upgradePolicy": {"supportType": "EXTENDED"}, "deletionProtection": False, "zonalShiftConfig": {"enabled": False},
        "controlPlaneScalingConfig": {"tier": "standard"}}),
    Keep("CreateNodegroup", "nodegroup", {"updateConfig": {"maxUnavailable": 1}, "remoteAccess": None}),
])

# --- states: operation, kind, then state, AWS seconds, state, … (medians) -------------------------------------------

rows.add("eks", [
    State("CreateCluster", "cluster", "CREATING", 540, "ACTIVE", failed=(540, "FAILED")),
    State("DeleteCluster", "cluster", "DELETING", 150, GONE),
    State("CreateNodegroup", "nodegroup", "CREATING", 150, "ACTIVE", failed=(1260, "CREATE_FAILED")),
    State("DeleteNodegroup", "nodegroup", "DELETING", 180, GONE),
    State("CreateFargateProfile", "fargate_profile", "CREATING", 60, "ACTIVE"),
    State("DeleteFargateProfile", "fargate_profile", "DELETING", 60, GONE),
    State("CreateAddon", "addon", "CREATING", 30, "ACTIVE", failed=(1200, "CREATE_FAILED")),
    State("DeleteAddon", "addon", "DELETING", 20, GONE),
    State("UpdateClusterVersion", "cluster", "UPDATING", 540, "ACTIVE"),
    State("UpdateClusterConfig", "cluster", "UPDATING", 400, "ACTIVE"),
    State("AssociateEncryptionConfig", "cluster", "UPDATING", 900, "ACTIVE"),
    State("UpdateNodegroupVersion", "nodegroup", "UPDATING", 500, "ACTIVE"),
    State("UpdateNodegroupConfig", "nodegroup", "UPDATING", 15, "ACTIVE"),
    # EKS waits no longer for the pods, which come all the same (hashicorp/terraform-provider-aws#49104).
    State("UpdateAddon", "addon", "UPDATING", 29, "DEGRADED", 21, "ACTIVE", where=("given_up", True)),
    State("UpdateAddon", "addon", "UPDATING", 30, "ACTIVE"),
    # The update itself, beside what it changes.
    State("UpdateClusterVersion", "update", "InProgress", 540, "Successful", failed=(540, "Failed")),
    State("UpdateClusterConfig", "update", "InProgress", 400, "Successful", failed=(400, "Failed")),
    State("AssociateEncryptionConfig", "update", "InProgress", 900, "Successful", failed=(900, "Failed")),
    State("UpdateNodegroupVersion", "update", "InProgress", 500, "Successful", failed=(500, "Failed")),
    State("UpdateNodegroupConfig", "update", "InProgress", 15, "Successful", failed=(15, "Failed")),
    State("UpdateAddon", "update", "InProgress", 30, "Successful", failed=(30, "Failed")),
])

# --- refusals -------------------------------------------------------------------------------------------------------

OF_CLUSTER = {"clusterName": "name"}
IN_USE, INVALID = "ResourceInUseException", "InvalidRequestException"


WEEK = 7 * 86400


def skips_a_version(context, cluster):
    (_, now), (_, then) = (version.split(".") for version in (cluster.version, context.params["version"]))
    # Back to the version before the last upgrade, for a week (AWS EKS user guide, "Roll back a cluster's version").
    before, at = getattr(cluster, "ekb_before", (None, 0))
    may_go_back = before == context.params["version"] and context.now() - at < WEEK
    return int(then) - int(now) not in (0, 1) and not may_go_back


# What one call of UpdateClusterConfig changes: one of these.
TYPES = {
    "EndpointAccessUpdate": ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"), "subnets": ("subnetIds",),
    "security groups": ("securityGroupIds",), "LoggingUpdate": ("logging",), "AccessConfigUpdate": ("accessConfig",),
    "UpgradePolicyUpdate": ("upgradePolicy",), "ZonalShiftConfigUpdate": ("zonalShiftConfig",),
    "DeletionProtectionUpdate": ("deletionProtection",), "ControlPlaneScalingConfigUpdate": ("controlPlaneScalingConfig",),
}
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]


def types_of(params):
    given = {**params, **params.get("resourcesVpcConfig", {})}
    return [type for type, names in TYPES.items() if any(name in given for name in names)]


def is_so_already(context, cluster):
    wanted = {path: context.params[name] for name, path in UPDATES["UpdateClusterConfig"][2].items() if name in context.params}
    is_so = lambda is_, should: all(  # noqa: E731
        is_so(is_.get(name) or {}, value) if isinstance(value, dict) else is_.get(name) == value for name, value in should.items())
    return is_so({path: rows.one(cluster, path) for path in wanted}, wanted)


def mode_goes_elsewhere(context, cluster):
    mode = context.params.get("accessConfig", {}).get("authenticationMode")
    return mode and MODES.index(mode) - MODES.index(cluster.accessConfig["authenticationMode"]) not in (0, 1)


def minor(version):
    return int(version.split(".")[1])


def nodes_stay_behind(context, cluster):
    """EKS goes on only when its managed nodes are where the control plane is."""
    goes_up = minor(context.params["version"]) > minor(cluster.version)
    return goes_up and any(minor(group.version) < minor(cluster.version) for group in cluster.nodegroups.values())


def nodes_are_ahead(context, cluster):
    return any(minor(group.version) > minor(context.params["version"]) for group in cluster.nodegroups.values())


def is_ahead_of_cluster(context, cluster):
    return "version" in context.params and minor(context.params["version"]) > minor(cluster.version)


def only_for_people(context, entry):
    return entry["type"] not in ("STANDARD", "EC2" if context.operation == "AssociateAccessPolicy" else "")


rows.add("eks", [
    Refuse("*", "ResourceNotFoundException", "No cluster found for name: {clusterName}.", "cluster", OF_CLUSTER, states=(rows.ABSENT,)),
    Refuse("CreateCluster", IN_USE, "Cluster already exists with name: {name}", "cluster"),
    Refuse("CreateNodegroup", IN_USE, "NodeGroup already exists with name {nodegroupName} and cluster name {clusterName}", "nodegroup"),
    Refuse("CreateAddon", IN_USE, "Addon already exists.", "addon"),
    Refuse("CreateAccessEntry", IN_USE, "The specified access entry resource is already in use on this cluster.", "access_entry"),
    Refuse("CreatePodIdentityAssociation", IN_USE, "Association already exists: {associationId}", "pod_identity_association",
           {name: name for name in ("clusterName", "namespace", "serviceAccount")}),
    Refuse("AssociateAccessPolicy", "ResourceNotFoundException", "The specified principalArn could not be found. You must specify a "
           "valid principalArn.", "access_entry", states=(rows.ABSENT,)),
    Refuse(["CreateNodegroup", "CreateAddon"], IN_USE, "Cannot create because cluster {clusterName} currently has an update in progress",
           "cluster", OF_CLUSTER, states=("UPDATING",)),
    Refuse(["CreateNodegroup", "CreateAddon"], INVALID, "Cluster '{clusterName}' is not in ACTIVE status", "cluster", OF_CLUSTER,
           not_in=("ACTIVE",)),
    Refuse("DeleteCluster", INVALID, "Cluster has deletion protection enabled", "cluster",
           when=lambda _context, cluster: cluster.deletionProtection),
    Refuse("DeleteCluster", IN_USE, "Cluster has nodegroups attached", "cluster", used_by=(("nodegroup", "cluster_name"),)),
    Refuse("DeleteCluster", IN_USE, "Cluster has Fargate profiles attached", "cluster", used_by=(("fargate_profile", "cluster_name"),)),
    Refuse(["DeleteCluster", "UpdateCluster*"], IN_USE, "Cannot change cluster {name}: it currently has an update in progress", "cluster",
           states=("CREATING", "UPDATING")),
    Refuse("UpdateCluster*", IN_USE, "Cluster {name} is not in ACTIVE status", "cluster", not_in=("ACTIVE",)),
    Refuse("UpdateClusterConfig", "InvalidParameterException", "Only one type of update can be allowed.", "cluster",
           when=lambda context, _cluster: len(types_of(context.params)) > 1),
    Refuse("UpdateClusterConfig", "InvalidParameterException", "The type for cluster update was not provided.", "cluster",
           when=lambda context, _cluster: not types_of(context.params)),
    Refuse("UpdateClusterConfig", "InvalidParameterException", "Cluster is already at the desired configuration", "cluster",
           when=is_so_already),
    Refuse("UpdateClusterConfig", "InvalidParameterException", "Unsupported authentication mode update", "cluster",
           when=mode_goes_elsewhere),
    Refuse("AssociateEncryptionConfig", IN_USE, "Cannot associate: cluster {clusterName} currently has an update in progress", "cluster",
           OF_CLUSTER, states=("CREATING", "UPDATING")),
    Refuse("AssociateEncryptionConfig", "InvalidRequestException", "Encryption is already enabled for the cluster", "cluster",
           OF_CLUSTER, when=lambda _context, cluster: cluster.encryption_config),
    Refuse(["CreateAccessEntry", "DescribeAccessEntry", "ListAccessEntries", "ListAssociatedAccessPolicies"], INVALID, "The cluster's "
           "authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.", "cluster", OF_CLUSTER,
           when=lambda _context, cluster: cluster.accessConfig["authenticationMode"] == "CONFIG_MAP"),
    Refuse(["UpdateAccessEntry", "AssociateAccessPolicy"], "InvalidParameterException", "This operation can only be performed on Access "
           'Entries with a type of "STANDARD"', "access_entry", when=only_for_people),
    Refuse("UpdateClusterVersion", "InvalidParameterException", "Unsupported Kubernetes minor version update to {version}", "cluster",
           when=skips_a_version),
    Refuse("UpdateClusterVersion", INVALID, "Nodegroups must be updated to match cluster version {version} before updating cluster version",
           "cluster", when=nodes_stay_behind),
    Refuse("UpdateClusterVersion", INVALID, "Nodegroups must be rolled back before the cluster", "cluster", when=nodes_are_ahead),
    Refuse(["CreateNodegroup", "UpdateNodegroupVersion"], "InvalidParameterException", "Requested Nodegroup version {version} is not "
           "supported with cluster version", "cluster", OF_CLUSTER, when=is_ahead_of_cluster),
    Refuse(["CreateAddon", "UpdateAddon"], IN_USE, "Association already exists for a service account of the add-on", "cluster",
           OF_CLUSTER, when=lambda context, cluster: has_roles_of_others(context, cluster)),
    Refuse("CreateAddon", "InvalidParameterException", "Resolve conflicts option preserve is not supported for operation CreateAddon",
           "cluster", OF_CLUSTER, when=lambda context, _cluster: context.params.get("resolveConflicts") == "PRESERVE"),
    # A new cluster has a definition of its own of what vpc-cni brings (aws/amazon-network-policy-controller-k8s#200).
    Refuse("CreateAddon", INVALID, "ConfigurationConflict: CustomResourceDefinition policyendpoints.networking.k8s.aws", "cluster",
           OF_CLUSTER, when=lambda context, _cluster: context.params["addonName"] == "vpc-cni"
           and context.params.get("resolveConflicts") != "OVERWRITE"),
    Refuse("UpdateNodegroup*", IN_USE, "Nodegroup cannot be updated as it is currently not in Active State", "nodegroup",
           not_in=("ACTIVE", "DEGRADED")),
    Refuse("UpdateAddon", INVALID, "Addon is currently updating", "addon", states=("CREATING", "UPDATING", "DELETING")),
])

# --- a cluster's network --------------------------------------------------------------------------------------------


def network(cluster):
    _, _, _, region, account, _ = cluster.arn.split(":")
    return ec2_backends[account][region]


@before("eks", "CreateCluster")
def subnets_are_there(context):
    there = {id for zone in ec2_backends[context.account.id][context.call.region].subnets.values() for id in zone}
    for id in context.params["resourcesVpcConfig"].get("subnetIds", []):
        if id not in there:
            raise error("eks", "InvalidParameterException", f"The subnet ID '{id}' does not exist")


@after("eks", "CreateCluster")
def cluster_created(context, result):
    cluster = result["cluster"]
    cluster.endpoint, cluster.certificate_authority, cluster.identity = None, None, None
    # The caller's own dictionary: the token remembers it.
    config = cluster.resources_vpc_config = dict(cluster.resources_vpc_config)
    for name, value in [("securityGroupIds", []), ("endpointPublicAccess", True), ("endpointPrivateAccess", False),
                        ("publicAccessCidrs", ["0.0.0.0/0"])]:
        config.setdefault(name, value)
    ec2 = network(cluster)
    subnets = [ec2.get_subnet(id) for id in config.get("subnetIds", [])]
    if subnets:
        config["vpcId"] = subnets[0].vpc_id
        group = ec2.create_security_group(
            f"eks-cluster-sg-{cluster.name}-{context.uuid[:8]}", "EKS created security group", subnets[0].vpc_id,
            tags={f"kubernetes.io/cluster/{cluster.name}": "owned", "aws:eks:cluster-name": cluster.name})
        config["clusterSecurityGroupId"] = group.id
        for subnet in subnets[:2]:
            service_interface(ec2, subnet, "interface", f"Amazon EKS {cluster.name}", [group.id])


@entered("eks", "cluster", "ACTIVE")
def cluster_answers(_backend, cluster):
    """What is known once the control plane stands."""
    if cluster.endpoint is None:
        id = models.random.get_random_string(32).upper()
        region = cluster.arn.split(":")[3]
        # Nobody answers there, at once and without asking a name server.
        cluster.endpoint = "https://127.0.0.1:1"
        cluster.identity = {"oidc": {"issuer": f"https://oidc.eks.{region}.amazonaws.com/id/{id}"}}
        pem = f"-----BEGIN CERTIFICATE-----\n{models.random.get_random_string(1400)}\n-----END CERTIFICATE-----\n"
        cluster.certificate_authority = {"data": b64encode(pem.encode()).decode()}


@entered("eks", "cluster", GONE)
def cluster_network_goes(backend, cluster):
    """Its group stays where something else has it. Its last logs come later (logs.py)."""
    ec2, group = network(cluster), cluster.resources_vpc_config.get("clusterSecurityGroupId")
    for eni in [eni for eni in ec2.enis.values() if eni.description == f"Amazon EKS {cluster.name}"]:
        del ec2.enis[eni.id]
    if any(setup["enabled"] and setup["types"] for setup in (cluster.logging or {}).get("clusterLogging", [])):
        backend.__dict__.setdefault("ekb_ended", set()).add(f"/aws/eks/{cluster.name}/cluster")
    if any(group in (one.id for one in eni.group_set) for eni in ec2.enis.values()):
        return
    for groups in ec2.groups.values():
        groups.pop(group, None)
    ec2.tags.pop(group, None)


@entered("eks", "nodegroup", GONE)
def cni_leaves_an_interface(backend, nodegroup):
    """aws/amazon-vpc-cni-k8s: what a node had when it was terminated nobody removes."""
    cluster = backend.clusters.get(nodegroup.cluster_name)
    addons = rows.KINDS["eks"]["addon"].all(backend)
    if cluster is None or not any(one["clusterName"] == cluster.name and one["addonName"] == "vpc-cni" for one in addons):
        return
    ec2 = network(cluster)
    subnet = next((ec2.get_subnet(id) for id in nodegroup.subnets), None)
    if subnet:
        group = cluster.resources_vpc_config.get("clusterSecurityGroupId")
        eni = service_interface(ec2, subnet, "interface", f"aws-K8S-i-{nodegroup.arn[-12:]}", [group])
        eni.requester_managed, eni.status = False, "available"
        eni.add_tags({"eks:eni:owner": "amazon-vpc-cni", "cluster.k8s.amazonaws.com/name": cluster.name})


@after("eks", "CreateAccessEntry")
def machines_get_groups(_context, result):
    entry = result["accessEntry"]
    if entry["type"] in ("EC2_LINUX", "EC2_WINDOWS"):
        entry["kubernetesGroups"], entry["username"] = ["system:nodes"], "system:node:{{EC2PrivateDNSName}}"


@after("eks", "CreateNodegroup")
def nodegroup_created(context, result):
    nodegroup, cluster = result["nodegroup"], context.backend.clusters[context.params["clusterName"]]
    nodegroup.version = context.params.get("version") or cluster.version
    nodegroup.release_version = context.params.get("releaseVersion") or f"{nodegroup.version}.0-20261101"
    nodegroup.disk_size = int(nodegroup.disk_size)


# --- add-ons: roles by pod identity, and the nodes that their pods need ------------------------------------------------

NEED_NODES = {"coredns", "metrics-server", "aws-ebs-csi-driver", "snapshot-controller"}
TOO_FEW = {"issues": [{"code": "InsufficientNumberOfReplicas", "message": "The add-on is unhealthy because it doesn't have the desired "
                       "number of replicas.", "resourceIds": []}]}


def associations(backend):
    return backend.__dict__.setdefault("ekb_stored", {}).setdefault("pod_identity_association", {})


def has_roles_of_others(context, cluster):
    wanted = {one["serviceAccount"] for one in context.params.get("podIdentityAssociations", [])}
    owner = f":addon/{cluster.name}/{context.params['addonName']}/"
    return any(one["clusterName"] == cluster.name and one["serviceAccount"] in wanted and owner not in one.get("ownerArn", "")
               for one in associations(context.backend).values())


def give_roles(context, addon, wanted):
    """They belong to the add-on: a list takes the place of the one before."""
    there = associations(context.backend)
    take_roles(context.backend, addon)
    addon["podIdentityAssociations"] = []
    for n, one in enumerate(wanted):
        id = f"a-{context.uuid.replace('-', '')[:16]}{n}"
        arn = addon["addonArn"].split(":addon/")[0] + f":podidentityassociation/{addon['clusterName']}/{id}"
        there[addon["clusterName"], id] = {
            **one, "clusterName": addon["clusterName"], "namespace": "kube-system", "associationId": id, "associationArn": arn,
            "ownerArn": addon["addonArn"], "tags": {}, "createdAt": models.utcnow(), "modifiedAt": models.utcnow()}
        addon["podIdentityAssociations"].append(arn)


@after("eks", "CreateAddon")
def addon_created(context, result):
    addon = result["addon"]
    give_roles(context, addon, context.params.get("podIdentityAssociations", []))


@entered("eks", "addon", GONE)
def take_roles(backend, addon):
    there = associations(backend)
    for key in [key for key, one in there.items() if one.get("ownerArn") == addon["addonArn"]]:
        del there[key]


def has_nodes(nodegroup):
    return nodegroup.status == "ACTIVE" and nodegroup.scaling_config.get("desiredSize", 1) > 0


@entered("eks", "addon", "ACTIVE")
def pods_need_nodes(backend, addon):
    cluster = backend.clusters[addon["clusterName"]]
    addon["health"] = {"issues": []}
    if addon["addonName"] in NEED_NODES and not any(has_nodes(group) for group in cluster.nodegroups.values()):
        addon["status"], addon["health"] = "DEGRADED", TOO_FEW


@entered("eks", "addon", "DEGRADED")
def pods_are_missing(_backend, addon):
    if not addon["health"]["issues"]:
        addon["health"] = TOO_FEW


@entered("eks", "nodegroup", "ACTIVE")
def nodes_take_pods(backend, nodegroup):
    for addon in rows.KINDS["eks"]["addon"].all(backend) if has_nodes(nodegroup) else ():
        if addon["clusterName"] == nodegroup.cluster_name and addon["health"] == TOO_FEW:
            addon["status"], addon["health"] = "ACTIVE", {"issues": []}


# --- updates: what they change is so when they are over ---------------------------------------------------------------

UPDATES = {
    "UpdateClusterVersion": ("cluster", "VersionUpdate", {"version": "version"}),
    "UpdateClusterConfig": ("cluster", "ConfigUpdate", {
        "logging": "logging", "resourcesVpcConfig": "resources_vpc_config", "accessConfig": "accessConfig",
        "upgradePolicy": "upgradePolicy", "deletionProtection": "deletionProtection", "zonalShiftConfig": "zonalShiftConfig",
        "controlPlaneScalingConfig": "controlPlaneScalingConfig"}),
    "AssociateEncryptionConfig": ("cluster", "AssociateEncryptionConfig", {"encryptionConfig": "encryption_config"}),
    "UpdateNodegroupVersion": ("nodegroup", "VersionUpdate", {
        "version": "version", "releaseVersion": "release_version", "launchTemplate": "launch_template"}),
    "UpdateNodegroupConfig": ("nodegroup", "ConfigUpdate", {}),
    "UpdateAddon": ("addon", "AddonUpdate", {
        name: name for name in ("addonVersion", "configurationValues", "serviceAccountRoleArn")}),
}


PARAMETERS = get_service_model("eks").shape_for("UpdateParamType").enum


def leaves(params):
    for name, value in params.items():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield name[0].upper() + name[1:], value


@before("eks", *UPDATES)
def update(context):
    kind, type, changes = UPDATES[context.operation]
    named = rows.KINDS["eks"][kind].named_by(context.backend, context.params)
    if context.operation == "AssociateEncryptionConfig":
        named = rows.KINDS["eks"][kind].named_by(context.backend, context.params, OF_CLUSTER)
        for cluster in named:
            enter_as(context, context.operation, "cluster", cluster)
    if not named:
        raise error("eks", "ResourceNotFoundException", f"No {kind} found for name: {context.params.get(kind + 'Name')}.")
    params = {name: value for name, value in context.params.items() if name not in ("name", "clusterName", "clientRequestToken")}
    if context.operation == "UpdateNodegroupConfig":
        context.backend.update_nodegroup_config(
            context.params["clusterName"], context.params["nodegroupName"], *(context.params.get(name) for name in (
                "labels", "taints", "scalingConfig", "updateConfig", "nodeRepairConfig")))
        named[0].updateConfig = context.params.get("updateConfig", named[0].updateConfig)
    if context.operation == "UpdateAddon":
        named[0]["given_up"] = bool(context.failure) and context.failure[0] == "InsufficientNumberOfReplicas"
    if context.operation == "UpdateAddon" and "podIdentityAssociations" in params:
        give_roles(context, named[0], params["podIdentityAssociations"])
    if context.operation == "UpdateClusterVersion" and minor(params["version"]) < minor(named[0].version):
        type = "VersionRollback"
    made = {
        "id": context.uuid, "status": "InProgress", "type": type, "createdAt": models.utcnow(), "errors": [],
        "params": [{"type": name, "value": str(value)} for name, value in leaves(params) if name in PARAMETERS],
        "name": context.params.get("name") or context.params["clusterName"],
        "nodegroupName": context.params.get("nodegroupName"), "addonName": context.params.get("addonName"),
        "thing": named[0], "begun": context.now(), "changes": {path: params[name] for name, path in changes.items() if name in params},
    }
    if context.operation == "UpdateAddon":  # without one its pods have the role of their node again
        made["changes"]["serviceAccountRoleArn"] = params.get("serviceAccountRoleArn")
    context.backend.__dict__.setdefault("ekb_stored", {}).setdefault("update", {})[made["id"]] = made
    return {"update": made}


@entered("eks", "update", "Successful")
def update_is_over(_backend, update):
    if update["type"] in ("VersionUpdate", "VersionRollback") and not update["nodegroupName"]:
        # There is a way back from an upgrade, and none from a rollback.
        is_back = update["type"] == "VersionRollback"
        update["thing"].ekb_before = (None if is_back else update["thing"].version, update["begun"])
    for path, value in update["changes"].items():
        before = rows.one(update["thing"], path)
        rows.put(update["thing"], path, {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value)


@entered("eks", "update", "Failed")
def update_is_given_up(backend, update):
    if update["type"] == "AddonUpdate" and update["thing"]["given_up"]:
        update_is_over(backend, update)
