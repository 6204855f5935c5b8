//! Public addresses that the user names.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Filter;
use reconcile::failure::Failure;

use crate::client::Aws;

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
        let ec2 = self.ec2(region).await?;
        // By a filter: a list of ids gives an error for one that there is not.
        let by_id = Filter::builder()
            .name("allocation-id")
            .set_values(Some(ids.iter().map(|id| (*id).to_owned()).collect()))
            .build();
        let answer = self
            .in_region(region)
            .call(
                "ec2:DescribeAddresses",
                format!("looking for addresses in {region}"),
                ec2.read.describe_addresses().filters(by_id).send(),
            )
            .await?;
        let addresses = answer.addresses.unwrap_or_default().into_iter();
        let found = addresses.filter_map(|address| {
            let user = address.network_interface_id.or(address.instance_id);
            Some((address.allocation_id?, user.unwrap_or_default()))
        });
        Ok(found.collect())
    }
}
