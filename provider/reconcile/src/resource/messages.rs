//! What users are told.

use framework::{Diagnostic, Diagnostics};

use crate::failure::Failure;
use crate::report::Why;

impl Failure {
    /// As a message to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut summary = self.doing.clone();
        if let Some(first) = summary.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        let mut detail = self.cause.clone();
        if let Some(id) = &self.request_id {
            detail.push_str(&format!("\n\nAWS request id: {id}"));
        }
        let diagnostic = Diagnostic::error(self.code, summary, detail);
        if self.hint.is_empty() {
            diagnostic
        } else {
            diagnostic.hint(self.hint.clone())
        }
    }

    /// The same as a warning.
    pub fn warning(&self) -> Diagnostic {
        let error = self.diagnostic();
        Diagnostic {
            severity: framework::Severity::Warning,
            ..error
        }
    }
}

/// What befell several looks alike (no network, a time-out) as one, which is said once.
pub(super) fn together(failures: &[Failure]) -> Vec<Failure> {
    let mut told: Vec<Failure> = Vec::new();
    for failure in failures {
        let same = |other: &&mut Failure| {
            (other.code, &other.cause, &other.hint) == (failure.code, &failure.cause, &failure.hint)
        };
        match told.iter_mut().find(same) {
            Some(other) if other.doing == failure.doing => {}
            Some(other) => other.doing = format!("{}, {}", other.doing, failure.doing),
            None => told.push(failure.clone()),
        }
    }
    told
}

pub(super) fn warnings(failures: &[Failure]) -> Diagnostics {
    together(failures).iter().map(Failure::warning).collect()
}

pub(super) fn kept(kept: &crate::report::Kept) -> Diagnostic {
    let why = match &kept.why {
        Why::Kept(reason) => reason.clone(),
        Why::FinalSnapshot => "it is the final snapshot".to_owned(),
    };
    Diagnostic::warning(
        "EKB2022",
        format!("Kept {}", kept.id),
        format!("{} remains: {why}.", kept.key),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn what_befell_several_looks_alike_is_said_once() {
        let look =
            |what: &str, cause: &str| Failure::new(Class::TimedOut, format!("looking for {what}"), cause);
        let failures = [
            look("subnets", "the time is over"),
            look("addresses", "access denied"),
            look("VPCs", "the time is over"),
        ];
        let told: Vec<String> = warnings(&failures)
            .into_iter()
            .map(|one| one.headline())
            .collect();
        assert_eq!(
            told,
            [
                "Looking for subnets, looking for VPCs (EKB1011)",
                "Looking for addresses (EKB1011)"
            ]
        );
    }

    #[test]
    fn a_failure_tells_what_why_and_what_next() {
        let mut failure = Failure::new(
            Class::Denied,
            "creating NAT gateway (eu-central-1a)",
            "UnauthorizedOperation: no",
        )
        .hint("Allow ec2:CreateNatGateway.");
        failure.request_id = Some("abc".to_owned());
        let diagnostic = failure.diagnostic();
        assert_eq!(diagnostic.summary, "Creating NAT gateway (eu-central-1a)");
        assert!(diagnostic.detail.contains("AWS request id: abc"));
        assert_eq!(&*diagnostic.hint, "Allow ec2:CreateNatGateway.");
    }
}
