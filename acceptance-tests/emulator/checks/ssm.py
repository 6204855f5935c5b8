"""Systems Manager: images of nodes by AWS's parameters; and the price list."""

import json


def check(checker):
    ssm, ec2 = checker.client("ssm"), checker.client("ec2")
    path = "/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/arm64/standard"
    named = lambda name: ssm.get_parameter(Name=name)["Parameter"]["Value"]  # noqa: E731
    newest = named(f"{path}/recommended/image_id")
    checker.same("the newest", named(f"{path}/amazon-eks-node-al2023-arm64-standard-1.34-v20261120/image_id"), newest)
    older = named(f"{path}/amazon-eks-node-al2023-arm64-standard-1.34-v20261101/image_id")
    checker.same("another", older != newest, True)
    [image] = ec2.describe_images(Filters=[{"Name": "image-id", "Values": [older]}])["Images"]
    checker.same("an image", (image["Architecture"], image["Name"]), ("arm64", "amazon-eks-node-al2023-arm64-standard-1.34-v20261101"))
    checker.refused(ssm.get_parameter, "ParameterNotFound", Name="/aws/service/eks/optimized-ami/1.34/amazon-linux-2/recommended/image_id")
    pricing = checker.client("pricing")
    first = json.loads(pricing.get_products(ServiceCode="AmazonEC2", MaxResults=10)["PriceList"][0])
    checker.same("a price", first["terms"]["OnDemand"].keys(), {first["product"]["attributes"]["instanceType"]})
