//! What users are told.

use framework::Diagnostic;

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

    pub(super) fn warning(&self) -> Diagnostic {
        let error = self.diagnostic();
        Diagnostic {
            severity: framework::Severity::Warning,
            ..error
        }
    }
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
