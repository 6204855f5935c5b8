//! Public addresses of NAT gateways.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{Address, DomainType, NatGateway, ResourceType};
use futures::try_join;
use reconcile::failure::Failure;
use reconcile::part::{Ask, Call, Deleted, KindTraits, Loss, Made, Object, Part, Tags};
use serde::Serialize;
use serde_json::json;

use super::list::tags_of_new;
use crate::client::Aws;
use crate::kind::{ByFilter, Ec2, InVpc, Listed, Place, by, find, no_answer, outputs, seen, settled, usual};

/// A public IPv4 address that stays the same.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "elastic_ip")]
pub struct ElasticIp {
    /// Tags beside those of ownership.
    pub tags: Tags,
}

#[async_trait]
impl ByFilter for ElasticIp {
    type Item = Address;

    const TRAITS: KindTraits = KindTraits {
        title: "elastic IP address",
        deletion_order: 50,
        reads: &["ec2:DescribeAddresses", "ec2:DescribeNatGateways"],
        writes: &[
            "ec2:AllocateAddress",
            "ec2:ReleaseAddress",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::None;
    const LOSS: Loss = Loss::Thing("its public address");

    fn see(_: &Ec2, address: Address) -> Option<Object> {
        let outputs = outputs([("public_ip", address.public_ip)]);
        Some(Object {
            outputs,
            ..settled(json!({}))
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let tags = tags_of_new(ResourceType::ElasticIp, &call.tags(&self.tags));
        let make = ec2
            .write
            .allocate_address()
            .domain(DomainType::Vpc)
            .tag_specifications(tags);
        let answer = ec2.call("ec2:AllocateAddress", make.send()).await?;
        let made = answer.allocation_id.map(Made::settled);
        made.ok_or_else(|| no_answer(call))
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let release = ec2.write.release_address().allocation_id(&object.id);
        ec2.call("ec2:ReleaseAddress", release.send()).await?;
        Ok(Deleted::Gone)
    }

    async fn find(ec2: &Ec2, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let ours = find(ec2, ask, Self::IN_VPC);
        let found = match ask.root.as_ref().filter(|_| ask.known.is_empty()) {
            None => ours.await?,
            Some(vpc) => {
                // At once with the look of the gateways' own kind, so that both are one call.
                let (found, in_vpc) = try_join!(ours, ids_in(ec2, vpc))?;
                if found.is_empty() && !in_vpc.is_empty() {
                    ec2.list(vec![(Address::BY_ID.to_owned(), in_vpc)]).await?
                } else {
                    found
                }
            }
        };
        Ok(found
            .into_iter()
            .filter_map(|address| seen::<Self>(ec2, address))
            .collect())
    }
}

impl Aws {
    /// The elastic IP addresses with one of these allocation ids, each with the network interface that has it: empty where it
    /// is free. An id that there is not in the region is left out.
    ///
    /// # Errors
    /// Where the call fails; IAM action `ec2:DescribeAddresses`.
    pub async fn addresses(
        &self,
        region: &str,
        ids: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let doing = format!("looking for addresses in {region}");
        let ec2: Ec2 = Place::new(self, region).api(doing).await?;
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let found = Address::list(&ec2, vec![(Address::BY_ID.to_owned(), ids)]).await?;
        let with_user = found.into_iter().filter_map(|address| {
            let user = address.network_interface_id.or(address.instance_id);
            Some((address.allocation_id?, user.unwrap_or_default()))
        });
        Ok(with_user.collect())
    }
}

/// An address says nothing of the VPC it serves; the VPC's NAT gateways do.
async fn ids_in(ec2: &Ec2, vpc: &str) -> Result<Vec<String>, Failure> {
    let gateways: Vec<NatGateway> = ec2.list(by("vpc-id", vpc)).await?;
    let is_live = |gateway: &&NatGateway| gateway.state().is_none_or(|state| state.as_str() != "deleted");
    let addresses = gateways
        .iter()
        .filter(is_live)
        .flat_map(NatGateway::nat_gateway_addresses);
    Ok(addresses
        .filter_map(|address| address.allocation_id().map(str::to_owned))
        .collect())
}
