//! The tags that all parts of a resource carry beside their own, and the tags that are left alone.

use crate::part::Tags;

/// Tags that are left alone: never set, removed or compared, whoever declares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoredTags {
    /// Their keys.
    pub keys: Vec<String>,
    /// What their keys begin with.
    pub prefixes: Vec<String>,
}

impl IgnoredTags {
    /// Whether the tag is left alone.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.iter().any(|ignored| ignored == key)
            || self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

/// The user's tags, which all parts carry beside their own. They may be sensitive, so that neither a plan nor a state nor
/// a message shows them; the tags of a part's own (`Name`, those that other programs look for) are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedTags {
    /// The tags.
    pub tags: Tags,
    /// What is left alone.
    pub ignored: IgnoredTags,
}

impl SharedTags {
    /// All tags of a part with these of its own.
    ///
    /// A part's own tags come first, as other programs find it by them; only its `Name` is a mere proposal, which a
    /// `Name` of the user's takes the place of.
    pub fn with(&self, own: &Tags) -> Tags {
        let mut all = own.clone();
        for (key, value) in &self.tags {
            if self.replaces(key, own) {
                all.insert(key.clone(), value.clone());
            }
        }
        all.retain(|key, _| !self.ignored.contains(key));
        all
    }

    /// Whether the user's tag of this key stands where the part has these of its own.
    pub(crate) fn replaces(&self, key: &str, own: &Tags) -> bool {
        key == "Name" || !own.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn own_tags_come_first_but_for_the_name_and_what_is_ignored_is_nowhere() {
        let own = tags(&[("Name", "dev-vpc"), ("role", "elb"), ("audit/by", "us")]);
        let mut shared = SharedTags {
            tags: tags(&[("role", "theirs"), ("cost", "42")]),
            ignored: IgnoredTags {
                keys: Vec::new(),
                prefixes: vec!["audit/".to_owned()],
            },
        };
        assert_eq!(
            shared.with(&own),
            tags(&[("Name", "dev-vpc"), ("role", "elb"), ("cost", "42")])
        );
        shared.tags = tags(&[("Name", "mine")]);
        assert_eq!(shared.with(&own), tags(&[("Name", "mine"), ("role", "elb")]));
        shared.ignored.keys = vec!["Name".to_owned(), "role".to_owned()];
        assert_eq!(shared.with(&own), tags(&[]));
    }
}
