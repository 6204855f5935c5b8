//! The ConfigMap `aws-auth`, which stops to count where access entries alone let in: whom it names would be locked out.

use std::collections::BTreeSet;

use aws::eks::inside;
use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::failure::Class;
use serde_json::Value;

use super::model::Cluster;
use crate::platform::Platform;

const PATH: &str = "/api/v1/namespaces/kube-system/configmaps/aws-auth";

/// Refuses the last step to `API` while the ConfigMap lets in somebody without an access entry, or cannot be read.
pub async fn check(context: Option<&Platform>, prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let goes = |mode: &str, of: &Cluster| of.authentication_mode.known().is_some_and(|of| of == mode);
    if !goes("API_AND_CONFIG_MAP", prior) || !goes("API", planned) {
        return;
    }
    let (Some(context), Attr::Known(region), Attr::Known(name)) =
        (context, &prior.common.region, &prior.name)
    else {
        return;
    };
    let at = || Path::from("authentication_mode");
    let stay = "leave `authentication_mode = \"API_AND_CONFIG_MAP\"`";
    let cluster = context.clusters(region).get(name);
    let map = match cluster.get("reading the ConfigMap aws-auth", PATH).await {
        Ok(map) => map,
        Err(failure) if failure.class == Class::NotFound => return,
        Err(failure) => {
            let why = "whom the ConfigMap aws-auth lets in is not known, and they would be locked out";
            let detail = format!(
                "The cluster {name} could not be asked: {why}. {}: {}.",
                failure.doing, failure.cause
            );
            let error = Diagnostic::error("EKB2253", "Cannot look into aws-auth", detail);
            return out.push(
                error
                    .hint(format!("Apply where the cluster is reached, or {stay}."))
                    .at(at()),
            );
        }
    };
    let entries = match inside::principals(&context.aws, region, name).await {
        Ok(entries) => entries,
        Err(failure) => return out.extend([failure.diagnostic()]),
    };
    let declared = planned.access.known().into_iter().flatten();
    let declared = declared.filter_map(|(_, entry)| entry.principal_arn.known().cloned());
    let let_in: BTreeSet<String> = entries
        .into_iter()
        .chain(declared)
        .map(|arn| plain(&arn))
        .collect();
    let left_out: Vec<String> = named(&map)
        .into_iter()
        .filter(|arn| !let_in.contains(&plain(arn)))
        .collect();
    if left_out.is_empty() {
        return;
    }
    out.push(
        Diagnostic::error(
            "EKB2254",
            "Others get in by aws-auth",
            format!(
                "The ConfigMap aws-auth of the cluster {name} lets in who has no access entry:\n- {}\nWith `API` they would be locked out.",
                left_out.join("\n- ")
            ),
        )
        .hint(format!("Give them entries in `access` and apply; then take this step. Or {stay}."))
        .at(at()),
    );
}

/// The ARNs that the ConfigMap names, and the ids of whole accounts.
fn named(map: &Value) -> BTreeSet<String> {
    let text = |field: &str| map["data"][field].as_str().unwrap_or_default().to_owned();
    let principals = text("mapRoles") + "\n" + &text("mapUsers");
    let is_end = |letter: char| letter.is_whitespace() || "\"'#,}]".contains(letter);
    let arns = principals
        .split(is_end)
        .filter_map(|word| Some(&word[word.find("arn:aws")?..]));
    let accounts = text("mapAccounts");
    let is_id = |word: &&str| word.len() == 12 && word.chars().all(|letter| letter.is_ascii_digit());
    let accounts = accounts
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(is_id);
    arns.chain(accounts).map(str::to_owned).collect()
}

/// The ARN without a path, as aws-auth wants it.
fn plain(arn: &str) -> String {
    match (arn.rsplit_once(':'), arn.rsplit_once('/')) {
        (Some((head, principal)), Some((_, name))) => {
            format!(
                "{head}:{}/{name}",
                principal.split('/').next().unwrap_or_default()
            )
        }
        _ => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whom_it_lets_in_is_read_of_any_yaml() {
        let map = json!({ "data": {
            "mapRoles": "- rolearn: arn:aws:iam::123456789012:role/nodes\n  groups: [system:nodes]\n- {\"rolearn\": \"arn:aws:iam::123456789012:role/ci\"}\n",
            "mapUsers": "- userarn: 'arn:aws:iam::123456789012:user/ann' # she\n",
            "mapAccounts": "- \"210987654321\"\n",
        } });
        let expected = [
            "210987654321",
            "arn:aws:iam::123456789012:role/ci",
            "arn:aws:iam::123456789012:role/nodes",
            "arn:aws:iam::123456789012:user/ann",
        ];
        assert_eq!(named(&map).into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(
            plain("arn:aws:iam::123456789012:role/ops/ci"),
            "arn:aws:iam::123456789012:role/ci"
        );
    }
}
