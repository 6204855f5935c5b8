//! Versions of add-ons that are known to be bad, or that need more than those before them.

use framework::{Diagnostic, Diagnostics, Path};

use super::model::{Addon, Cluster};
use super::{addons, nodes};

/// Major, minor and patch: of `v1.51.0-eksbuild.1` it is (1, 51, 0).
type Version = (u32, u32, u32);

/// When some versions of an add-on are no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matter {
    /// Always.
    Broken,
    /// Where a node's instance type begins like this.
    OnInstances(&'static str),
    /// Where its role is given, since the role that is made has AWS's own policy, which AWS keeps.
    WithGivenRole,
}

struct Row {
    addon: &'static str,
    /// The first version.
    from: Version,
    /// The first version that is good again.
    until: Option<Version>,
    matter: Matter,
    why: &'static str,
    fix: &'static str,
    /// Where it is said, and when that was read.
    source: &'static str,
}

const EBS: &str = "aws-ebs-csi-driver";

static ROWS: [Row; 4] = [
    Row {
        addon: EBS,
        from: (1, 50, 0),
        until: Some((1, 50, 2)),
        matter: Matter::Broken,
        why: "volumes of the type gp3 lose the throughput that their StorageClass asks for",
        fix: "Take 1.49 or 1.52.",
        source: "kubernetes-sigs/aws-ebs-csi-driver, CHANGELOG of 1.50 and 1.51, 2026-08",
    },
    Row {
        addon: EBS,
        from: (1, 51, 0),
        until: Some((1, 51, 1)),
        matter: Matter::Broken,
        why: "volumes of the type gp3 lose the throughput that their StorageClass asks for",
        fix: "Take 1.49 or 1.52.",
        source: "kubernetes-sigs/aws-ebs-csi-driver, CHANGELOG of 1.51, 2026-08",
    },
    Row {
        addon: EBS,
        from: (1, 55, 0),
        until: None,
        matter: Matter::OnInstances("a1."),
        why: "it does not run on a1 instances",
        fix: "Take other `system_nodes.instance_types`, or `configuration = jsonencode({ a1CompatibilityDaemonSet = true })`.",
        source: "kubernetes-sigs/aws-ebs-csi-driver, CHANGELOG of 1.55, 2026-08",
    },
    Row {
        addon: EBS,
        from: (1, 59, 0),
        until: None,
        matter: Matter::WithGivenRole,
        why: "it calls ec2:DescribeInstanceTypes, which policies that were written for earlier versions do not allow",
        fix: "See that the role of `role_arn` may do that, or leave `role_arn` out.",
        source: "kubernetes-sigs/aws-ebs-csi-driver, CHANGELOG of 1.59, 2026-08",
    },
];

fn parsed(version: &str) -> Option<Version> {
    let plain = version.trim_start_matches('v').split('-').next()?;
    let mut numbers = plain.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

fn rows(addon: &str, version: &str) -> impl Iterator<Item = &'static Row> {
    let version = parsed(version);
    let fits = move |row: &&Row| {
        version.is_some_and(|version| row.from <= version && row.until.is_none_or(|until| version < until))
    };
    let addon = addon.to_owned();
    ROWS.iter().filter(move |row| row.addon == addon).filter(fits)
}

/// Whether nobody should have it.
pub fn is_broken(addon: &str, version: &str) -> bool {
    rows(addon, version).any(|row| row.matter == Matter::Broken)
}

/// Refuses what is broken where it would be new, and warns of the rest.
pub fn check(prior: Option<&Cluster>, planned: &Cluster, out: &mut Diagnostics) {
    let version_of = |cluster: &Cluster, name: &str| {
        let versions = cluster.addon_versions.known()?;
        versions.get(name)?.known().cloned()
    };
    let wanted = addons::wanted(planned).unwrap_or_default();
    for (name, addon) in &wanted {
        let Some(version) = version_of(planned, name) else {
            continue;
        };
        let is_new = prior.and_then(|prior| version_of(prior, name)).as_ref() != Some(&version);
        for row in rows(name, &version) {
            let detail = format!("{name} {version}: {} ({}).", row.why, row.source);
            let at = Path::from("addons").key(name);
            let said = match row.matter {
                Matter::Broken if is_new => Diagnostic::error(
                    "EKB2285",
                    "A version of an add-on that is known to be bad",
                    detail,
                ),
                Matter::Broken => Diagnostic::warning(
                    "EKB2285",
                    "A version of an add-on that is known to be bad",
                    detail,
                ),
                matter if is_new && meets(matter, addon, planned) => {
                    Diagnostic::warning("EKB2286", "A version of an add-on that needs more", detail)
                }
                _ => continue,
            };
            out.push(said.hint(row.fix).at(at));
        }
    }
}

fn meets(matter: Matter, addon: &Addon, planned: &Cluster) -> bool {
    match matter {
        Matter::Broken => true,
        Matter::WithGivenRole => !addon.role_arn.is_null(),
        Matter::OnInstances(beginning) => nodes::declared(planned)
            .and_then(|nodes| nodes::instance_types(&nodes).into_known())
            .is_some_and(|types| types.iter().any(|name| name.starts_with(beginning))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use framework::Attr;

    use super::super::model::SystemNodes;
    use super::*;

    fn cluster(version: &str, addon: Addon, instance_type: &str) -> Cluster {
        Cluster {
            addons: Attr::Known(BTreeMap::from([(EBS.to_owned(), addon)])),
            addon_versions: Attr::Known(BTreeMap::from([(EBS.to_owned(), version.into())])),
            system_nodes: SystemNodes {
                instance_types: Attr::Known([instance_type.to_owned()].into()),
                ..SystemNodes::default()
            }
            .into(),
            ..Cluster::default()
        }
    }

    fn said(prior: Option<&Cluster>, planned: &Cluster) -> String {
        let mut out = Diagnostics::new();
        check(prior, planned, &mut out);
        let all = out
            .iter()
            .map(|one| format!("{:?} {} {}", one.severity, one.code, one.detail));
        all.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn versions_are_told_apart() {
        for (version, broken) in [
            ("v1.49.2-eksbuild.1", false),
            ("v1.50.0-eksbuild.1", true),
            ("v1.50.1-eksbuild.3", true),
            ("v1.50.2-eksbuild.1", false),
            ("v1.51.0-eksbuild.1", true),
            ("v1.51.1-eksbuild.1", false),
            ("v1.54.0-eksbuild.1", false),
            ("latest", false),
        ] {
            assert_eq!(is_broken(EBS, version), broken, "{version}");
        }
        assert!(!is_broken("vpc-cni", "v1.50.0-eksbuild.1"));
    }

    #[test]
    fn what_is_broken_is_refused_where_it_is_new() {
        let bad = cluster("v1.51.0-eksbuild.1", Addon::default(), "t4g.large");
        let good = cluster("v1.52.1-eksbuild.1", Addon::default(), "t4g.large");
        assert!(
            said(None, &bad).starts_with("Error EKB2285"),
            "{}",
            said(None, &bad)
        );
        assert!(said(Some(&good), &bad).starts_with("Error EKB2285"));
        assert!(said(Some(&bad), &bad).starts_with("Warning EKB2285"));
        assert_eq!(said(Some(&bad), &good), "");
    }

    #[test]
    fn what_needs_more_is_told_to_whom_it_concerns() {
        let own = || Addon {
            role_arn: "arn:aws:iam::123456789012:role/mine".into(),
            ..Addon::default()
        };
        let later = "v1.59.0-eksbuild.1";
        assert!(said(None, &cluster(later, own(), "t4g.large")).contains("DescribeInstanceTypes"));
        assert_eq!(said(None, &cluster(later, Addon::default(), "t4g.large")), "");
        assert!(said(None, &cluster(later, Addon::default(), "a1.large")).contains("a1 instances"));
        let there = cluster(later, own(), "a1.large");
        assert_eq!(said(Some(&there), &there), "");
    }
}
