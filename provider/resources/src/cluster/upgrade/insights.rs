//! What EKS's insights have against another version: asked at plan, and anew before each step of an upgrade.

use std::time::Duration;

use aws::eks::catalogue::{self, Category, Insight, Refresh, Status};
use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::clock::Clock;
use reconcile::failure::{Class, Failure};

use super::super::model::Cluster;
use super::super::versions::minor;
use crate::platform::Platform;

/// The code of what the insights have against it.
pub const CODE: &str = "EKB2223";
/// Time between two questions whether EKS has looked anew, and how long that is waited for. It takes some minutes.
const PAUSE: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A change of the version: of which cluster, from where and to where.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    pub region: &'a str,
    pub cluster: &'a str,
    pub from: &'a str,
    pub to: &'a str,
}

impl Hop<'_> {
    pub fn is_back(&self) -> bool {
        minor(self.to) < minor(self.from)
    }

    pub fn doing(&self) -> String {
        format!(
            "bringing EKS cluster {} from version {} to {}",
            self.cluster, self.from, self.to
        )
    }

    fn category(&self) -> Category {
        if self.is_back() {
            Category::Rollback
        } else {
            Category::Upgrade
        }
    }
}

/// What stands against it: in words, and what to do.
struct Against {
    detail: String,
    hint: String,
}

/// Says at plan what stands against it.
pub async fn check(context: &Platform, hop: &Hop<'_>, planned: &Cluster, out: &mut Diagnostics) {
    let insights = match catalogue::insights(&context.aws, hop.region, hop.cluster, hop.category()).await {
        Ok(insights) => insights,
        Err(failure) => return out.push(failure.warning()),
    };
    let at = || Path::from("kubernetes_version");
    let (mended, blocking): (Vec<_>, Vec<_>) = blocking(&insights, hop)
        .into_iter()
        .partition(|insight| hop.is_back() && is_mended_on_the_way(insight));
    if let Some(against) = against(&mended, hop) {
        out.push(
            Diagnostic::warning(CODE, "EKS's insights on the rollback", against.detail)
                .hint("Nodes and add-ons go back first; then the insights are asked again, before the control plane does.")
                .at(at()),
        );
    }
    let Some(against) = against(&blocking, hop) else {
        return;
    };
    out.push(if planned.force_insights == Attr::Known(true) {
        Diagnostic::warning(CODE, "Another version in spite of EKS's insights", against.detail)
            .hint("`force_insights` is true: remove it afterwards.")
            .at(at())
    } else {
        Diagnostic::error(CODE, "EKS's insights stand against the version", against.detail)
            .hint(against.hint)
            .at(at())
    });
}

/// Has EKS look anew, and refuses the change where something stands against it. `is_first`: nodes and add-ons, which go back
/// before the control plane, have not done so yet.
///
/// # Errors
/// What stands against it; a call that failed.
pub async fn allow(context: &Platform, hop: &Hop<'_>, is_first: bool) -> Result<(), Failure> {
    refresh(context, hop).await?;
    let insights = catalogue::insights(&context.aws, hop.region, hop.cluster, hop.category()).await?;
    let blocking: Vec<&Insight> = blocking(&insights, hop)
        .into_iter()
        .filter(|insight| !(is_first && is_mended_on_the_way(insight)))
        .collect();
    match against(&blocking, hop) {
        None => Ok(()),
        Some(Against { detail, hint }) => Err(Failure::new(Class::Invalid, hop.doing(), detail)
            .code(CODE)
            .hint(hint)),
    }
}

async fn refresh(context: &Platform, hop: &Hop<'_>) -> Result<(), Failure> {
    let clock = Clock::from_env();
    let until = clock.now() + LIMIT;
    let mut is_begun = false;
    loop {
        let looked = if is_begun {
            catalogue::insights_refresh(&context.aws, hop.region, hop.cluster).await
        } else {
            catalogue::refresh_insights(&context.aws, hop.region, hop.cluster).await
        };
        match looked {
            Ok(Refresh::Completed) => return Ok(()),
            Ok(Refresh::InProgress) => is_begun = true,
            Ok(Refresh::Failed(why)) => {
                // EKS looks by itself once a day, and again when the change begins.
                tracing::warn!(
                    cluster = hop.cluster,
                    why,
                    "EKS could not look at the cluster anew"
                );
                return Ok(());
            }
            // To begin it twice does no harm.
            Err(failure) if passes(&failure, is_begun) && clock.now() < until => {
                tracing::debug!(%failure, "could not have EKS look anew; trying again");
            }
            Err(failure) => return Err(failure),
        }
        if clock.now() > until {
            let minutes = LIMIT.as_secs() / 60;
            let cause =
                format!("EKS has been looking at the cluster for {minutes} minutes (StartInsightsRefresh)");
            return Err(Failure::new(Class::TimedOut, hop.doing(), cause)
                .hint("Apply again later. To go on without its insights set `force_insights = true`."));
        }
        clock.sleep(PAUSE).await;
    }
}

/// Whether it may be otherwise in a moment; what has just begun may not be seen yet.
fn passes(failure: &Failure, is_begun: bool) -> bool {
    match failure.class {
        Class::Throttled | Class::Transient | Class::Unknown | Class::Busy => true,
        Class::NotFound => is_begun,
        _ => false,
    }
}

/// The same explanation for EKS's own refusal, which may come although the insights said nothing.
pub async fn explain(context: &Platform, hop: &Hop<'_>, failure: Failure) -> Failure {
    let insights = catalogue::insights(&context.aws, hop.region, hop.cluster, hop.category()).await;
    let insights = insights.unwrap_or_default();
    match against(&blocking(&insights, hop), hop) {
        Some(Against { detail, hint }) => Failure {
            cause: format!("{}. {detail}", failure.cause.trim_end_matches('.')),
            hint,
            ..failure
        },
        None => Failure {
            hint: format!(
                "`aws eks list-insights --region {} --cluster-name {}` shows what stands against it. {FORCE}",
                hop.region, hop.cluster
            ),
            ..failure
        },
    }
}

const FORCE: &str = "To go on all the same set `force_insights = true`.";

/// The findings that stand against the version. EKS marks those of the next minor as errors and those of later ones as
/// warnings, so that both count up to the version that is wanted; on the way back warnings are advice (EKS user guide,
/// "Roll back a cluster to a previous Kubernetes version").
fn blocking<'a>(insights: &'a [Insight], hop: &Hop<'_>) -> Vec<&'a Insight> {
    let concerns = |insight: &Insight| match (minor(&insight.kubernetes_version), minor(hop.to)) {
        (Some(of), Some(to)) => of <= to,
        _ => true,
    };
    let blocks = |insight: &&Insight| match insight.status {
        Status::Error => true,
        Status::Warning => !hop.is_back() && concerns(insight),
        Status::Passing | Status::Unknown => false,
    };
    insights.iter().filter(blocks).collect()
}

/// Whether it is about what goes back before the control plane does: nodes, kube-proxy and other add-ons.
fn is_mended_on_the_way(insight: &Insight) -> bool {
    let name = insight.name.to_lowercase();
    ["kubelet", "kube-proxy", "add-on"]
        .iter()
        .any(|what| name.contains(what))
}

fn against(blocking: &[&Insight], hop: &Hop<'_>) -> Option<Against> {
    if blocking.is_empty() {
        return None;
    }
    let sentences: Vec<String> = blocking.iter().map(|insight| sentence(insight)).collect();
    let mut advice: Vec<&str> = blocking
        .iter()
        .map(|insight| insight.recommendation.trim())
        .filter(|advice| !advice.is_empty())
        .collect();
    let lingers = "Findings of deprecated APIs go 30 days after the last call.";
    if !hop.is_back() {
        advice.push(lingers);
    }
    advice.push(FORCE);
    Some(Against {
        detail: format!(
            "EKS's insights stand against {}. {}",
            hop.to,
            sentences.join(" \u{b7} ")
        ),
        hint: advice.join(" "),
    })
}

/// A finding in a sentence.
fn sentence(insight: &Insight) -> String {
    let reason = if insight.reason.is_empty() {
        &insight.description
    } else {
        &insight.reason
    };
    let mut found = insight.resources.clone();
    found.extend(insight.deprecations.iter().map(|api| {
        let callers = match api.clients.as_slice() {
            [] => String::new(),
            some => format!(", called by {}", some.join(", ")),
        };
        let instead = match api.replaced_with.as_str() {
            "" => String::new(),
            instead => format!(", {instead} takes its place"),
        };
        format!("{} is gone in {}{instead}{callers}", api.usage, api.stops_in)
    }));
    let found = match found.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join("; ")),
    };
    format!("{}: {}{found}", insight.name, reason.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insight(status: Status, version: &str) -> Insight {
        Insight {
            id: String::new(),
            name: "Deprecated APIs".into(),
            status,
            kubernetes_version: version.into(),
            reason: "Deprecated APIs are called.".into(),
            description: String::new(),
            recommendation: "Move on.".into(),
            resources: Vec::new(),
            deprecations: Vec::new(),
        }
    }

    fn hop<'a>(from: &'a str, to: &'a str) -> Hop<'a> {
        Hop {
            region: "eu-central-1",
            cluster: "test",
            from,
            to,
        }
    }

    #[test]
    fn warnings_block_the_step_that_comes_to_their_version() {
        let insights = [insight(Status::Warning, "1.36")];
        let blocks = |from, to| !blocking(&insights, &hop(from, to)).is_empty();
        assert!(!blocks("1.34", "1.35"));
        assert!(blocks("1.35", "1.36"));
        assert!(!blocks("1.36", "1.35"), "on the way back they are advice");
        let error = [insight(Status::Error, "1.37")];
        assert_eq!(blocking(&error, &hop("1.34", "1.35")).len(), 1);
    }

    #[test]
    fn what_is_said_names_apis_and_callers() {
        let found = Insight {
            deprecations: vec![catalogue::Deprecation {
                usage: "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas".into(),
                replaced_with: "v1".into(),
                stops_in: "1.35".into(),
                clients: vec!["kubectl".into()],
            }],
            ..insight(Status::Error, "1.35")
        };
        let said = against(&[&found], &hop("1.34", "1.35")).unwrap();
        assert!(
            said.detail
                .contains("flowschemas is gone in 1.35, v1 takes its place, called by kubectl"),
            "{}",
            said.detail
        );
        assert!(
            said.hint
                .starts_with("Move on. Findings of deprecated APIs go 30 days"),
            "{}",
            said.hint
        );
    }
}
