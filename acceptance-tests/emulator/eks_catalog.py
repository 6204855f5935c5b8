"""EKS: what there is for clusters (versions, add-ons and their configuration), and what it finds out about one (insights).

Insights of a cluster are set from outside (`POST /_ekb/accounts/ID/insights`): `insights` is a list in the shape of `DescribeInsight`
without times, where `insightStatus`, `category` and `kubernetesVersion` may be left out (an error that stops an upgrade to the next minor).
They take the place of all that the cluster has; with `refreshed: true` only once a refresh is over that begins later.
"""

import datetime
import json

import jsonschema

from .extend import before, error

# --- versions: as of 2026-11-27 ---------------------------------------------------------------------------------------

# Version, patch, support, release, end of standard support, end of extended support. Of 1.36 AWS's dates were not known.
VERSIONS = [
    ("1.36", 1, "STANDARD_SUPPORT", "2026-06-30", "2027-08-30", "2028-08-30"),
    ("1.35", 3, "STANDARD_SUPPORT", "2026-01-27", "2027-03-27", "2028-03-27"),
    ("1.34", 6, "STANDARD_SUPPORT", "2025-10-02", "2026-12-02", "2027-12-02"),
    ("1.33", 10, "EXTENDED_SUPPORT", "2025-05-29", "2026-07-29", "2027-07-29"),
    ("1.32", 13, "EXTENDED_SUPPORT", "2025-01-23", "2026-03-23", "2027-03-23"),
    ("1.31", 14, "UNSUPPORTED", "2024-09-26", "2025-11-26", "2026-11-26"),
    ("1.30", 14, "UNSUPPORTED", "2024-05-23", "2025-07-23", "2026-07-23"),
]
DEFAULT = "1.35"


def day(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


@before("eks", "DescribeClusterVersions")
def versions(context):
    params = context.params
    wanted = params.get("versionStatus") or params.get("status", "").upper().replace("-", "_")
    named = params.get("clusterVersions") or []
    shown = [
        row for row in VERSIONS
        if (not named or row[0] in named) and (not wanted or row[2] == wanted) and (not params.get("defaultOnly") or row[0] == DEFAULT)
        and (row[2] != "UNSUPPORTED" or params.get("includeAll") or named or wanted)
    ]
    return {"clusterVersions": [{
        "clusterVersion": version, "clusterType": "eks", "defaultPlatformVersion": f"eks.{patch}", "defaultVersion": version == DEFAULT,
        "releaseDate": day(released), "endOfStandardSupportDate": day(standard), "endOfExtendedSupportDate": day(extended),
        "status": support.lower().replace("_", "-"), "versionStatus": support, "kubernetesPatchVersion": f"{version}.{patch}",
    } for version, patch, support, released, standard, extended in shown]}


# --- add-ons ----------------------------------------------------------------------------------------------------------

MINORS = [row[0] for row in VERSIONS if row[2] != "UNSUPPORTED"]


def every(*versions):
    """These versions fit every minor; the first is the newest, the second EKS's default."""
    return {minor: versions for minor in MINORS}


# Versions by minor, the newest first; the second is EKS's default.
ADDONS = {
    "vpc-cni": every("v1.21.1-eksbuild.3", "v1.21.0-eksbuild.1", "v1.20.4-eksbuild.2", "v1.20.0-eksbuild.1"),
    # It may be up to three minors older than the control plane.
    "kube-proxy": {minor: [
        version for other, patch, *_ in VERSIONS if 0 <= int(minor[2:]) - int(other[2:]) <= 3 and other in MINORS
        for version in (f"v{other}.{patch}-eksbuild.5", f"v{other}.{patch}-eksbuild.2", f"v{other}.{patch - 1}-eksbuild.2")]
        for minor, *_ in VERSIONS if minor in MINORS},
    "coredns": {
        "1.36": ("v1.13.2-eksbuild.4", "v1.13.2-eksbuild.1", "v1.13.1-eksbuild.1"),
        "1.35": ("v1.13.2-eksbuild.4", "v1.13.2-eksbuild.1", "v1.13.1-eksbuild.1", "v1.12.4-eksbuild.1"),
        "1.34": ("v1.13.1-eksbuild.1", "v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1"),
        "1.33": ("v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1", "v1.11.4-eksbuild.24"),
        "1.32": ("v1.11.4-eksbuild.28", "v1.11.4-eksbuild.24"),
    },
    "eks-pod-identity-agent": every("v1.3.10-eksbuild.2", "v1.3.10-eksbuild.1", "v1.3.9-eksbuild.5"),
    "aws-ebs-csi-driver": every("v1.54.0-eksbuild.1", "v1.53.0-eksbuild.1", "v1.52.1-eksbuild.1"),
    "metrics-server": every("v0.8.0-eksbuild.6", "v0.8.0-eksbuild.5", "v0.7.2-eksbuild.4"),
    "snapshot-controller": every("v8.4.0-eksbuild.2", "v8.3.0-eksbuild.3", "v8.3.0-eksbuild.1"),
}

# --- what their configuration may be -----------------------------------------------------------------------------------

TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
ANY = {"type": "object"}
LIST = {"type": "array"}


def only(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


TOLERATIONS = {"type": "array", "items": only(
    key=TEXT, operator={"type": "string", "enum": ["Equal", "Exists"]}, value=TEXT,
    effect={"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}, tolerationSeconds=NUMBER)}
QUANTITIES = only(cpu={"type": ["string", "number"]}, memory={"type": ["string", "number"]})
RESOURCES = only(requests=QUANTITIES, limits=QUANTITIES)
PODS = {"affinity": ANY, "nodeSelector": TEXTS, "podAnnotations": TEXTS, "podLabels": TEXTS, "resources": RESOURCES,
        "tolerations": TOLERATIONS, "topologySpreadConstraints": LIST}

SCHEMAS = {
    "vpc-cni": only(
        affinity=ANY, tolerations=TOLERATIONS, podAnnotations=TEXTS, podLabels=TEXTS, resources=RESOURCES, env=only(**dict.fromkeys([
            "ADDITIONAL_ENI_TAGS", "AWS_VPC_CNI_NODE_PORT_SUPPORT", "AWS_VPC_ENI_MTU", "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
            "AWS_VPC_K8S_CNI_EXTERNALSNAT", "AWS_VPC_K8S_CNI_LOGLEVEL", "AWS_VPC_K8S_CNI_RANDOMIZESNAT", "DISABLE_TCP_EARLY_DEMUX",
            "ENABLE_POD_ENI", "ENABLE_PREFIX_DELEGATION", "ENABLE_SUBNET_DISCOVERY", "ENI_CONFIG_LABEL_DEF", "MAX_ENI",
            "MINIMUM_IP_TARGET", "POD_SECURITY_GROUP_ENFORCING_MODE", "WARM_ENI_TARGET", "WARM_IP_TARGET", "WARM_PREFIX_TARGET"], TEXT)),
        enableNetworkPolicy={"type": "string", "enum": ["true", "false"]}, enableWindowsIpam={"type": "string", "enum": ["true", "false"]},
        init=only(env=TEXTS, resources=RESOURCES), nodeAgent=ANY, eniConfig=ANY, livenessProbeTimeoutSeconds=NUMBER,
        readinessProbeTimeoutSeconds=NUMBER),
    "kube-proxy": only(
        mode={"type": "string", "enum": ["iptables", "ipvs", "nftables"]}, ipvs=only(scheduler=TEXT), podAnnotations=TEXTS, podLabels=TEXTS,
        resources=RESOURCES),
    "coredns": only(
        **PODS, autoScaling=only(enabled=FLAG, minReplicas=NUMBER, maxReplicas=NUMBER), computeType=TEXT, corefile=TEXT,
        podDisruptionBudget=ANY, replicaCount=NUMBER),
    "eks-pod-identity-agent": only(
        affinity=ANY, agent=only(additionalArgs=ANY), podAnnotations=TEXTS, podLabels=TEXTS, resources=RESOURCES, tolerations=TOLERATIONS),
    "aws-ebs-csi-driver": only(
        controller=only(**PODS, additionalArgs=LIST, batching=FLAG, defaultFsType=TEXT, enableMetrics=FLAG, env=LIST, extraVolumeTags=TEXTS,
                        k8sTagClusterId=TEXT, loggingFormat=TEXT, logLevel=NUMBER, podDisruptionBudget=ANY, region=TEXT, replicaCount=NUMBER,
                        volumeModificationFeature=ANY),
        node=only(**PODS, additionalArgs=LIST, enableMetrics=FLAG, env=LIST, kubeletPath=TEXT, loggingFormat=TEXT, logLevel=NUMBER,
                  tolerateAllTaints=FLAG, volumeAttachLimit=NUMBER, reservedVolumeAttachments={"type": ["integer", "null"]}),
        sidecars=ANY, defaultStorageClass=only(enabled=FLAG), a1CompatibilityDaemonSet=FLAG, fips=FLAG),
    "metrics-server": only(
        **PODS, addonResizer=ANY, args={"type": "array", "items": TEXT}, podDisruptionBudget=ANY, priorityClassName=TEXT, replicas=NUMBER,
        updateStrategy=ANY),
    "snapshot-controller": only(
        **PODS, nameOverride=TEXT, podDisruptionBudget=ANY, priorityClassName=TEXT, replicaCount=NUMBER),
}

# Service accounts and AWS's policies for them.
POLICIES = {
    "vpc-cni": ("aws-node", "AmazonEKS_CNI_Policy"),
    "aws-ebs-csi-driver": ("ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicyV2"),
}


def information(name, minors):
    by_version = {}
    for minor in minors:
        for position, version in enumerate(ADDONS[name].get(minor, ())):
            by_version.setdefault(version, []).append(
                {"clusterVersion": minor, "platformVersions": ["*"], "defaultVersion": position == 1})
    return {
        "addonName": name, "type": "networking" if name in ("vpc-cni", "kube-proxy", "coredns") else "infra-management", "publisher": "eks",
        "owner": "aws", "defaultNamespace": "kube-system",
        "addonVersions": [{
            "addonVersion": version, "architecture": ["amd64", "arm64"], "computeTypes": ["ec2"], "compatibilities": fits,
            "requiresConfiguration": False, "requiresIamPermissions": name in POLICIES,
        } for version, fits in by_version.items()],
    }


@before("eks", "DescribeAddonVersions")
def addon_versions(context):
    minor, name = context.params.get("kubernetesVersion"), context.params.get("addonName")
    shown = [information(one, [minor] if minor else MINORS) for one in ADDONS if not name or one == name]
    return {"addons": [one for one in shown if one["addonVersions"]]}


def fitting(name, version):
    """The minors that a version of an add-on fits."""
    return [minor for minor, versions in ADDONS[name].items() if version in versions]


@before("eks", "DescribeAddonConfiguration")
def addon_configuration(context):
    name, version = context.params["addonName"], context.params["addonVersion"]
    if name not in ADDONS or not fitting(name, version):
        raise error("eks", "InvalidParameterException", f"Addon {name} with version {version} is not supported")
    shown = {"addonName": name, "addonVersion": version, "configurationSchema": json.dumps(
        {"$schema": "http://json-schema.org/draft-06/schema#", **SCHEMAS[name]})}
    if name in POLICIES:
        account, policy = POLICIES[name]
        shown["podIdentityConfiguration"] = [
            {"serviceAccount": account, "recommendedManagedPolicies": [f"arn:aws:iam::aws:policy/{policy}"]}]
    return shown


@before("eks", "CreateAddon", "UpdateAddon")
def addon_fits(context):
    name, params = context.params["addonName"], context.params
    cluster = context.backend.clusters.get(params["clusterName"])
    if name not in ADDONS or cluster is None:
        return
    if context.operation == "CreateAddon" and not params.get("addonVersion"):
        params["addonVersion"] = ADDONS[name][cluster.version][1]
    version = params.get("addonVersion")
    if version and cluster.version not in fitting(name, version):
        raise error("eks", "InvalidParameterException", "Addon version specified is not supported")
    values = params.get("configurationValues")
    if values:
        try:
            problems = list(jsonschema.Draft7Validator(SCHEMAS[name]).iter_errors(json.loads(values)))
        except ValueError:
            raise error("eks", "InvalidParameterException", "ConfigurationValue provided in request is not a valid JSON or YAML") from None
        if problems:
            told = ", ".join(f"$.{'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems)
            raise error("eks", "InvalidParameterException",
                        f"ConfigurationValue provided in request is not supported: Json schema validation failed with error: [{told}]")


# --- insights -----------------------------------------------------------------------------------------------------------

PASSING = [
    ("Kubelet version skew", "Checks for kubelet versions of worker nodes in the cluster to see if upgrade would cause noncompliance with "
     "supported Kubernetes kubelet version skew policy."),
    ("EKS add-on version compatibility", "Checks version of installed EKS add-ons to ensure they are compatible with the next version of "
     "Kubernetes."),
    ("Cluster health issues", "Checks for any cluster health issues that prevent successful upgrade to the next Kubernetes version on EKS."),
]
REFRESH_SECONDS = 120


def next_minor(version):
    major, minor = version.split(".")
    return f"{major}.{int(minor) + 1}"


def set_insights(account, cluster, insights, region="eu-central-1", refreshed=False):
    there = account.backends()["eks"][1][region].clusters[cluster]
    given = [{
        "id": f"{number:08x}-0000-4000-8000-000000000000", "category": "UPGRADE_READINESS", "kubernetesVersion": next_minor(there.version),
        "insightStatus": {"status": "ERROR", "reason": one.get("name", "")}, "description": "", "recommendation": "", "resources": [],
        **one} for number, one in enumerate(insights)]
    account.table("insights to come" if refreshed else "insights")[region, cluster] = given
    if refreshed:  # one that is over does not show them
        account.table("insights refresh").pop((region, cluster), None)


def insights_of(context):
    name = context.params["clusterName"]
    cluster, key = context.backend.clusters[name], (context.call.region, name)
    refresh = refresh_of(context)
    to_come = context.account.table("insights to come")
    if key in to_come and refresh and refresh["status"] == "COMPLETED":
        context.account.table("insights")[key] = to_come.pop(key)
    given = context.account.table("insights").get(key)
    if given is None:
        given = [{
            "id": f"{number:08x}-0000-4000-9000-000000000000", "name": title, "category": "UPGRADE_READINESS", "description": text,
            "kubernetesVersion": next_minor(cluster.version), "insightStatus": {"status": "PASSING", "reason": f"{title}: no issues found."},
        } for number, (title, text) in enumerate(PASSING)]
    seen = (refresh or {}).get("endedAt") or cluster.created_at
    return [{"lastRefreshTime": seen, "lastTransitionTime": seen, **one} for one in given]


SUMMARY = ("id", "name", "category", "kubernetesVersion", "lastRefreshTime", "lastTransitionTime", "description", "insightStatus")


@before("eks", "ListInsights")
def list_insights(context):
    wanted = context.params.get("filter") or {}

    def is_wanted(one):
        return all(value in (wanted.get(name) or [value]) for name, value in [
            ("categories", one["category"]), ("kubernetesVersions", one["kubernetesVersion"]), ("statuses", one["insightStatus"]["status"])])

    return {"insights": [{name: one[name] for name in SUMMARY if name in one} for one in insights_of(context) if is_wanted(one)]}


@before("eks", "DescribeInsight")
def describe_insight(context):
    for one in insights_of(context):
        if one["id"] == context.params["id"]:
            return {"insight": one}
    raise error("eks", "ResourceNotFoundException", f"No insight found with ID: {context.params['id']}")


def refresh_of(context):
    refresh = context.account.table("insights refresh").get((context.call.region, context.params["clusterName"]))
    if refresh and refresh["status"] == "IN_PROGRESS" and context.now() >= refresh["ends"]:
        refresh.update(status="COMPLETED", endedAt=at(refresh["ends"]))
    return refresh


def at(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


@before("eks", "StartInsightsRefresh")
def start_refresh(context):
    refresh = refresh_of(context)
    if refresh is None or refresh["status"] != "IN_PROGRESS":
        refresh = {"status": "IN_PROGRESS", "startedAt": at(context.now()), "ends": context.now() + REFRESH_SECONDS}
        context.account.table("insights refresh")[context.call.region, context.params["clusterName"]] = refresh
    return {"message": "Insights refresh is in progress", "status": refresh["status"]}


@before("eks", "DescribeInsightsRefresh")
def describe_refresh(context):
    refresh = refresh_of(context)
    if refresh is None:
        raise error("eks", "ResourceNotFoundException", "No insights refresh found")
    return {"message": "", **{name: value for name, value in refresh.items() if name != "ends"}}
