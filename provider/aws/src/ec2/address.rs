//! Public addresses of NAT gateways.

use async_trait::async_trait;
use aws_sdk_ec2::types::{DomainType, ResourceType};
use futures::try_join;
use reconcile::failure::Failure;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Loss, Made, Object, Part, Tags,
};
use serde::Serialize;
use serde_json::json;

use super::find::{Filters, InVpc, filters, find, tags, tags_of_new};
use super::nat_gateway::Gateways;
use crate::kind::{INVISIBLE, Place, QUICK, object, outputs};

/// A public IPv4 address that stays the same.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "elastic_ip")]
pub struct ElasticIp {
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct Addresses {
    place: Place,
    gateways: Gateways,
}

impl Addresses {
    pub(crate) fn new(place: &Place, gateways: &Gateways) -> Self {
        Self {
            place: place.clone(),
            gateways: gateways.clone(),
        }
    }

    async fn describe(&self, by: Filters) -> Result<Vec<aws_sdk_ec2::types::Address>, Failure> {
        let ec2 = self.place.ec2().await?;
        // This call knows no pages.
        let call = ec2
            .read
            .describe_addresses()
            .set_filters(Some(filters(by)))
            .send();
        let answer = self
            .place
            .aws
            .call("ec2:DescribeAddresses", "looking for addresses", call)
            .await?;
        Ok(answer.addresses.unwrap_or_default())
    }

    /// An address says nothing of the VPC it serves; the VPC's NAT gateways do.
    async fn ids_in(&self, vpc: &str) -> Result<Vec<String>, Failure> {
        let gateways = self
            .gateways
            .describe(vec![("vpc-id".to_owned(), vec![vpc.to_owned()])])
            .await?;
        let live = gateways
            .iter()
            .filter(|gateway| gateway.state().is_none_or(|state| state.as_str() != "deleted"));
        let addresses = live.flat_map(|gateway| gateway.nat_gateway_addresses());
        Ok(addresses
            .filter_map(|address| address.allocation_id().map(str::to_owned))
            .collect())
    }
}

fn observed(address: aws_sdk_ec2::types::Address) -> Option<Object> {
    Some(Object {
        outputs: outputs([("public_ip", address.public_ip)]),
        ..object(
            address.allocation_id?,
            Condition::Settled,
            json!({}),
            tags(address.tags),
            Vec::new(),
        )
    })
}

#[async_trait]
impl Kind for Addresses {
    type Part = ElasticIp;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: ElasticIp::KIND,
            title: "elastic IP address",
            deletion_order: 50,
            idempotence: Idempotence::None,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeAddresses", "ec2:DescribeNatGateways"],
            writes: &[
                "ec2:AllocateAddress",
                "ec2:ReleaseAddress",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn loss(&self) -> Loss {
        Loss::Thing("its public address")
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let id = aws_sdk_ec2::types::Address::allocation_id;
        let ours = find(ask, "allocation-id", InVpc::None, id, |filters| {
            self.describe(filters)
        });
        let Some(vpc) = ask.root.as_ref().filter(|_| ask.known.is_empty()) else {
            return Ok(ours.await?.into_iter().filter_map(observed).collect());
        };
        // At once with the look of the gateways' own kind, so that both are one call.
        let (mut found, in_vpc) = try_join!(ours, self.ids_in(vpc))?;
        if found.is_empty() && !in_vpc.is_empty() {
            found = self.describe(vec![("allocation-id".to_owned(), in_vpc)]).await?;
        }
        Ok(found.into_iter().filter_map(observed).collect())
    }

    async fn create(&self, part: &ElasticIp, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.place.ec2().await?;
        let make = ec2
            .write
            .allocate_address()
            .domain(DomainType::Vpc)
            .tag_specifications(tags_of_new(ResourceType::ElasticIp, &call.tags(&part.tags)))
            .send();
        let doing = format!("allocating elastic IP address ({})", call.key);
        let answer = self.place.aws.call("ec2:AllocateAddress", doing, make).await?;
        Ok(Made::settled(answer.allocation_id.unwrap_or_default()))
    }

    async fn update(&self, _: &ElasticIp, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.place.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let ec2 = self.place.ec2().await?;
        let release = ec2.write.release_address().allocation_id(&object.id).send();
        let doing = format!("releasing elastic IP address {}", object.id);
        let released = self.place.aws.call("ec2:ReleaseAddress", doing, release).await;
        released.map(|_| Deleted::Gone)
    }
}
