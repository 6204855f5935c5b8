//! Whether EKS still takes a cluster's version back (EKS user guide, "Roll back a cluster to a previous Kubernetes version").

use std::time::{Duration, SystemTime};

use aws::eks::catalogue::{self, VersionChange};
use framework::{Diagnostic, Diagnostics, Path};
use reconcile::clock::Clock;

use super::insights::Hop;
use crate::platform::Platform;

/// EKS counts from the end of the upgrade, of which only the beginning is known.
const WINDOW: Duration = Duration::from_secs(7 * 24 * 3600 + 2 * 3600);

/// Refuses what EKS would refuse after nodes and add-ons have gone back.
pub async fn check(context: &Platform, hop: &Hop<'_>, out: &mut Diagnostics) {
    let last = match catalogue::last_version_change(&context.aws, hop.region, hop.cluster).await {
        Ok(last) => last,
        Err(failure) => return out.push(failure.warning()),
    };
    if let Some(why) = refused(last.as_ref(), hop, Clock::from_env().wall()) {
        out.push(
            Diagnostic::error("EKB2244", "EKS does not take the version back", why)
                .hint(format!("Write `kubernetes_version = \"{}\"`.", hop.from))
                .at(Path::from("kubernetes_version")),
        );
    }
}

fn refused(last: Option<&VersionChange>, hop: &Hop<'_>, now: SystemTime) -> Option<String> {
    let Hop {
        cluster, from, to, ..
    } = hop;
    let Some(last) = last else {
        return Some(format!(
            "EKS takes a cluster back only to the version before an upgrade, and knows of none: {cluster} was made with {from}."
        ));
    };
    if last.is_rollback {
        return Some(format!(
            "{cluster} has gone back to {from} already; EKS does not take it further back, to {to}."
        ));
    }
    let age = now.duration_since(last.at).unwrap_or_default();
    (last.to == *from && age > WINDOW).then(|| {
        format!(
            "{cluster} was upgraded to {from} {} days ago; EKS takes it back within seven.",
            age.as_secs() / (24 * 3600)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_open_for_a_week_after_an_upgrade() {
        let hop = Hop {
            region: "eu-central-1",
            cluster: "test",
            from: "1.36",
            to: "1.35",
        };
        let day = Duration::from_secs(24 * 3600);
        let then = SystemTime::UNIX_EPOCH + 100 * day;
        let upgraded = |is_rollback| VersionChange {
            to: "1.36".into(),
            is_rollback,
            at: then,
        };
        let said = |last: Option<&VersionChange>, days| refused(last, &hop, then + days * day);
        assert_eq!(said(Some(&upgraded(false)), 6), None);
        assert!(said(Some(&upgraded(false)), 9).unwrap().contains("9 days ago"));
        assert!(said(Some(&upgraded(true)), 1).unwrap().contains("already"));
        assert!(said(None, 1).unwrap().contains("was made with 1.36"));
    }
}
