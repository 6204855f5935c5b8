//! The zones in which AWS offers services by interface endpoints.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, ServiceType};
use reconcile::failure::Failure;

use crate::client::Aws;
use crate::partition::interface_endpoint_service;

impl Aws {
    /// The names of the zones of the region in which an interface endpoint can have an address, by the service's short name
    /// (`ecr.api`). A service that has no interface endpoints there is left out.
    ///
    /// # Errors
    /// Where the call fails; IAM action `ec2:DescribeVpcEndpointServices`.
    pub async fn endpoint_zones(
        &self,
        region: &str,
        services: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
        let full: BTreeMap<String, &String> = services
            .iter()
            .map(|service| (interface_endpoint_service(region, service), service))
            .collect();
        let ec2 = self.ec2(region).await?;
        let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut next: Option<String> = None;
        loop {
            // By a filter: a list of names gives an error for one that there is not.
            let by_name = Filter::builder()
                .name("service-name")
                .set_values(Some(full.keys().cloned().collect()))
                .build();
            let page = ec2
                .read
                .describe_vpc_endpoint_services()
                .filters(by_name)
                .set_next_token(next.take())
                .send();
            let answer = self
                .in_region(region)
                .call(
                    "ec2:DescribeVpcEndpointServices",
                    format!("listing the endpoint services of {region}"),
                    page,
                )
                .await?;
            for service in answer.service_details.unwrap_or_default() {
                let mut types = service.service_type().iter();
                let is_interface = types.any(|kind| kind.service_type() == Some(&ServiceType::Interface));
                let Some(short) = service.service_name().and_then(|name| full.get(name)) else {
                    continue;
                };
                if is_interface {
                    let names = service.availability_zones.unwrap_or_default();
                    zones.entry((*short).clone()).or_default().extend(names);
                }
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break Ok(zones);
            }
        }
    }
}
