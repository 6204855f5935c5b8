//! What can never become a node is refused at plan.

use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::graph::Unknowns;
use serde_json::Value;

use super::graph::requirements;
use super::model::NodeClass;

fn refused(at: &str, why: String, hint: &str) -> Diagnostic {
    Diagnostic::error("EKB2434", "No node can come of this", why)
        .hint(hint)
        .at(Path::from(at))
}

/// All of them.
pub fn check(model: &NodeClass, out: &mut Diagnostics) {
    for (key, requirement) in requirements(model, &mut Unknowns::default()) {
        let values = requirement["values"].as_array();
        let count = values.map_or(0, Vec::len);
        let operator = requirement["operator"].as_str().unwrap_or_default();
        let takes = match operator {
            "Exists" | "DoesNotExist" => count == 0,
            "Gt" | "Lt" | "Gte" | "Lte" => {
                let is_number =
                    |value: &Value| value.as_str().is_some_and(|text| text.parse::<u32>().is_ok());
                count == 1 && values.is_some_and(|all| all.iter().all(is_number))
            }
            _ => count > 0,
        };
        let is_known = model.requirements.known().is_none_or(|all| {
            all.get(&key)
                .is_none_or(|one| !one.values.is_unknown() && !one.operator.is_unknown())
        });
        if !takes && is_known {
            let why = format!("The requirement {key} with the operator {operator} has {count} values.");
            let hint = "`In` and `NotIn` take one or more values, `Gt`, `Lt`, `Gte` and `Lte` one number, `Exists` and `DoesNotExist` none.";
            out.push(refused("requirements", why, hint));
        }
        let least = requirement["minValues"].as_u64().unwrap_or_default();
        if operator == "In" && is_known && least > u64::try_from(count).unwrap_or_default() {
            let why = format!("The requirement {key} wants {least} different values and allows {count}.");
            out.push(refused(
                "requirements",
                why,
                "Allow more values, or lower `min_values`.",
            ));
        }
    }
    for (name, limit) in model.limits.known().into_iter().flatten() {
        if matches!(name.as_str(), "cpu" | "nodes") && limit.parse::<f64>().is_ok_and(|limit| limit < 1.0) {
            let why = format!("The limit {name} = {limit} is too small for one node.");
            out.push(refused("limits", why, "Raise it, or take the class away."));
        }
    }
    for key in model.labels.known().into_iter().flatten().map(|(key, _)| key) {
        let restricted = ["karpenter.sh/", "kubernetes.io/hostname", "karpenter.k8s.aws/"];
        if restricted.iter().any(|of| key.starts_with(of)) {
            let why = format!("The label {key} is Karpenter's own: a NodePool that sets it is refused.");
            out.push(refused("labels", why, "Give it as one of `requirements`."));
        }
    }
    for budget in model.budgets.known().into_iter().flatten() {
        if budget.schedule.is_null() != budget.duration.is_null() && !budget.schedule.is_unknown() {
            let why = "A budget has `schedule` and `duration`, or neither.".to_owned();
            out.push(refused(
                "budgets",
                why,
                "Say both: when it begins, and how long it lasts.",
            ));
        }
    }
    // Karpenter, "NodePools", expireAfter.
    let ends = matches!(&model.expire_after, Attr::Known(after) if after != "Never");
    if ends && model.termination_grace_period.is_null() {
        out.push(
            Diagnostic::warning(
                "EKB2435",
                "Nodes may outlive their age",
                "A node that is too old is drained for ever where a PodDisruptionBudget or `karpenter.sh/do-not-disrupt` holds one of its pods.",
            )
            .hint("Set `termination_grace_period`, or `expire_after = \"Never\"`.")
            .at(Path::from("expire_after")),
        );
    }
}
