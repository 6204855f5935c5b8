//! Client tokens: derived, so that a process that was killed and its successor say the same.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::part::{Key, Owner, Tags};

/// The token of a creating call: 52 ASCII characters from owner, part, request, and the ids of dead predecessors
/// (without those, the service would answer with the object that was deleted).
pub(crate) fn token(
    owner: &Owner,
    key: &Key,
    fields: &Value,
    tags: &Tags,
    predecessors: &BTreeSet<String>,
) -> String {
    let text = serde_json::json!([owner, key, fields, tags, predecessors]).to_string();
    Sha256::digest(text.as_bytes())
        .iter()
        .take(24)
        .fold("ekb-".to_owned(), |mut token, byte| {
            // Writing to a String cannot fail.
            let _ = write!(token, "{byte:02x}");
            token
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_names_the_request_and_its_dead_predecessors() {
        let owner = Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: "network/main".into(),
        };
        let of = |part: &str, subnet: &str, dead: &[&str]| {
            let dead = dead.iter().map(|id| (*id).to_owned()).collect();
            token(
                &owner,
                &part.into(),
                &json!({"subnet": subnet}),
                &Tags::new(),
                &dead,
            )
        };
        let first = of("nat/a", "subnet-1", &[]);
        assert!(first.len() <= 64 && first.is_ascii());
        assert_eq!(first, of("nat/a", "subnet-1", &[]), "the same after a crash");
        for other in [
            of("nat/b", "subnet-1", &[]),
            of("nat/a", "subnet-2", &[]),
            of("nat/a", "subnet-1", &["nat-1"]),
        ] {
            assert_ne!(first, other);
        }
    }
}
