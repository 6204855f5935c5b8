//! Semantic versions and constraints on them, as loosely as charts write them.

use std::cmp::Ordering;

/// A semantic version, with what its author wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    /// Pre-release identifiers, joined by dots.
    pub pre: String,
    /// Build metadata.
    pub build: String,
    /// As written.
    pub original: String,
}

fn identifiers_ok(s: &str, numeric_rule: bool) -> bool {
    s.split('.').all(|part| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !(numeric_rule
                && part.len() > 1
                && part.starts_with('0')
                && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

impl Version {
    /// Reads `1.2.3`, `v1.2`, `1` and the like.
    pub fn parse(source: &str) -> Option<Version> {
        let body = source.strip_prefix('v').unwrap_or(source);
        let (body, build) = body.split_once('+').map_or((body, ""), |(b, m)| (b, m));
        let (core, pre) = body.split_once('-').map_or((body, ""), |(c, p)| (c, p));
        if source.contains('+') && !identifiers_ok(build, false)
            || body.contains('-') && !identifiers_ok(pre, true)
        {
            return None;
        }
        let mut numbers = [0; 3];
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (index, part) in parts.iter().enumerate() {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            numbers[index] = part.parse().ok()?;
        }
        Some(Version {
            numbers,
            pre: pre.into(),
            build: build.into(),
            original: source.into(),
        })
    }
    /// The next major, minor or patch version (0 to 2). The next patch of a pre-release is its release.
    pub fn incremented(&self, index: usize) -> Version {
        let mut out = Version {
            numbers: self.numbers,
            ..Version::default()
        };
        if index < 2 || self.pre.is_empty() {
            out.numbers[index] = out.numbers[index].wrapping_add(1);
        }
        out.numbers[index + 1..].fill(0);
        out.original = out.canonical();
        out
    }
    /// With another pre-release; empty for none.
    ///
    /// # Errors
    /// What is none, in the library's words.
    pub fn with_pre(&self, pre: &str) -> Result<Version, String> {
        for part in pre.split('.') {
            if part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()) {
                return Err("version segment starts with 0".into());
            }
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err("invalid prerelease string".into());
            }
        }
        Ok(Version {
            pre: pre.into(),
            ..self.clone()
        })
    }
    /// With other build metadata; empty for none.
    ///
    /// # Errors
    /// As for [`Version::with_pre`].
    pub fn with_build(&self, build: &str) -> Result<Version, String> {
        if !build
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        {
            return Err("invalid metadata string".into());
        }
        Ok(Version {
            build: build.into(),
            ..self.clone()
        })
    }
    /// The canonical form.
    pub fn canonical(&self) -> String {
        let [major, minor, patch] = self.numbers;
        let mut out = format!("{major}.{minor}.{patch}");
        if !self.pre.is_empty() {
            out.push('-');
            out.push_str(&self.pre);
        }
        if !self.build.is_empty() {
            out.push('+');
            out.push_str(&self.build);
        }
        out
    }
    /// Order of versions; build metadata does not count.
    pub fn order(&self, other: &Version) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => pre_order(&self.pre, &other.pre),
            })
    }
}

fn pre_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A constraint such as `>=1.2.0-0 <2 || ^3`.
#[derive(Clone, Debug)]
pub struct Constraint(Vec<Vec<Term>>);

#[derive(Clone, Debug)]
struct Term {
    operator: &'static str,
    version: Version,
    /// How many of the numbers were given: fewer stand for any.
    given: usize,
}

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// What does not look like one.
    pub fn parse(source: &str) -> Result<Constraint, String> {
        let improper = || format!("improper constraint: {}", crate::value::gofmt::quote(source));
        let mut alternatives = Vec::new();
        for alternative in source.split("||") {
            let mut terms = Vec::new();
            let ranged = hyphen_ranges(alternative);
            let mut rest = ranged.trim_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() {
                return Err(improper());
            }
            while !rest.is_empty() {
                let (term, length) = Term::parse(rest).ok_or_else(improper)?;
                terms.push(term);
                let after = &rest[length..];
                rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                if !rest.is_empty() && rest.len() == after.len() {
                    return Err(improper());
                }
            }
            alternatives.push(terms);
        }
        Ok(Constraint(alternatives))
    }
    /// Whether a version fits.
    pub fn allows(&self, version: &Version) -> bool {
        self.0
            .iter()
            .any(|terms| terms.iter().all(|term| term.allows(version)))
    }
}

/// `1.2 - 2.3` means `>=1.2 <=2.3`.
fn hyphen_ranges(source: &str) -> String {
    let words: Vec<&str> = source.split_whitespace().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words.get(at + 1) == Some(&"-") && at + 2 < words.len() {
            out.push(format!(">={}", words[at]));
            out.push(format!("<={}", words[at + 2]));
            at += 3;
        } else {
            out.push(words[at].to_owned());
            at += 1;
        }
    }
    out.join(" ")
}

impl Term {
    fn parse(source: &str) -> Option<(Term, usize)> {
        const OPERATORS: [&str; 11] = ["=>", ">=", "=<", "<=", "!=", "~>", "=", ">", "<", "~", "^"];
        let found = OPERATORS
            .iter()
            .copied()
            .find(|op| source.starts_with(op))
            .unwrap_or("");
        let after = &source[found.len()..];
        let body = after.trim_start();
        let skipped = found.len() + after.len() - body.len();
        let end = body
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(body.len());
        // An operator may follow without a space: `>=1<2`.
        let end = body[..end].find(['<', '>', '=', '!', '^', '~']).unwrap_or(end);
        let word = &body[..end];
        let operator = match found {
            "=>" => ">=",
            "=<" => "<=",
            "~>" => "~",
            "" => "=",
            other => other,
        };
        let plain = word.strip_prefix('v').unwrap_or(word);
        let (core, tail) = match plain.find(['-', '+']) {
            Some(at) => plain.split_at(at),
            None => (plain, ""),
        };
        let parts: Vec<&str> = core.split('.').collect();
        let wild = |part: &str| matches!(part, "x" | "X" | "*");
        let given = parts.iter().take_while(|p| !wild(p)).count();
        if parts.len() > 3 || core.is_empty() || parts.iter().skip(given).any(|p| !wild(p)) {
            return None;
        }
        let version = if given == 0 {
            Version::parse("0.0.0")?
        } else if given < 3 && parts.len() > given {
            Version::parse(&format!("{}{tail}", parts[..given].join(".")))?
        } else {
            Version::parse(&format!("{core}{tail}"))?
        };
        Some((
            Term {
                operator,
                version,
                given: given.min(3),
            },
            skipped + end,
        ))
    }
    fn allows(&self, version: &Version) -> bool {
        // A pre-release fits only where the constraint speaks of one.
        let own = &self.version;
        if !version.pre.is_empty() && own.pre.is_empty() {
            return false;
        }
        let order = version.order(own);
        let same = |count: usize| version.numbers[..count] == own.numbers[..count];
        match self.operator {
            "=" if self.given < 3 => self.tilde(version),
            "=" => order == Ordering::Equal,
            "!=" if self.given < 3 => !same(self.given),
            "!=" => order != Ordering::Equal,
            ">" if self.given < 3 => version.numbers[..self.given] > own.numbers[..self.given],
            ">" => order == Ordering::Greater,
            ">=" => order != Ordering::Less,
            "<" => order == Ordering::Less,
            "<=" if self.given < 3 => version.numbers[..self.given] <= own.numbers[..self.given],
            "<=" => order != Ordering::Greater,
            "~" => self.tilde(version),
            _ => {
                if self.given == 0 {
                    return true;
                }
                if order == Ordering::Less {
                    return false;
                }
                // A caret holds the leftmost number that is not zero.
                if own.numbers[0] > 0 || self.given == 1 {
                    return same(1);
                }
                if own.numbers[1] > 0 || self.given == 2 {
                    return same(2);
                }
                same(3)
            }
        }
    }
    fn tilde(&self, version: &Version) -> bool {
        if self.given == 0 {
            return true;
        }
        if version.order(&self.version) == Ordering::Less {
            return false;
        }
        let held = self.given.min(2);
        version.numbers[..held] == self.version.numbers[..held]
    }
}
