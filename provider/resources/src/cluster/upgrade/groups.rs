//! Node groups that others manage. EKS brings the control plane to another version only where no managed node group is behind it
//! (EKS user guide, "Update existing cluster to new Kubernetes version"), and back only where none is ahead.

use aws::eks::catalogue::{self, Group};
use framework::{Diagnostic, Diagnostics, Path};

use super::super::versions::minor;
use super::insights::Hop;
use crate::platform::Platform;

/// Names those that stand against the change, and those that stay behind. `ours`: names of our own ones.
pub async fn check(context: &Platform, hop: &Hop<'_>, ours: &[String], out: &mut Diagnostics) {
    let ours = ours.iter().cloned().collect();
    let others = match catalogue::other_groups(&context.aws, hop.region, hop.cluster, &ours).await {
        Ok(others) => others,
        Err(failure) => return out.push(failure.warning()),
    };
    out.extend(judged(&others, hop));
}

fn judged(others: &[Group], hop: &Hop<'_>) -> Vec<Diagnostic> {
    let (Some(from), Some(to)) = (minor(hop.from), minor(hop.to)) else {
        return Vec::new();
    };
    let named = |wanted: &dyn Fn(u32) -> bool| {
        let those = others
            .iter()
            .filter(|group| minor(&group.version).is_some_and(wanted))
            .map(|group| format!("{} ({})", group.name, group.version));
        those.collect::<Vec<_>>().join(", ")
    };
    let at = || Path::from("kubernetes_version");
    let mut said = Vec::new();
    if hop.is_back() {
        let ahead = named(&|version| version > to);
        if !ahead.is_empty() {
            said.push(
                Diagnostic::error(
                    "EKB2243",
                    "Node groups of others are ahead",
                    format!(
                        "EKS takes the control plane back to {} only after its managed node groups: {ahead}.",
                        hop.to
                    ),
                )
                .hint(format!(
                    "Bring them to {} first (aws eks update-nodegroup-version).",
                    hop.to
                ))
                .at(at()),
            );
        }
        return said;
    }
    // Before the last step none may be behind the control plane.
    let refused = named(&|version| version + 1 < to);
    let left = named(&|version| version + 1 == to);
    if !refused.is_empty() {
        let next = format!("1.{}", (from + 1).min(to));
        let hint = if others
            .iter()
            .any(|group| minor(&group.version).is_some_and(|version| version < from))
        {
            format!(
                "Bring them to {} first (aws eks update-nodegroup-version).",
                hop.from
            )
        } else {
            format!(
                "Go one minor at a time: write `kubernetes_version = \"{next}\"`, apply, bring them to {next}, and so on."
            )
        };
        said.push(
            Diagnostic::error(
                "EKB2243",
                "Node groups of others are behind",
                format!(
                    "EKS upgrades the control plane only while none of its managed node groups is behind it. On the way to {} these \
                     would be, and they are not this resource's: {refused}.",
                    hop.to
                ),
            )
            .hint(hint)
            .at(at()),
        );
    }
    if !left.is_empty() {
        said.push(
            Diagnostic::warning(
                "EKB2243",
                "Node groups of others stay behind",
                format!("They are not this resource's, and keep their version: {left}."),
            )
            .hint(format!(
                "Bring them to {} before the next upgrade (aws eks update-nodegroup-version).",
                hop.to
            ))
            .at(at()),
        );
    }
    said
}

#[cfg(test)]
mod tests {
    use framework::Severity;

    use super::*;

    #[test]
    fn groups_are_named_where_the_way_leaves_them_behind() {
        let others = [("old", "1.33"), ("same", "1.34")].map(|(name, version)| Group {
            name: name.into(),
            version: version.into(),
        });
        let said = |others: &[Group], from, to| {
            let hop = Hop {
                region: "eu-central-1",
                cluster: "test",
                from,
                to,
            };
            let said = judged(others, &hop).into_iter();
            said.map(|one| (one.severity, one.detail, one.hint.to_string()))
                .collect::<Vec<_>>()
        };
        let all = said(&others, "1.34", "1.35");
        assert_eq!(all.len(), 2);
        assert!(
            all[0].0 == Severity::Error
                && all[0].1.ends_with(": old (1.33).")
                && all[0].2.contains("to 1.34 first"),
            "{all:?}"
        );
        assert!(
            all[1].0 == Severity::Warning && all[1].1.ends_with(": same (1.34)."),
            "{all:?}"
        );
        let two = said(&others[1..], "1.34", "1.36");
        assert!(
            two.len() == 1
                && two[0].0 == Severity::Error
                && two[0].2.contains("kubernetes_version = \"1.35\""),
            "{two:?}"
        );
        let back = said(&others, "1.34", "1.33");
        assert!(
            back.len() == 1 && back[0].1.ends_with(": same (1.34)."),
            "{back:?}"
        );
        assert!(said(&[], "1.34", "1.36").is_empty());
    }
}
