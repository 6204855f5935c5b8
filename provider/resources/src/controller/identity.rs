//! The IAM role of a controller, which its pods get by pod identity or by the cluster's OIDC provider.

use std::collections::BTreeMap;

use aws::eks::PodIdentityAssociation;
use aws::iam::{IamRole, trust};
use aws::partition;
use framework::{Attr, Value};
use reconcile::graph::{Graph, Unknowns};
use reconcile::kinds::Kinds;
use reconcile::part::{Ref, Tags, Target, Text};
use reconcile::resource::Managed;
use serde_json::json;

use super::Controller;
use super::model::RoleArguments;
use crate::platform::Platform;

/// The part of the role.
const ROLE: &str = "role";
/// The part by which pods get it.
const POD_IDENTITY: &str = "pod_identity";

/// What a controller's role is for.
#[derive(Debug)]
pub struct Wanted {
    /// In the role's name: `<cluster>-<component>`.
    pub component: &'static str,
    /// The service account of its pods.
    pub account: String,
    /// What it may do: inline policies by name.
    pub policies: BTreeMap<String, serde_json::Value>,
}

/// Adds the role, where none is given, and lets the pods have it. Gives what pods have to come after.
pub fn add<C: Controller>(
    graph: &mut Graph,
    model: &C,
    arguments: &RoleArguments,
    wanted: &Wanted,
) -> Option<Vec<Ref>> {
    let installation = model.installation();
    let cluster = installation.cluster.known()?;
    let namespace = installation.namespace.known()?;
    let region = Managed::common(model).region.known()?;
    let mut first = Vec::new();
    let mut unknown = Unknowns::default();
    let role = match &arguments.role_arn {
        Attr::Known(arn) => Text::from(arn),
        Attr::Unknown => {
            graph.open(ROLE);
            unknown.note("role_arn");
            Text::default()
        }
        Attr::Null => {
            let role = role(graph, model, arguments, wanted, region)?;
            first.push(role.clone());
            Text::from(role.arn())
        }
    };
    match &arguments.oidc_provider_arn {
        Attr::Null => {
            let association = PodIdentityAssociation {
                cluster: Target::Id(cluster.clone()),
                namespace: namespace.clone(),
                service_account: wanted.account.clone(),
                role_arn: role,
                tags: Tags::new(),
            };
            first.push(graph.part_with(POD_IDENTITY, association, unknown).ready());
        }
        Attr::Unknown => graph.open(POD_IDENTITY),
        Attr::Known(_) => {}
    }
    Some(first)
}

fn role<C: Controller>(
    graph: &mut Graph,
    model: &C,
    arguments: &RoleArguments,
    wanted: &Wanted,
    region: &str,
) -> Option<Ref> {
    let name = role_name(model, wanted.component)?;
    let mut unknown = Unknowns::default();
    let trust = match &arguments.oidc_provider_arn {
        Attr::Null => trust::by_pod_identity(region),
        Attr::Known(provider) => {
            let account = format!("{}:{}", model.installation().namespace.known()?, wanted.account);
            let (_, host) = provider.split_once(":oidc-provider/").unwrap_or_default();
            trust::by_oidc(provider, host, &account, region)
        }
        Attr::Unknown => {
            unknown.note("trust");
            json!({})
        }
    };
    let path = unknown.take("path", &arguments.role_path, "/".to_owned());
    if arguments.role_permissions_boundary.is_unknown() {
        unknown.note("permissions_boundary");
    }
    let role = IamRole {
        path,
        permissions_boundary: arguments.role_permissions_boundary.known().cloned(),
        trust,
        policies: wanted.policies.clone(),
        ..IamRole::for_service(&name, "", Tags::from([("Name".to_owned(), name.clone())]))
    };
    Some(graph.part_with(ROLE, role, unknown).ready())
}

/// The name of the role of a component.
pub fn role_name<C: Controller>(model: &C, component: &str) -> Option<String> {
    Some(format!("{}-{component}", model.installation().cluster.known()?))
}

/// The ARN of the controller's role, which follows from its name.
pub fn role_arn<C: Controller>(model: &C, arguments: &RoleArguments, component: &str) -> Attr<String> {
    let common = Managed::common(model);
    if !arguments.role_arn.is_null() {
        return arguments.role_arn.clone();
    }
    match (
        role_name(model, component),
        &common.region,
        &common.account_id,
        arguments.role_path.clone().or("/".to_owned()),
    ) {
        (Some(name), Attr::Known(region), Attr::Known(account), Attr::Known(path)) => {
            Attr::Known(partition::role_arn(region, account, &path, &name))
        }
        _ => Attr::Unknown,
    }
}

/// Annotations of the service account by which pods get the role, where it is not by pod identity.
pub fn annotations<C: Controller>(model: &C, arguments: &RoleArguments, component: &str) -> Value {
    let entry = |value| Value::object([("eks.amazonaws.com/role-arn", value)]);
    match (
        &arguments.oidc_provider_arn,
        role_arn(model, arguments, component),
    ) {
        (Attr::Null, _) => Value::object::<String>([]),
        (Attr::Unknown, _) => Value::Unknown(None),
        (_, Attr::Known(arn)) => entry(Value::string(arn)),
        _ => entry(Value::Unknown(None)),
    }
}

/// The kinds of these parts.
pub fn kinds(context: &Platform, region: &str) -> Kinds {
    aws::iam::kinds(&context.aws, region).and(aws::eks::kinds_in_named_clusters(&context.aws, region))
}
