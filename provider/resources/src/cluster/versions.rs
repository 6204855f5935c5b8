//! Versions: of Kubernetes, with AWS's dates, and of the add-ons; and the way from one to another.

use std::collections::{BTreeMap, BTreeSet};

use aws::eks::catalogue::{self, AddonVersion, Support, Version};
use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::failure::Failure;

use super::model::Cluster;
use super::{addons, known_bad};
use crate::platform::Platform;

/// What a cluster costs an hour, in US dollars (aws.amazon.com/eks/pricing, 2026-11): in standard and in extended support.
pub const PRICE: (&str, &str) = ("0.10", "0.60");

/// The minor of a version: 35 of `1.35`.
pub fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.parse().ok()
}

/// Looks up what the version and the add-ons leave open: when support ends, and the versions of add-ons. Only where
/// something of it changes, and once for a version. Gives the versions that EKS has, where they were looked up.
pub async fn complete(
    context: Option<&Platform>,
    prior: Option<&Cluster>,
    planned: &mut Cluster,
    out: &mut Diagnostics,
) -> Vec<Version> {
    let versions = complete_support(context, prior, planned, out).await;
    // For a version that is refused there is nothing to look for.
    let context = context.filter(|_| !out.has_errors());
    complete_addons(context, prior, planned, out).await;
    versions
}

pub(super) async fn complete_support(
    context: Option<&Platform>,
    prior: Option<&Cluster>,
    planned: &mut Cluster,
    out: &mut Diagnostics,
) -> Vec<Version> {
    let same = |prior: &&Cluster| {
        prior.kubernetes_version == planned.kubernetes_version && prior.support == planned.support
    };
    if let Some(prior) = prior.filter(same).filter(|prior| prior.support_ends.is_known()) {
        planned.support_ends = prior.support_ends.clone();
        return Vec::new();
    }
    planned.support_ends = Attr::Unknown;
    let (Some(context), Attr::Known(region), Attr::Known(version), Attr::Known(support)) = (
        context,
        &planned.common.region,
        &planned.kubernetes_version,
        &planned.support,
    ) else {
        return Vec::new();
    };
    let versions = match catalogue::versions(&context.aws, region).await {
        Ok(versions) => versions,
        Err(failure) => {
            out.push(failure.warning());
            return Vec::new();
        }
    };
    let Some(found) = versions.iter().find(|known| known.version == *version) else {
        let known: Vec<&str> = versions.iter().map(|known| known.version.as_str()).collect();
        out.push(
            Diagnostic::error(
                "EKB2201",
                "Unknown Kubernetes version",
                format!("EKS has no version {version} in {region}."),
            )
            .hint(format!("Versions that EKS has: {}.", known.join(", ")))
            .at(Path::from("kubernetes_version")),
        );
        return versions;
    };
    let ends = if support == "standard" {
        &found.standard_until
    } else {
        &found.extended_until
    };
    planned.support_ends = Attr::from_option(ends.clone());
    say_support(found, support, out);
    versions
}

/// What a version costs that is no longer in standard support.
fn say_support(version: &Version, support: &str, out: &mut Diagnostics) {
    let Version { version: name, .. } = version;
    let date = |date: &Option<String>| {
        date.clone()
            .unwrap_or_else(|| "a date that AWS does not say".to_owned())
    };
    let at = Path::from("kubernetes_version");
    match version.support {
        Support::Standard => {}
        Support::No => out.push(
            Diagnostic::error(
                "EKB2202",
                "Kubernetes version without support",
                format!("Extended support of {name} ended on {}: EKS makes no cluster of it.", date(&version.extended_until)),
            )
            .hint("Take a later version.")
            .at(at),
        ),
        Support::Extended if support == "standard" => out.push(
            Diagnostic::error(
                "EKB2203",
                "Kubernetes version without standard support",
                format!(
                    "Standard support of {name} ended on {}; with `support = \"standard\"` AWS upgrades such a cluster at once.",
                    date(&version.standard_until)
                ),
            )
            .hint("Take a later version, or `support = \"extended\"`, which costs more.")
            .at(at),
        ),
        Support::Extended => out.push(
            Diagnostic::warning(
                "EKB2204",
                "Kubernetes version in extended support",
                format!(
                    "Standard support of {name} ended on {}. Until {} it is in extended support: {} US dollars an hour for the \
                     cluster where standard support costs {} (aws.amazon.com/eks/pricing, November 2026).",
                    date(&version.standard_until),
                    date(&version.extended_until),
                    PRICE.1,
                    PRICE.0
                ),
            )
            .hint("Upgrade: raise `kubernetes_version`.")
            .at(at),
        ),
    }
}

/// Versions of add-ons: given, else those of the state for the same version of Kubernetes, else EKS's default.
async fn complete_addons(
    context: Option<&Platform>,
    prior: Option<&Cluster>,
    planned: &mut Cluster,
    out: &mut Diagnostics,
) {
    let Some(wanted) = addons::wanted(planned) else {
        planned.addon_versions = Attr::Unknown;
        return;
    };
    let same = prior.filter(|prior| prior.kubernetes_version == planned.kubernetes_version);
    let before = same.and_then(|prior| prior.addon_versions.known());
    let mut versions: BTreeMap<String, Attr<String>> = wanted
        .iter()
        .map(|(name, addon)| {
            let kept = || {
                before
                    .and_then(|before| before.get(name))
                    .cloned()
                    .unwrap_or(Attr::Unknown)
            };
            let version = if addon.version.is_null() {
                kept()
            } else {
                addon.version.clone()
            };
            (name.clone(), version)
        })
        .collect();
    let open: BTreeSet<String> = wanted
        .iter()
        .filter(|(name, addon)| addon.version.is_null() && versions[*name].is_unknown())
        .map(|(name, _)| name.clone())
        .collect();
    if let (Some(context), Attr::Known(region), Attr::Known(version), false) = (
        context,
        &planned.common.region,
        &planned.kubernetes_version,
        open.is_empty(),
    ) {
        match defaults(context, region, &open, version).await {
            Ok(found) => {
                for name in open {
                    match found.get(&name) {
                        Some(default) => drop(versions.insert(name, default.clone().into())),
                        None => out.push(
                            Diagnostic::error(
                                "EKB2205",
                                "No version of an add-on",
                                format!("EKS has no version of the add-on {name} for Kubernetes {version}."),
                            )
                            .hint(format!(
                                "Look at `aws eks describe-addon-versions --kubernetes-version {version}`; leave it out with \
                                 `{name} = {{ enabled = false }}`."
                            ))
                            .at(Path::from("addons").key(&name)),
                        ),
                    }
                }
            }
            Err(failure) => out.extend([failure.diagnostic()]),
        }
    }
    planned.addon_versions = Attr::Known(versions);
}

/// The default versions of add-ons for a version of Kubernetes.
async fn defaults(
    context: &Platform,
    region: &str,
    names: &BTreeSet<String>,
    version: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let found = catalogue::addon_versions(&context.aws, region, names, version).await?;
    let of = |(name, versions): (String, Vec<AddonVersion>)| {
        let version = default(&name, &versions)?;
        Some((name, version))
    };
    Ok(found.into_iter().filter_map(of).collect())
}

/// Of the versions that fit, the newest first, EKS's default; the newest good one where that is known to be bad.
pub(super) fn default(addon: &str, fitting: &[AddonVersion]) -> Option<String> {
    let is_good = |one: &&AddonVersion| !known_bad::is_broken(addon, &one.version);
    let default = fitting.iter().filter(is_good).find(|one| one.is_default);
    let default = default
        .or_else(|| fitting.iter().find(is_good))
        .or(fitting.first())?;
    Some(default.version.clone())
}
