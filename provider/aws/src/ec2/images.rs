//! Machine images of EKS.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use reconcile::failure::{Class, Failure};

use crate::client::Aws;
use crate::kind::{Ec2, Place};

/// The IAM action of [`newest_release`].
pub const IMAGES: &str = "ec2:DescribeImages";

/// The newest release of EKS's Amazon Linux 2023 for a minor version of Kubernetes that there is for all of these architectures
/// (`amd64`, `arm64`), as Karpenter names it: `v20261101` (EKS user guide, "Retrieve recommended Amazon Linux AMI IDs").
///
/// # Errors
/// The call fails, or there is none.
pub async fn newest_release(
    aws: &Aws,
    region: &str,
    version: &str,
    architectures: &BTreeSet<String>,
) -> Result<String, Failure> {
    let doing = format!("looking for the machine image of Kubernetes {version} in {region}");
    let ec2: Ec2 = Place::new(aws, region).api(doing).await?;
    let mut common: Option<BTreeSet<String>> = None;
    for architecture in architectures {
        let architecture = if architecture == "arm64" {
            "arm64"
        } else {
            "x86_64"
        };
        let beginning = format!("amazon-eks-node-al2023-{architecture}-standard-{version}-");
        let by_name = Filter::builder()
            .name("name")
            .values(format!("{beginning}*"))
            .build();
        let look = ec2.read.describe_images().owners("amazon").filters(by_name);
        let answer = ec2.call(IMAGES, look.send()).await?;
        let names = answer.images.unwrap_or_default().into_iter();
        let releases: BTreeSet<String> = names
            .filter_map(|image| Some(image.name?.strip_prefix(&beginning)?.to_owned()))
            .collect();
        common = Some(match common {
            None => releases,
            Some(common) => common.intersection(&releases).cloned().collect(),
        });
    }
    // They are dates.
    common.and_then(|mut all| all.pop_last()).ok_or_else(|| {
        let cause = "EKS has no image of Amazon Linux 2023 for it";
        Failure::new(Class::Invalid, ec2.doing(), cause)
            .hint("See that the version and the region are right, or give `ami_alias` (for example al2023@v20261101).")
    })
}
