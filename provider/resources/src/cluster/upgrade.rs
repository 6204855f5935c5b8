//! Changes of the Kubernetes version: what EKS's insights say, and what is refused.

use aws::eks::catalogue::{self, Category, Insight, Status};
use framework::{Attr, Diagnostic, Diagnostics, Path};

use super::model::Cluster;
use super::versions::minor;
use crate::platform::Platform;

/// Checks a change of the version, and says what it will do.
pub async fn check(context: Option<&Platform>, prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let (Attr::Known(from), Attr::Known(to)) = (&prior.kubernetes_version, &planned.kubernetes_version)
    else {
        return;
    };
    let (Some(is), Some(should)) = (minor(from), minor(to)) else {
        return;
    };
    let at = || Path::from("kubernetes_version");
    if should == is {
        return;
    }
    if should < is {
        let allowed = planned.allow_rollback == Attr::Known(true);
        if should + 1 < is {
            return out.push(
                Diagnostic::error(
                    "EKB2221",
                    "Kubernetes version goes back",
                    format!("The cluster runs {from}; EKS takes it back by one minor at most, not to {to}."),
                )
                .hint(format!("Write `kubernetes_version = \"{from}\"`."))
                .at(at()),
            );
        }
        if !allowed {
            return out.push(
                Diagnostic::error(
                    "EKB2221",
                    "Kubernetes version goes back",
                    format!("The cluster runs {from}, and {to} is declared: somebody, or AWS at the end of a version's support, has upgraded it."),
                )
                .hint(format!(
                    "Write `kubernetes_version = \"{from}\"`. To really go back (within seven days of an upgrade, EKS UpdateClusterVersion) set \
                     `allow_rollback = true`."
                ))
                .at(at()),
            );
        }
    }
    let hops: Vec<String> = if should > is {
        (is..=should).map(|minor| format!("1.{minor}")).collect()
    } else {
        vec![from.clone(), to.clone()]
    };
    let order = if should > is {
        "control plane, then system nodes, then add-ons"
    } else {
        "add-ons and system nodes, then control plane"
    };
    out.push(
        Diagnostic::warning(
            "EKB2222",
            "The Kubernetes version changes",
            format!(
                "{}: at each step {order}. System nodes are replaced one after the other.",
                hops.join(" \u{2192} ")
            ),
        )
        .hint("An interrupted change goes on with the next apply.")
        .at(at()),
    );
    let (Some(context), Attr::Known(region), Attr::Known(name)) =
        (context, &planned.common.region, &planned.name)
    else {
        return;
    };
    let category = if should > is {
        Category::Upgrade
    } else {
        Category::Rollback
    };
    match catalogue::insights(&context.aws, region, name, category).await {
        Ok(insights) => say_insights(&insights, to, planned, out),
        Err(failure) => out.push(failure.warning()),
    }
}

/// The findings that stand against the version. EKS marks those of the next minor as errors and those of later ones as
/// warnings, so that both count up to the version that is wanted.
pub fn blocking<'a>(insights: &'a [Insight], to: &str) -> Vec<&'a Insight> {
    let concerns = |insight: &&Insight| match (minor(&insight.kubernetes_version), minor(to)) {
        (Some(of), Some(to)) => of <= to,
        _ => true,
    };
    insights
        .iter()
        .filter(|insight| match insight.status {
            Status::Error => true,
            Status::Warning => concerns(insight),
            Status::Passing | Status::Unknown => false,
        })
        .collect()
}

/// A finding in a sentence.
pub fn sentence(insight: &Insight) -> String {
    let resources = match insight.resources.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    let reason = if insight.reason.is_empty() {
        &insight.description
    } else {
        &insight.reason
    };
    format!("{}: {reason}{resources}", insight.name)
}

fn say_insights(insights: &[Insight], to: &str, planned: &Cluster, out: &mut Diagnostics) {
    let blocking = blocking(insights, to);
    if blocking.is_empty() {
        return;
    }
    let sentences: Vec<String> = blocking.iter().map(|insight| sentence(insight)).collect();
    let advice: Vec<&str> = blocking
        .iter()
        .map(|insight| insight.recommendation.as_str())
        .filter(|advice| !advice.is_empty())
        .collect();
    let detail = format!(
        "EKS's upgrade insights stand against {to}. {}",
        sentences.join(" \u{b7} ")
    );
    let at = Path::from("kubernetes_version");
    if planned.force_insights == Attr::Known(true) {
        return out.push(
            Diagnostic::warning("EKB2223", "Upgrade in spite of EKS's insights", detail)
                .hint("`force_insights` is true: remove it after this upgrade.")
                .at(at),
        );
    }
    out.push(
        Diagnostic::error("EKB2223", "EKS's insights stand against the upgrade", detail)
            .hint(format!(
                "{} Findings of deprecated APIs go 30 days after the last call. To upgrade all the same set `force_insights = true`.",
                advice.join(" ")
            ))
            .at(at),
    );
}
