"""EKS: versions, add-ons and what they take, insights."""

import json
import urllib.request


def check(checker):
    ec2, eks = checker.client("ec2"), checker.client("eks")
    versions = lambda **filters: [one["clusterVersion"] for one in eks.describe_cluster_versions(**filters)["clusterVersions"]]  # noqa: E731
    checker.same("versions", versions(), ["1.36", "1.35", "1.34", "1.33", "1.32"])
    checker.same("all versions", versions(includeAll=True)[-1], "1.30")
    checker.same("the default", versions(defaultOnly=True), ["1.35"])
    checker.same("in extended support", versions(versionStatus="EXTENDED_SUPPORT"), ["1.33", "1.32"])
    checker.same("a version", eks.describe_cluster_versions(clusterVersions=["1.34"])["clusterVersions"][0]
                 ["endOfStandardSupportDate"].date().isoformat(), "2026-12-02")

    checker.same("add-ons", len(eks.describe_addon_versions()["addons"]), 7)
    addons = eks.describe_addon_versions(addonName="coredns", kubernetesVersion="1.32")["addons"]
    checker.same("versions of an add-on", [
        (one["addonVersion"], one["compatibilities"][0]["defaultVersion"]) for one in addons[0]["addonVersions"]], [
        ("v1.11.4-eksbuild.28", False), ("v1.11.4-eksbuild.24", True)])
    checker.same("no add-on", eks.describe_addon_versions(addonName="absent")["addons"], [])
    for addon in eks.describe_addon_versions(kubernetesVersion="1.35")["addons"]:
        version = addon["addonVersions"][0]["addonVersion"]
        schema = eks.describe_addon_configuration(addonName=addon["addonName"], addonVersion=version)["configurationSchema"]
        checker.same("unknown keys", json.loads(schema)["additionalProperties"], False)
    checker.refused(eks.describe_addon_configuration, "InvalidParameterException", addonName="coredns", addonVersion="v0")

    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"]["SubnetId"]
               for n, zone in enumerate("ab")]
    eks.create_cluster(name="catalog", version="1.34", roleArn="arn:aws:iam::123456789012:role/eks",
                       resourcesVpcConfig={"subnetIds": subnets})
    checker.advance(541)
    addon = {"clusterName": "catalog", "addonName": "coredns"}
    checker.refused(eks.create_addon, "InvalidParameterException", **addon, addonVersion="v1.11.4-eksbuild.24")
    checker.refused(eks.create_addon, "InvalidParameterException", **addon, configurationValues='{"replicas": 2}')
    checker.refused(eks.create_addon, "InvalidParameterException", **addon, configurationValues="{")
    made = eks.create_addon(**addon, configurationValues='{"replicaCount": 2}')["addon"]
    checker.same("the default version", made["addonVersion"], "v1.12.4-eksbuild.1")
    checker.advance(31)
    checker.refused(eks.update_addon, "InvalidParameterException", **addon, configurationValues='{"tolerations": {}}')

    of = {"clusterName": "catalog"}
    listed = lambda **filters: [one["insightStatus"]["status"] for one in eks.list_insights(**of, filter=filters)["insights"]]  # noqa: E731
    checker.same("insights", listed(categories=["UPGRADE_READINESS"]), ["PASSING"] * 3)
    finding = {"name": "Deprecated APIs removed in Kubernetes v1.35", "insightStatus": {"status": "ERROR", "reason": "Calls were seen."},
               "resources": [{"insightStatus": {"status": "ERROR"}, "kubernetesResourceUri": "/apis/a/v1/b"}],
               "categorySpecificSummary": {"deprecationDetails": [{"usage": "/apis/a/v1/b", "replacedWith": "/apis/a/v2/b",
                                                                    "stopServingVersion": "1.35", "clientStats": [{"userAgent": "kubectl"}]}]}}
    put_insights(checker, {"cluster": "catalog", "insights": [finding, {"name": "Later", "kubernetesVersion": "1.36",
                                                                        "insightStatus": {"status": "WARNING"}}]})
    checker.same("insights", listed(), ["ERROR", "WARNING"])
    checker.same("insights", listed(statuses=["WARNING"], kubernetesVersions=["1.36"]), ["WARNING"])
    id = eks.list_insights(**of)["insights"][0]["id"]
    checker.same("an insight", eks.describe_insight(**of, id=id)["insight"]["resources"][0]["kubernetesResourceUri"], "/apis/a/v1/b")
    checker.refused(eks.describe_insight, "ResourceNotFoundException", **of, id="absent")
    checker.refused(eks.describe_insights_refresh, "ResourceNotFoundException", **of)
    put_insights(checker, {"cluster": "catalog", "insights": [], "refreshed": True})
    checker.same("before a refresh", listed(), ["ERROR", "WARNING"])
    checker.same("a refresh", eks.start_insights_refresh(**of)["status"], "IN_PROGRESS")
    checker.same("during it", (eks.describe_insights_refresh(**of)["status"], listed()), ("IN_PROGRESS", ["ERROR", "WARNING"]))
    checker.advance(121)
    checker.same("after it", (eks.describe_insights_refresh(**of)["status"], listed()), ("COMPLETED", []))


def put_insights(checker, body):
    url = f"{checker.url}/_ekb/accounts/{checker.key[4:16]}/insights"
    urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(body).encode(), method="POST"))
