//! What is refused at plan, each with the reason and the fix.

use aws::logs::RETENTION_DAYS;
use framework::{Attr, Diagnostic, Diagnostics, Path};

use super::model::{Cluster, SystemNodes};
use super::versions::minor;
use super::{addons, kubelet, nodes};

/// Most characters of the name of a node group (AWS EKS CreateNodegroup).
const NODE_GROUP_NAME: usize = 63;

/// Checks arguments by themselves and against each other; unknown ones are left for later.
pub fn check(cluster: &Cluster, out: &mut Diagnostics) {
    check_endpoint(cluster, out);
    check_service_range(cluster, out);
    check_names(cluster, out);
    check_access(cluster, out);
    check_nodes(cluster, out);
    check_addons(cluster, out);
    check_retention(cluster, out);
}

/// What cannot become of a cluster that is there.
pub fn check_change(prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let given = |cluster: &Cluster| {
        let encryption = cluster.encryption.known();
        encryption.map_or(Attr::Null, |encryption| encryption.kms_key_arn.clone())
    };
    // A key that is no longer ours to make would be deleted.
    if !given(prior).is_known() && given(planned).is_known() && given(planned) == prior.encryption_key_arn {
        out.push(
            Diagnostic::error(
                "EKB2274",
                "The cluster's own key is named",
                "The key that encrypts the Secrets was made with the cluster and belongs to it. Named by `kms_key_arn`, it would be somebody \
                 else's, and the cluster's would be deleted.",
            )
            .hint("Remove `kms_key_arn`: the key stays.")
            .at(Path::from("encryption").attribute("kms_key_arn")),
        );
    }
}

/// Who is outside of the VPC has to be able to finish.
fn check_endpoint(cluster: &Cluster, out: &mut Diagnostics) {
    let (cidrs, is_private) = match &cluster.endpoint_access {
        Attr::Unknown => return,
        Attr::Null => (Attr::Null, Attr::Null),
        Attr::Known(access) => (access.public_cidrs.clone(), access.private_only),
    };
    let is_public = cidrs.known().is_some_and(|cidrs| !cidrs.is_empty());
    let fault = match (is_public, is_private) {
        (true, Attr::Known(true)) => "`public_cidrs` and `private_only` exclude each other.",
        (false, Attr::Null | Attr::Known(false)) if !cidrs.is_unknown() => {
            "It is not said who reaches the Kubernetes API: an apply from outside the VPC could not finish."
        }
        _ => return,
    };
    out.push(
        Diagnostic::error("EKB2210", "Who reaches the Kubernetes API?", fault)
            .hint(
                "Choose one: `endpoint_access = { public_cidrs = [\"203.0.113.0/24\"] }` with the ranges that may (\"0.0.0.0/0\" for all \
                 who have access), or `endpoint_access = { private_only = true }` where Terraform runs in the VPC or a network that is \
                 connected with it.",
            )
            .at(Path::from("endpoint_access")),
    );
}

/// Says what it takes to reach an API that only the VPC reaches: where that becomes so.
pub fn say_private(prior: Option<&Cluster>, planned: &Cluster, out: &mut Diagnostics) {
    let is_private = |cluster: &Cluster| {
        let access = cluster.endpoint_access.known();
        access.is_some_and(|access| access.private_only == Attr::Known(true))
    };
    if !is_private(planned) || prior.is_some_and(is_private) {
        return;
    }
    out.push(
        Diagnostic::warning(
            "EKB2283",
            "The Kubernetes API is reached from inside the VPC alone",
            "Whoever applies this has to resolve the name of the cluster's endpoint to its private addresses, and to reach these on port \
             443: the StorageClass, and what comes into the cluster later, need it.",
        )
        .hint("From elsewhere say the way in a block `kubernetes` of the provider: `host` of a tunnel, or `proxy_url`.")
        .at(Path::from("endpoint_access").attribute("private_only")),
    );
}

/// AWS EKS CreateCluster, `serviceIpv4Cidr`: /12 to /24 of 10/8, 172.16/12 or 192.168/16.
fn check_service_range(cluster: &Cluster, out: &mut Diagnostics) {
    let Attr::Known(range) = cluster.service_cidr else {
        return;
    };
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    let is_private = private
        .iter()
        .filter_map(|private| private.parse::<ipnet::Ipv4Net>().ok())
        .any(|private| private.contains(&range));
    let (fault, hint) = if range.trunc() != range {
        let fault = format!("{range} has host bits set.");
        (fault, format!("The range is {}: write that.", range.trunc()))
    } else if !is_private || !(12..=24).contains(&range.prefix_len()) {
        let fault = format!(
            "{range} cannot be the range of Services: EKS takes /12 to /24 within {}.",
            private.join(", ")
        );
        (fault, "Take for example 172.20.0.0/16.".to_owned())
    } else {
        return;
    };
    out.push(
        Diagnostic::error("EKB2211", "Invalid range of Services", fault)
            .hint(hint)
            .at(Path::from("service_cidr")),
    );
}

fn check_names(cluster: &Cluster, out: &mut Diagnostics) {
    let Attr::Known(name) = &cluster.name else {
        return;
    };
    // The longest of the composed ones; behind it comes a digest of what cannot be changed of the group.
    let rest = "-system-01234567";
    if name.len() + rest.len() > NODE_GROUP_NAME {
        out.push(
            Diagnostic::error(
                "EKB2212",
                "Name too long",
                format!(
                    "The node group {name}{rest} would have {} characters; EKS takes {NODE_GROUP_NAME}.",
                    name.len() + rest.len()
                ),
            )
            .hint(format!(
                "Take a `name` of at most {} characters.",
                NODE_GROUP_NAME - rest.len()
            ))
            .at(Path::from("name")),
        );
    }
}

fn check_access(cluster: &Cluster, out: &mut Diagnostics) {
    let mut seen = std::collections::BTreeMap::new();
    for (name, access) in cluster.access.known().into_iter().flatten() {
        let at = || Path::from("access").key(name);
        let Attr::Known(arn) = &access.principal_arn else {
            continue;
        };
        let is_principal = arn.starts_with("arn:")
            && arn.contains(":iam::")
            && (arn.contains(":role/") || arn.contains(":user/"));
        if !is_principal {
            out.push(
                Diagnostic::error(
                    "EKB2213",
                    "No IAM principal",
                    format!("`{arn}` is not the ARN of an IAM role or user."),
                )
                .hint("Write it as `arn:aws:iam::111122223333:role/path/name`: of an assumed role the role itself.")
                .at(at().attribute("principal_arn")),
            );
        }
        if let Some(other) = seen.insert(arn, name) {
            out.push(
                Diagnostic::error(
                    "EKB2214",
                    "One principal twice",
                    format!(
                        "`{other}` and `{name}` are both {arn}: EKS has one access entry for a principal."
                    ),
                )
                .hint("Put what it may do into one of them.")
                .at(at()),
            );
        }
        let is_standard = match &access.kind {
            Attr::Null => true,
            Attr::Known(kind) => kind == "STANDARD",
            Attr::Unknown => continue,
        };
        let given = [
            !access.level.is_null(),
            !access.policies.is_null(),
            !access.groups.is_null(),
            !access.username.is_null(),
        ];
        if !is_standard && given.contains(&true) {
            out.push(
                Diagnostic::error(
                    "EKB2215",
                    "Rights of nodes",
                    format!("`{name}` is an entry of nodes: EKS says what these may do."),
                )
                .hint("Remove `level`, `policies`, `groups` and `username`, or `kind`.")
                .at(at()),
            );
        } else if is_standard && !given[..3].contains(&true) {
            out.push(
                Diagnostic::error(
                    "EKB2216",
                    "Access to nothing",
                    format!("`{name}` enters the cluster and may do nothing in it."),
                )
                .hint("Give it a `level` (`admin`, `edit`, `view`, `admin_view`), `policies` or `groups`.")
                .at(at()),
            );
        }
    }
}

fn check_nodes(cluster: &Cluster, out: &mut Diagnostics) {
    let Some(nodes) = nodes::declared(cluster) else {
        return;
    };
    let at = |name: &str| Path::from("system_nodes").attribute(name);
    let min = nodes.min.or(nodes::DEFAULT_MIN);
    if let (Attr::Known(min), Attr::Known(max)) = (&min, &nodes.max)
        && min > max
    {
        out.push(
            Diagnostic::error(
                "EKB2217",
                "Fewest above most nodes",
                format!("`min` is {min}, `max` is {max}."),
            )
            .hint("Raise `max`.")
            .at(at("max")),
        );
    }
    if let (Attr::Known(min), Attr::Known(desired)) = (&min, &nodes.desired) {
        let max = nodes.max.known().copied().unwrap_or(min + 1);
        if !(*min..=max).contains(desired) {
            out.push(
                Diagnostic::error(
                    "EKB2217",
                    "Wanted nodes out of bounds",
                    format!("`desired` is {desired}, not from {min} to {max}."),
                )
                .hint("Take a number in between.")
                .at(at("desired")),
            );
        }
    }
    if let Attr::Known(min) = min
        && min < nodes::DEFAULT_MIN
    {
        out.push(
            Diagnostic::warning(
                "EKB2218",
                "A single system node",
                format!("With {min} node the add-ons, and what depends on them, stop where it fails or is replaced."),
            )
            .hint("Take two at least: they come to stand in two zones.")
            .at(at("min")),
        );
    }
    kubelet::check(&nodes, out);
    let is_al2 = nodes::ami_type(&nodes)
        .known()
        .is_some_and(|ami| ami.starts_with("AL2_"));
    let version = cluster
        .kubernetes_version
        .known()
        .and_then(|version| minor(version));
    if is_al2 && version.is_some_and(|minor| minor >= 33) {
        out.push(
            Diagnostic::error(
                "EKB2219",
                "No Amazon Linux 2",
                "There are no images of Amazon Linux 2 for Kubernetes 1.33 and later (EKS user guide, \"AL2 end of support\").",
            )
            .hint("Remove `ami_type`, or take one of Amazon Linux 2023 or Bottlerocket.")
            .at(at("ami_type")),
        );
    }
    check_release(cluster, &nodes, out);
}

/// Releases of Amazon Linux are called by the version of Kubernetes that they are for: `1.35.0-20261101`.
fn check_release(cluster: &Cluster, nodes: &SystemNodes, out: &mut Diagnostics) {
    let (Attr::Known(release), Attr::Known(version)) = (&nodes.release_version, &cluster.kubernetes_version)
    else {
        return;
    };
    let is_of_minor = |release: &str| {
        let (kubernetes, date) = release.split_once('-')?;
        let is_date = date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit());
        is_date.then(|| kubernetes.starts_with(&format!("{version}.")))
    };
    if is_of_minor(release) == Some(false) {
        out.push(
            Diagnostic::error(
                "EKB2270",
                "Machine image of another version",
                format!("The release {release} is not for Kubernetes {version}."),
            )
            .hint("Remove `release_version` to take the latest one, or pin one of this version.")
            .at(Path::from("system_nodes").attribute("release_version")),
        );
    }
}

fn check_addons(cluster: &Cluster, out: &mut Diagnostics) {
    let is_tainted = nodes::declared(cluster)
        .is_some_and(|nodes| matches!(nodes.only_system_pods, Attr::Null | Attr::Known(true)));
    for (name, addon) in cluster.addons.known().into_iter().flatten() {
        if addon.enabled == Attr::Known(false) {
            continue;
        }
        let at = || Path::from("addons").key(name).attribute("configuration");
        match addons::configuration(name, &addon.configuration) {
            None => out.push(
                Diagnostic::error(
                    "EKB2220",
                    "Invalid configuration of an add-on",
                    format!("The configuration of {name} is no JSON object."),
                )
                .hint("Write it as `jsonencode({ … })`.")
                .at(at()),
            ),
            Some(configuration) if is_tainted && addon.configuration.is_known() => {
                if addons::tolerates(name, &configuration) == Some(false) {
                    out.push(kept_away(name).at(at()));
                }
            }
            Some(_) => {}
        }
    }
}

/// A cluster begins with its system nodes alone: what these keep away stays pending, and its add-on unhealthy.
fn kept_away(addon: &str) -> Diagnostic {
    let taint = nodes::TAINT;
    let why = format!(
        "System nodes have the taint {taint}=true:NoSchedule, which the tolerations of {addon} do not name."
    );
    let hint = format!(
        "Add `{{ key = \"{taint}\", operator = \"Exists\" }}` to its `tolerations` or leave these out, or set \
         `system_nodes = {{ only_system_pods = false }}`."
    );
    match addon {
        "coredns" => Diagnostic::error("EKB2271", "System nodes keep an add-on away", why).hint(hint),
        _ => Diagnostic::warning(
            "EKB2271",
            "System nodes keep an add-on away",
            format!("{why} It needs other nodes to run on."),
        )
        .hint(hint),
    }
}

fn check_retention(cluster: &Cluster, out: &mut Diagnostics) {
    let days = cluster
        .logging
        .known()
        .and_then(|logging| logging.retention_days.known());
    if let Some(days) = days.filter(|days| !RETENTION_DAYS.contains(days)) {
        let allowed = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
        out.push(
            Diagnostic::error(
                "EKB2272",
                "Invalid retention of logs",
                format!("CloudWatch keeps logs for {allowed} days, not for {days}."),
            )
            .hint("Take one of these.")
            .at(Path::from("logging").attribute("retention_days")),
        );
    }
}
