//! `.helmignore`: which files of a folder are no part of the chart.

use crate::chart::error::Error;
use crate::template::glob::Glob;

struct Rule {
    glob: Glob,
    negated: bool,
    only_folders: bool,
    /// Matched against the whole path instead of the last name.
    whole: bool,
}

/// The rules of a `.helmignore`.
#[derive(Default)]
pub struct Ignore(Vec<Rule>);

impl Ignore {
    /// Reads the rules; files that start with a dot in `templates/` are always left out.
    ///
    /// # Errors
    /// Patterns that are malformed, or have `**`.
    pub fn parse(text: &str) -> Result<Ignore, Error> {
        let mut rules = Vec::new();
        for line in text.lines().chain(["templates/.?*"]) {
            let mut pattern = line.trim();
            if pattern.is_empty() || pattern.starts_with('#') {
                continue;
            }
            if pattern.contains("**") {
                return Err(Error::Chart("double-star (**) syntax is not supported".into()));
            }
            let negated = pattern.starts_with('!');
            if negated {
                pattern = &pattern[1..];
            }
            let only_folders = pattern.ends_with('/');
            if only_folders {
                pattern = &pattern[..pattern.len() - 1];
            }
            let whole = pattern.contains('/');
            let body = pattern.strip_prefix('/').unwrap_or(pattern);
            let escaped = body.replace('{', "\\{").replace('}', "\\}");
            let glob = Glob::new(&escaped)
                .ok_or_else(|| Error::Chart(format!("invalid pattern in .helmignore: {pattern}")))?;
            rules.push(Rule {
                glob,
                negated,
                only_folders,
                whole,
            });
        }
        Ok(Ignore(rules))
    }
    /// Whether a path (with slashes, relative to the chart) is left out.
    pub fn ignores(&self, path: &str, folder: bool) -> bool {
        if path.is_empty() || path == "." {
            return false;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        for rule in &self.0 {
            let matches = rule.glob.matches(if rule.whole { path } else { name });
            if rule.negated {
                if rule.only_folders && !folder {
                    return true;
                }
                if !matches {
                    return true;
                }
                continue;
            }
            if rule.only_folders && !folder {
                continue;
            }
            if matches {
                return true;
            }
        }
        false
    }
}
