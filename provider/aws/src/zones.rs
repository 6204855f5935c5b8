//! The availability zones of a region.

use aws_sdk_ec2::types::Filter;
use reconcile::failure::Failure;

use crate::client::Aws;

/// Zones by id in which EKS makes no control plane interfaces (Amazon EKS user guide, "VPC and subnet considerations").
const WITHOUT_EKS: &[&str] = &["use1-az3", "usw1-az2", "cac1-az3"];

/// An availability zone; local and wavelength zones are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name, other in every account: `eu-central-1a`.
    pub name: String,
    /// Its id, the same for all accounts: `euc1-az2`.
    pub id: String,
    /// `available`, `impaired`, `unavailable`, …
    pub state: String,
    /// The account may use it: opted in, or no opt-in required.
    pub opted_in: bool,
    /// EKS can use it.
    pub eks_usable: bool,
}

impl Zone {
    /// Whether subnets of a platform may lie there.
    pub fn usable(&self) -> bool {
        self.why_not().is_empty()
    }

    /// Why it cannot be used; empty where it can.
    pub fn why_not(&self) -> String {
        if !self.eks_usable {
            format!("EKS does not support the zone {}", self.id)
        } else if !self.opted_in {
            "the account has not opted in to it".to_owned()
        } else if matches!(self.state.as_str(), "available" | "information" | "impaired") {
            String::new()
        } else {
            format!("its state is {}", self.state)
        }
    }
}

impl Aws {
    /// The availability zones of the region, by name.
    ///
    /// # Errors
    /// Where the call fails; IAM action `ec2:DescribeAvailabilityZones`.
    pub async fn zones(&self, region: &str) -> Result<Vec<Zone>, Failure> {
        self.check_region(region)?;
        let ec2 = self.ec2(region).await?;
        let kind = Filter::builder()
            .name("zone-type")
            .values("availability-zone")
            .build();
        let answer = self
            .in_region(region)
            .call(
                "ec2:DescribeAvailabilityZones",
                format!("listing the availability zones of {region}"),
                ec2.read.describe_availability_zones().filters(kind).send(),
            )
            .await?;
        let mut zones: Vec<Zone> = answer
            .availability_zones
            .unwrap_or_default()
            .into_iter()
            .map(zone)
            .collect();
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(zones)
    }
}

fn zone(zone: aws_sdk_ec2::types::AvailabilityZone) -> Zone {
    let id = zone.zone_id.unwrap_or_default();
    Zone {
        name: zone.zone_name.unwrap_or_default(),
        state: zone
            .state
            .map(|state| state.as_str().to_owned())
            .unwrap_or_default(),
        opted_in: zone
            .opt_in_status
            .is_none_or(|status| status.as_str() != "not-opted-in"),
        eks_usable: !WITHOUT_EKS.contains(&id.as_str()),
        id,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState};

    use super::*;

    #[test]
    fn a_zone_without_eks_or_opt_in_says_why() {
        let of = |id: &str, status| {
            zone(
                AvailabilityZone::builder()
                    .zone_name("us-east-1e")
                    .zone_id(id)
                    .state(AvailabilityZoneState::Available)
                    .opt_in_status(status)
                    .build(),
            )
        };
        assert!(of("use1-az1", AvailabilityZoneOptInStatus::OptInNotRequired).usable());
        // Emulators leave it empty.
        assert!(of("use1-az1", AvailabilityZoneOptInStatus::from("")).usable());
        assert!(
            of("use1-az3", AvailabilityZoneOptInStatus::OptInNotRequired)
                .why_not()
                .contains("EKS")
        );
        assert!(
            of("use1-az1", AvailabilityZoneOptInStatus::NotOptedIn)
                .why_not()
                .contains("opted in")
        );
    }
}
