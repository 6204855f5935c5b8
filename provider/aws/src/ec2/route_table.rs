//! Route tables; their routes and associations are fields, of which foreign entries are left alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::types::ResourceType;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, find, pages, tags, tags_of_new};
use crate::kind::{INVISIBLE, Place, QUICK, gone, id_of, list_changes, no_answer, object, unfinished};

/// A route table with the subnets that use it.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "route_table")]
pub struct RouteTable {
    /// The VPC it lies in.
    #[part(replace)]
    pub vpc: Ref,
    /// The subnets associated with it.
    #[part(own_entries)]
    pub subnets: Vec<Ref>,
    /// Target by destination (an IPv4 or IPv6 range); the local route is AWS's own. A gateway that takes its time does not
    /// hold up the table, on which others wait.
    #[part(own_entries, later)]
    pub routes: BTreeMap<String, Ref>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct RouteTables(pub(crate) Place);

/// Sets the argument that fits the target's id on a call that makes or replaces a route.
macro_rules! route {
    ($call:expr, $table:expr, $destination:expr, $target:expr) => {{
        let call = $call.route_table_id($table);
        let call = match $destination {
            destination if destination.starts_with("pl-") => call.destination_prefix_list_id(destination),
            destination if destination.contains(':') => call.destination_ipv6_cidr_block(destination),
            destination => call.destination_cidr_block(destination),
        };
        match $target.split('-').next().unwrap_or_default() {
            "nat" => call.nat_gateway_id($target),
            "tgw" => call.transit_gateway_id($target),
            "pcx" => call.vpc_peering_connection_id($target),
            "eni" => call.network_interface_id($target),
            "eigw" => call.egress_only_internet_gateway_id($target),
            "vpce" => call.vpc_endpoint_id($target),
            "i" => call.instance_id($target),
            _ => call.gateway_id($target),
        }
    }};
}

impl RouteTables {
    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::RouteTable>, Failure> {
        pages!(
            &self.0,
            "ec2:DescribeRouteTables",
            "looking for route tables",
            describe_route_tables,
            set_filters,
            route_tables,
            filters,
            100
        )
    }

    /// Makes the route, or turns the one that is there to this target.
    async fn set_route(&self, table: &str, destination: &str, target: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let doing = || format!("setting route {destination} of route table {table} to {target}");
        let create = route!(ec2.write.create_route(), table, destination, target).send();
        match self.0.aws.call("ec2:CreateRoute", doing(), create).await {
            Err(failure) if failure.class == Class::Exists => {
                let replace = route!(ec2.write.replace_route(), table, destination, target).send();
                self.0
                    .aws
                    .call("ec2:ReplaceRoute", doing(), replace)
                    .await
                    .map(|_| ())
            }
            other => other.map(|_| ()),
        }
    }

    async fn remove_route(&self, table: &str, destination: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let call = ec2.write.delete_route().route_table_id(table);
        let call = match destination {
            destination if destination.starts_with("pl-") => call.destination_prefix_list_id(destination),
            destination if destination.contains(':') => call.destination_ipv6_cidr_block(destination),
            destination => call.destination_cidr_block(destination),
        };
        let doing = format!("removing route {destination} of route table {table}");
        gone(
            self.0
                .aws
                .call("ec2:DeleteRoute", doing, call.send())
                .await
                .map(|_| ()),
        )
    }

    async fn associate(&self, table: &str, subnet: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let doing = || format!("associating subnet {subnet} with route table {table}");
        let associate = ec2
            .write
            .associate_route_table()
            .route_table_id(table)
            .subnet_id(subnet)
            .send();
        match self
            .0
            .aws
            .call("ec2:AssociateRouteTable", doing(), associate)
            .await
        {
            Err(failure) if failure.class == Class::Exists => {
                // The subnet is ours and uses another table: it is moved, without a moment in which it has none.
                let by_subnet = vec![("association.subnet-id".to_owned(), vec![subnet.to_owned()])];
                let Some((other, association)) =
                    self.describe(by_subnet).await?.into_iter().find_map(|other| {
                        let associations = associations(&other);
                        let found = associations.get(subnet).cloned();
                        Some((other.route_table_id?, found?))
                    })
                else {
                    return Err(failure);
                };
                if other == table {
                    return Ok(());
                }
                let replace = ec2
                    .write
                    .replace_route_table_association()
                    .association_id(association)
                    .route_table_id(table)
                    .send();
                self.0
                    .aws
                    .call("ec2:ReplaceRouteTableAssociation", doing(), replace)
                    .await
                    .map(|_| ())
            }
            other => other.map(|_| ()),
        }
    }

    async fn disassociate(&self, table: &str, association: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let call = ec2
            .write
            .disassociate_route_table()
            .association_id(association)
            .send();
        let doing = format!("disassociating route table {table} from a subnet ({association})");
        gone(
            self.0
                .aws
                .call("ec2:DisassociateRouteTable", doing, call)
                .await
                .map(|_| ()),
        )
    }

    fn object(&self, table: aws_sdk_ec2::types::RouteTable) -> Option<Object> {
        let associations = associations(&table);
        let main = table
            .associations()
            .iter()
            .any(|association| association.main() == Some(true));
        let arn = self
            .0
            .arn(table.owner_id(), "route-table", table.route_table_id()?);
        let routes: BTreeMap<String, String> = table.routes().iter().filter_map(route).collect();
        let subnets: Vec<&String> = associations.keys().collect();
        let fields = json!({ "vpc": table.vpc_id, "subnets": subnets, "routes": routes });
        let targets = routes
            .values()
            .map(|target| target.trim_start_matches(BLACKHOLE).to_owned());
        let references = table
            .vpc_id
            .iter()
            .cloned()
            .chain(associations.keys().cloned())
            .chain(targets)
            .collect();
        let own = tags(table.tags);
        // The main table comes and goes with its VPC.
        if main && !own.contains_key("ekb:part") {
            return None;
        }
        let detail = json!({ "associations": associations });
        Some(Object {
            arn,
            detail,
            ..object(table.route_table_id?, Condition::Settled, fields, own, references)
        })
    }
}

/// What a target that is gone begins with: the route is there and leads nowhere.
const BLACKHOLE: &str = "blackhole ";

/// Destination and target of a route; none for those that AWS makes: local, propagated, of gateway endpoints.
fn route(route: &aws_sdk_ec2::types::Route) -> Option<(String, String)> {
    if route
        .origin()
        .is_some_and(|origin| origin.as_str() != "CreateRoute")
    {
        return None;
    }
    let destination = route
        .destination_cidr_block()
        .or(route.destination_ipv6_cidr_block())
        .or(route.destination_prefix_list_id())?;
    let target = route
        .nat_gateway_id()
        .or(route.transit_gateway_id())
        .or(route.vpc_peering_connection_id())
        .or(route.egress_only_internet_gateway_id())
        .or(route.network_interface_id())
        .or(route.instance_id())
        .or(route.gateway_id())
        .or(route.local_gateway_id())
        .or(route.carrier_gateway_id())
        .or(route.core_network_arn())?;
    if target == "local" || (destination.starts_with("pl-") && target.starts_with("vpce-")) {
        return None;
    }
    let gone = route.state().is_some_and(|state| state.as_str() == "blackhole");
    Some((
        destination.to_owned(),
        if gone {
            format!("{BLACKHOLE}{target}")
        } else {
            target.to_owned()
        },
    ))
}

/// Association id by subnet.
fn associations(table: &aws_sdk_ec2::types::RouteTable) -> BTreeMap<String, String> {
    let live = |association: &&aws_sdk_ec2::types::RouteTableAssociation| {
        let state = association.association_state().and_then(|state| state.state());
        !state.is_some_and(|state| matches!(state.as_str(), "disassociating" | "disassociated" | "failed"))
    };
    let pair = |association: &aws_sdk_ec2::types::RouteTableAssociation| {
        Some((
            association.subnet_id()?.to_owned(),
            association.route_table_association_id()?.to_owned(),
        ))
    };
    table
        .associations()
        .iter()
        .filter(live)
        .filter_map(pair)
        .collect()
}

#[async_trait]
impl Kind for RouteTables {
    type Part = RouteTable;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: RouteTable::KIND,
            title: "route table",
            deletion_order: 40,
            idempotence: Idempotence::Token,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeRouteTables"],
            writes: &[
                "ec2:CreateRouteTable",
                "ec2:CreateRoute",
                "ec2:ReplaceRoute",
                "ec2:DeleteRoute",
                "ec2:AssociateRouteTable",
                "ec2:ReplaceRouteTableAssociation",
                "ec2:DisassociateRouteTable",
                "ec2:DeleteRouteTable",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        let subnets = |fields: &Value| fields["subnets"].as_array().cloned().unwrap_or_default();
        let theirs = subnets(&object.fields);
        subnets(declared).iter().any(|subnet| theirs.contains(subnet))
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let in_vpc = InVpc::All("vpc-id");
        let found = find(
            ask,
            "route-table-id",
            in_vpc,
            aws_sdk_ec2::types::RouteTable::route_table_id,
            |f| self.describe(f),
        )
        .await?;
        Ok(found.into_iter().filter_map(|table| self.object(table)).collect())
    }

    async fn create(&self, part: &RouteTable, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.0.ec2().await?;
        let subnets = part
            .subnets
            .iter()
            .map(|subnet| call.id(subnet))
            .collect::<Result<Vec<_>, _>>()?;
        let routes = part
            .routes
            .iter()
            .filter(|(_, target)| call.has(target))
            .map(|(to, target)| Ok((to, call.id(target)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        let make = ec2
            .write
            .create_route_table()
            .vpc_id(call.id(&part.vpc)?)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::RouteTable, &call.tags(&part.tags)))
            .send();
        let doing = format!("creating route table ({})", call.key);
        let answer = self.0.aws.call("ec2:CreateRouteTable", doing, make).await?;
        let made = answer
            .route_table
            .and_then(|table| self.object(table))
            .ok_or_else(|| no_answer(call))?;
        let id = &made.id;
        // Routes before associations: a subnet never loses its way out.
        let finish = async {
            try_join_all(routes.iter().map(|(to, target)| self.set_route(id, to, target))).await?;
            try_join_all(subnets.iter().map(|subnet| self.associate(id, subnet))).await?;
            Ok(())
        };
        let condition = unfinished(finish.await, Condition::Settled);
        Ok(Made::new(made.id, condition).arn(made.arn))
    }

    async fn update(
        &self,
        _: &RouteTable,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let none = serde_json::Map::new();
        for difference in differences
            .iter()
            .filter(|difference| difference.field == "routes")
        {
            let is_now = difference.is.as_object().unwrap_or(&none);
            let should = difference.should.as_object().unwrap_or(&none);
            for (destination, target) in should
                .iter()
                .filter(|(to, target)| is_now.get(*to) != Some(target))
            {
                self.set_route(
                    &is.id,
                    destination,
                    id_of(target.as_str().unwrap_or_default(), call),
                )
                .await?;
            }
            for destination in is_now.keys().filter(|to| !should.contains_key(*to)) {
                self.remove_route(&is.id, destination).await?;
            }
        }
        for difference in differences
            .iter()
            .filter(|difference| difference.field == "subnets")
        {
            let (add, remove) = list_changes(difference, call);
            for subnet in add {
                self.associate(&is.id, subnet).await?;
            }
            for association in remove
                .iter()
                .filter_map(|subnet| is.detail["associations"][subnet].as_str())
            {
                self.disassociate(&is.id, association).await?;
            }
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let associations = object.detail["associations"].as_object();
        let ids = associations
            .into_iter()
            .flat_map(|map| map.values())
            .filter_map(Value::as_str);
        try_join_all(ids.map(|association| self.disassociate(&object.id, association))).await?;
        let ec2 = self.0.ec2().await?;
        let delete = ec2.write.delete_route_table().route_table_id(&object.id).send();
        let doing = format!("deleting route table {}", object.id);
        self.0
            .aws
            .call("ec2:DeleteRouteTable", doing, delete)
            .await
            .map(|_| Deleted::Gone)
    }
}
