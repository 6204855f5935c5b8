//! Route tables; their routes and associations are fields, of which foreign entries are left alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType, RouteTableAssociation};
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::tags_of_new;
use crate::kind::{
    ByFilter, Ec2, Listed, by, finished, gone, id_of, list_changes, made, map_changes, of, settled, usual,
};

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

#[async_trait]
impl ByFilter for RouteTable {
    type Item = types::RouteTable;

    const TRAITS: KindTraits = KindTraits {
        title: "route table",
        deletion_order: 40,
        idempotence: Idempotence::Token,
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
        ..usual(Self::KIND)
    };

    fn see(ec2: &Ec2, table: types::RouteTable) -> Option<Object> {
        // The main table comes and goes with its VPC.
        let is_main = table
            .associations()
            .iter()
            .any(|association| association.main() == Some(true));
        if is_main && !table.all_tags().contains_key("ekb:part") {
            return None;
        }
        let associations = associations(&table);
        let subnets: Vec<&String> = associations.keys().collect();
        let routes: BTreeMap<String, String> = table.routes().iter().filter_map(route).collect();
        let targets = routes
            .values()
            .map(|target| target.trim_start_matches(BLACKHOLE).to_owned());
        let references = table
            .vpc_id
            .iter()
            .chain(subnets.iter().copied())
            .cloned()
            .chain(targets)
            .collect();
        let fields = json!({ "vpc": table.vpc_id, "subnets": subnets, "routes": routes });
        let arn = ec2.arn(table.owner_id(), "route-table", table.route_table_id());
        let detail = json!({ "associations": associations });
        Some(Object {
            arn,
            references,
            detail,
            ..settled(fields)
        })
    }

    fn stands_for(declared: &Value, object: &Object) -> bool {
        let subnets = |fields: &Value| fields["subnets"].as_array().cloned().unwrap_or_default();
        let theirs = subnets(&object.fields);
        subnets(declared).iter().any(|subnet| theirs.contains(subnet))
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let subnets = self.subnets.iter().map(|subnet| call.id(subnet));
        let subnets = subnets.collect::<Result<Vec<_>, _>>()?;
        let routes = self.routes.iter().filter(|(_, target)| call.has(target));
        let routes = routes
            .map(|(to, target)| Ok((to, call.id(target)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        let make = ec2
            .write
            .create_route_table()
            .vpc_id(call.id(&self.vpc)?)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::RouteTable, &call.tags(&self.tags)));
        let answer = ec2.call("ec2:CreateRouteTable", make.send()).await?;
        let made = made::<Self>(ec2, answer.route_table, call)?;
        let id = &made.id;
        // Routes before associations: a subnet never loses its way out.
        let finish = async {
            try_join_all(routes.iter().map(|(to, target)| set_route(ec2, id, to, target))).await?;
            try_join_all(subnets.iter().map(|subnet| associate(ec2, id, subnet))).await?;
            Ok(())
        };
        let finish = finish.await;
        Ok(finished(made, finish))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        if let Some(difference) = of("routes", what) {
            let (set, remove) = map_changes(difference);
            for (destination, target) in set {
                let target = id_of(target.as_str().unwrap_or_default(), call);
                set_route(ec2, &is.id, destination, target).await?;
            }
            for destination in remove {
                remove_route(ec2, &is.id, destination).await?;
            }
        }
        if let Some(difference) = of("subnets", what) {
            let (add, remove) = list_changes(difference, call);
            for subnet in add {
                associate(ec2, &is.id, subnet).await?;
            }
            let association = |subnet: &&str| is.detail["associations"][*subnet].as_str();
            for association in remove.iter().filter_map(association) {
                disassociate(ec2, &is.id, association).await?;
            }
        }
        Ok(())
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let associations = object.detail["associations"].as_object().into_iter().flatten();
        let ids = associations.filter_map(|(_, id)| id.as_str());
        try_join_all(ids.map(|id| disassociate(ec2, &object.id, id))).await?;
        let delete = ec2.write.delete_route_table().route_table_id(&object.id);
        ec2.call("ec2:DeleteRouteTable", delete.send()).await?;
        Ok(Deleted::Gone)
    }
}

/// Sets the argument that fits the destination on a call about a route.
macro_rules! to {
    ($call:expr, $destination:expr) => {
        match $destination {
            destination if destination.starts_with("pl-") => $call.destination_prefix_list_id(destination),
            destination if destination.contains(':') => $call.destination_ipv6_cidr_block(destination),
            destination => $call.destination_cidr_block(destination),
        }
    };
}

/// Sets the arguments that fit destination and target on a call that makes or replaces a route.
macro_rules! route {
    ($call:expr, $destination:expr, $target:expr) => {{
        let call = to!($call, $destination);
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

/// Makes the route, or turns the one that is there to this target.
async fn set_route(ec2: &Ec2, table: &str, destination: &str, target: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!(
        "setting route {destination} of route table {table} to {target}"
    ));
    let create = route!(
        ec2.write.create_route().route_table_id(table),
        destination,
        target
    );
    match ec2.call("ec2:CreateRoute", create.send()).await {
        Err(failure) if failure.class == Class::Exists => {
            let replace = route!(
                ec2.write.replace_route().route_table_id(table),
                destination,
                target
            );
            ec2.call("ec2:ReplaceRoute", replace.send()).await.map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

async fn remove_route(ec2: &Ec2, table: &str, destination: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("removing route {destination} of route table {table}"));
    let delete = to!(ec2.write.delete_route().route_table_id(table), destination);
    gone(ec2.call("ec2:DeleteRoute", delete.send()).await)
}

async fn associate(ec2: &Ec2, table: &str, subnet: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("associating subnet {subnet} with route table {table}"));
    let associate = ec2
        .write
        .associate_route_table()
        .route_table_id(table)
        .subnet_id(subnet);
    let failure = match ec2.call("ec2:AssociateRouteTable", associate.send()).await {
        Err(failure) if failure.class == Class::Exists => failure,
        other => return other.map(|_| ()),
    };
    // The subnet is ours and uses another table: it is moved, without a moment in which it has none.
    let tables: Vec<types::RouteTable> = ec2.list(by("association.subnet-id", subnet)).await?;
    let found = tables.into_iter().find_map(|other| {
        let association = associations(&other).remove(subnet)?;
        Some((other.route_table_id?, association))
    });
    match found {
        None => Err(failure),
        Some((other, _)) if other == table => Ok(()),
        Some((_, association)) => {
            let replace = ec2.write.replace_route_table_association();
            let replace = replace.association_id(association).route_table_id(table);
            ec2.call("ec2:ReplaceRouteTableAssociation", replace.send())
                .await
                .map(|_| ())
        }
    }
}

async fn disassociate(ec2: &Ec2, table: &str, association: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!(
        "disassociating route table {table} from a subnet ({association})"
    ));
    let call = ec2.write.disassociate_route_table().association_id(association);
    gone(ec2.call("ec2:DisassociateRouteTable", call.send()).await)
}

/// What a target that is gone begins with: the route is there and leads nowhere.
const BLACKHOLE: &str = "blackhole ";

/// Destination and target of a route; none for those that AWS makes: local, propagated, of gateway endpoints.
fn route(route: &types::Route) -> Option<(String, String)> {
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
    let prefix = if gone { BLACKHOLE } else { "" };
    Some((destination.to_owned(), format!("{prefix}{target}")))
}

/// Association id by subnet.
fn associations(table: &types::RouteTable) -> BTreeMap<String, String> {
    let is_live = |association: &&RouteTableAssociation| {
        let state = association.association_state().and_then(|state| state.state());
        !state.is_some_and(|state| matches!(state.as_str(), "disassociating" | "disassociated" | "failed"))
    };
    let pair = |association: &RouteTableAssociation| {
        let id = association.route_table_association_id()?;
        Some((association.subnet_id()?.to_owned(), id.to_owned()))
    };
    table
        .associations()
        .iter()
        .filter(is_live)
        .filter_map(pair)
        .collect()
}
