//! Partitions of AWS, and what is named otherwise in them: ARNs, principals of services, services of VPC endpoints.

/// Beginnings of regions, the partition they lie in (second word of ARNs).
const PARTITIONS: &[(&str, &str)] = &[
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
];

/// The ARN of an IAM role with this path (`/`, or from `/` to `/`) and name.
pub fn role_arn(region: &str, account: &str, path: &str, name: &str) -> String {
    format!("arn:{}:iam::{account}:role{path}{name}", partition(region))
}

/// The partition of a region, by its name: `aws`, `aws-cn`, `aws-us-gov`, …
pub fn partition(region: &str) -> &'static str {
    PARTITIONS
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// What the names of AWS's own endpoints end with in the region's partition (AWS SDK, `partitions.json`).
pub fn dns_suffix(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// Whom a role lets in: `eks.amazonaws.com`. Nearly all services have that name in every partition; EC2's is
/// `ec2.amazonaws.com.cn` in China (AWS China user guide, "Endpoints and ARNs").
pub fn principal(service: &str, region: &str) -> String {
    let suffix = if service == "ec2" && partition(region) == "aws-cn" {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("{service}.{suffix}")
}

/// Interface endpoints whose services are named `cn.com.amazonaws.…` in China's regions, as `aws ec2
/// describe-vpc-endpoint-services` lists them there (and AWS CDK, aws-ec2/lib/vpc-endpoint.ts); the others are
/// `com.amazonaws.…` there too.
const OF_CHINA: &[&str] = &[
    "account",
    "application-autoscaling",
    "athena",
    "autoscaling",
    "backup",
    "batch",
    "cassandra",
    "cloudcontrolapi",
    "cloudformation",
    "databrew",
    "dms",
    "ebs",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "emr-containers",
    "execute-api",
    "fsx",
    "imagebuilder",
    "kinesis-streams",
    "lambda",
    "license-manager",
    "monitoring",
    "rds",
    "redshift",
    "redshift-data",
    "s3",
    "sagemaker.api",
    "sagemaker.runtime",
    "securityhub",
    "servicecatalog",
    "sqs",
    "states",
    "sts",
    "sync-states",
    "synthetics",
    "transcribe",
    "transfer",
    "xray",
];

/// The full name of the service of an interface endpoint: `com.amazonaws.eu-central-1.ecr.api`.
pub fn interface_endpoint_service(region: &str, service: &str) -> String {
    let is_of_china = partition(region) == "aws-cn" && OF_CHINA.contains(&service);
    let prefix = if is_of_china { "cn." } else { "" };
    format!("{prefix}{}", gateway_endpoint_service(region, service))
}

/// The full name of the service of a gateway endpoint (S3, DynamoDB): `com.amazonaws.eu-central-1.s3`.
pub fn gateway_endpoint_service(region: &str, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// What follows the region in the full name of a service (services have dots too): `ecr.api`.
pub fn short_endpoint_service(full: &str) -> Option<&str> {
    let rest = full.strip_prefix("cn.").unwrap_or(full);
    let (_, service) = rest.strip_prefix("com.amazonaws.")?.split_once('.')?;
    Some(service).filter(|service| !service.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_names() {
        for (region, expected) in [
            ("eu-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition(region), expected);
        }
        assert_eq!(principal("ec2", "cn-north-1"), "ec2.amazonaws.com.cn");
        assert_eq!(principal("eks", "cn-north-1"), "eks.amazonaws.com");
        assert_eq!(principal("ec2", "us-gov-west-1"), "ec2.amazonaws.com");
    }

    #[test]
    fn endpoints_of_china_have_two_kinds_of_names() {
        let interface = interface_endpoint_service;
        assert_eq!(
            interface("cn-north-1", "ecr.api"),
            "cn.com.amazonaws.cn-north-1.ecr.api"
        );
        assert_eq!(interface("cn-north-1", "logs"), "com.amazonaws.cn-north-1.logs");
        assert_eq!(
            interface("eu-central-1", "ecr.api"),
            "com.amazonaws.eu-central-1.ecr.api"
        );
        assert_eq!(
            gateway_endpoint_service("cn-north-1", "s3"),
            "com.amazonaws.cn-north-1.s3"
        );
        for region in ["cn-north-1", "eu-central-1"] {
            for service in ["ecr.api", "sts", "logs"] {
                assert_eq!(short_endpoint_service(&interface(region, service)), Some(service));
            }
        }
        assert_eq!(short_endpoint_service("ecr.api"), None);
    }
}
