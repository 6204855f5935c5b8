//! Checks of a configuration that a schema declares: validators of values, relations between arguments.

use std::fmt;
use std::sync::Arc;

use crate::attr::{AttributeType, DecodeError};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Attribute, Block, Nesting, Shape};
use crate::value::{Number, Value};

/// What is checked of a value: gives the complaint.
type Check = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// A check of an attribute's value.
///
/// Checks of text and numbers apply to every element of a collection; lengths count the collection's elements.
#[derive(Clone)]
pub struct Validator {
    /// What is allowed, as a clause for documentation: ``one of `a`, `b` ``. Empty for checks by function.
    pub description: String,
    whole: bool,
    check: Check,
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({})", self.description)
    }
}

impl Validator {
    fn leaves(description: String, check: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        let complaint = description.clone();
        let check = move |value: &Value| {
            if check(value) {
                Ok(())
            } else {
                Err(format!("Must be {complaint}, got {}.", show(value)))
            }
        };
        Self {
            description,
            whole: false,
            check: Arc::new(check),
        }
    }

    /// One of these texts.
    pub fn one_of(choices: &'static [&'static str]) -> Self {
        let names: Vec<_> = choices.iter().map(|c| format!("`{c}`")).collect();
        Self::leaves(format!("one of {}", names.join(", ")), move |v| {
            v.as_str().is_some_and(|t| choices.contains(&t))
        })
    }

    /// A number within bounds, both included.
    pub fn range(least: Option<i64>, greatest: Option<i64>) -> Self {
        let description = bounds("a number", least, greatest);
        Self::leaves(description, move |v| match v {
            Value::Number(n) => {
                least.is_none_or(|l| *n >= Number::from(l)) && greatest.is_none_or(|g| *n <= Number::from(g))
            }
            _ => true,
        })
    }

    /// So many characters of a text, or elements of a collection, both bounds included.
    pub fn length(least: Option<i64>, greatest: Option<i64>) -> Self {
        let description = bounds("of a length", least, greatest);
        let complaint = description.clone();
        let check = move |value: &Value| {
            let length = match value {
                Value::String(text) => text.chars().count(),
                Value::Map(all) | Value::Object(all) => all.len(),
                other => other.elements().len(),
            } as i64;
            if least.is_some_and(|l| length < l) || greatest.is_some_and(|g| length > g) {
                return Err(format!("Must be {complaint}, this one has {length}."));
            }
            Ok(())
        };
        Self {
            description,
            whole: true,
            check: Arc::new(check),
        }
    }

    /// A text that matches the regular expression as a whole.
    pub fn pattern(pattern: &'static str) -> Self {
        let regex = regex::Regex::new(&format!("^(?:{pattern})$"));
        Self::leaves(format!("text of the form `{pattern}`"), move |v| {
            // A pattern that is none lets nothing pass, which the first test of the resource shows.
            v.as_str()
                .is_some_and(|text| regex.as_ref().is_ok_and(|r| r.is_match(text)))
        })
    }

    /// A network in CIDR notation without host bits.
    pub fn cidr() -> Self {
        Self::leaves(
            "a network in CIDR notation without host bits, for example `10.20.0.0/16`".to_owned(),
            |v| {
                v.as_str()
                    .and_then(|t| t.parse::<ipnet::IpNet>().ok())
                    .is_some_and(|net| net.addr() == net.network())
            },
        )
    }

    /// An ARN: six parts, of which partition, service and resource are not empty.
    pub fn arn() -> Self {
        Self::leaves(
            "an ARN, for example `arn:aws:iam::111122223333:role/name`".to_owned(),
            |v| {
                v.as_str().is_some_and(|text| {
                    let parts: Vec<_> = text.splitn(6, ':').collect();
                    parts.len() == 6 && parts[0] == "arn" && [1, 2, 5].iter().all(|i| !parts[*i].is_empty())
                })
            },
        )
    }

    /// A schedule of five fields, or a word such as `@daily`.
    pub fn cron() -> Self {
        Self::leaves(
            "a cron schedule of five fields, for example `0 3 * * *`".to_owned(),
            |v| v.as_str().is_some_and(is_cron),
        )
    }

    /// A check by a function of the attribute's Rust type: the complaint as a sentence. Applies to the whole value.
    pub fn with<T: AttributeType>(check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let check = move |value: &Value| match T::decode(value, &Path::root()) {
            Ok(value) => check(&value),
            // Unknown is checked when it is known; what is wrong is reported by decoding.
            Err(DecodeError::Unknown | DecodeError::Null(_) | DecodeError::Invalid(_)) => Ok(()),
        };
        Self {
            description: String::new(),
            whole: true,
            check: Arc::new(check),
        }
    }

    fn run(&self, value: &Value, at: &Path, hidden: bool, out: &mut Diagnostics) {
        if value.is_null() || value.is_unknown() {
            return;
        }
        match value {
            Value::Dynamic(inner) => return self.run(&inner.1, at, hidden, out),
            Value::List(all) | Value::Tuple(all) if !self.whole => {
                return all
                    .iter()
                    .enumerate()
                    .for_each(|(i, v)| self.run(v, &at.index(i), hidden, out));
            }
            Value::Set(all) if !self.whole => {
                return all.iter().for_each(|v| self.run(v, &at.element(), hidden, out));
            }
            Value::Map(all) if !self.whole => {
                return all.iter().for_each(|(k, v)| self.run(v, &at.key(k), hidden, out));
            }
            _ => {}
        }
        if let Err(complaint) = (self.check)(value) {
            // What a secret is not may be said, not what it is.
            let hide = hidden && !self.description.is_empty();
            let complaint = if hide {
                format!("Must be {}.", self.description)
            } else {
                complaint
            };
            out.push(Diagnostic::error("F301", "Invalid value", complaint).at(at.clone()));
        }
    }
}

fn bounds(what: &str, least: Option<i64>, greatest: Option<i64>) -> String {
    match (least, greatest) {
        (Some(l), Some(g)) if l == g => format!("{what} of {l}"),
        (Some(l), Some(g)) => format!("{what} from {l} to {g}"),
        (Some(l), None) => format!("{what} of at least {l}"),
        (None, Some(g)) => format!("{what} of at most {g}"),
        (None, None) => what.to_owned(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        other => other.kind().to_owned(),
    }
}

fn is_cron(text: &str) -> bool {
    if let Some(word) = text.strip_prefix('@') {
        return [
            "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly",
        ]
        .contains(&word);
    }
    let names = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    let limits: [(u32, u32, &[&str]); 5] = [
        (0, 59, &[]),
        (0, 23, &[]),
        (1, 31, &[]),
        (1, 12, &names),
        (0, 7, &days),
    ];
    let point = |text: &str, (least, greatest, words): &(u32, u32, &[&str])| {
        let named = words.contains(&text.to_ascii_lowercase().as_str());
        named
            || text
                .parse::<u32>()
                .is_ok_and(|n| (*least..=*greatest).contains(&n))
    };
    fields.len() == 5
        && fields.iter().zip(&limits).all(|(field, limit)| {
            field.split(',').all(|part| {
                let (range, step) = part
                    .split_once('/')
                    .map_or((part, "1"), |(range, step)| (range, step));
                let whole = match range.split_once('-') {
                    Some((from, to)) => point(from, limit) && point(to, limit),
                    None => range == "*" || point(range, limit),
                };
                whole && step.parse::<u32>().is_ok_and(|n| n > 0)
            })
        })
}

/// A relation of an argument to its siblings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// Not together with this one.
    Conflicts(String),
    /// One of these and no more; the argument itself may be named or not.
    ExactlyOneOf(Vec<String>),
    /// Only together with this one.
    RequiredWith(String),
}

/// Checks a configuration against what its schema declares.
pub(crate) fn check(
    block: &Block,
    config: &Value,
    at: &Path,
    write_only_allowed: bool,
    out: &mut Diagnostics,
) {
    let mut checked_groups: Vec<Vec<String>> = Vec::new();
    for attribute in &block.attributes {
        let value = config.get(&attribute.name);
        let here = at.attribute(&attribute.name);
        check_attribute(attribute, value, &here, write_only_allowed, out);
        check_relations(
            &attribute.relations,
            &attribute.name,
            config,
            at,
            &mut checked_groups,
            out,
        );
        if let Shape::Nested(nesting, inner) = &attribute.shape {
            each(*nesting, value, &here, |value, at| {
                check(inner, value, at, write_only_allowed, out)
            });
        }
    }
    for nested in &block.blocks {
        let value = config.get(&nested.name);
        let here = at.attribute(&nested.name);
        check_relations(
            &nested.relations,
            &nested.name,
            config,
            at,
            &mut checked_groups,
            out,
        );
        if nested.computed && !is_empty(value) {
            out.push(
                Diagnostic::error(
                    "F308",
                    "Not an argument",
                    "The provider alone gives these blocks.",
                )
                .hint("Remove the block.")
                .at(here.clone()),
            );
        }
        each(nested.nesting, value, &here, |value, at| {
            check(&nested.block, value, at, write_only_allowed, out)
        });
    }
}

/// Calls the function for each object that a nested attribute or block holds.
fn each(nesting: Nesting, value: &Value, at: &Path, mut call: impl FnMut(&Value, &Path)) {
    let mut call = |value: &Value, at: &Path| {
        if matches!(value, Value::Object(_)) {
            call(value, at);
        }
    };
    match (nesting, value) {
        (Nesting::Single, value) => call(value, at),
        (_, Value::List(all) | Value::Tuple(all)) => {
            all.iter().enumerate().for_each(|(i, v)| call(v, &at.index(i)))
        }
        (_, Value::Set(all)) => all.iter().for_each(|v| call(v, &at.element())),
        (Nesting::Map, Value::Map(all) | Value::Object(all)) => {
            all.iter().for_each(|(k, v)| call(v, &at.key(k)))
        }
        _ => {}
    }
}

fn check_attribute(
    attribute: &Attribute,
    value: &Value,
    at: &Path,
    write_only_allowed: bool,
    out: &mut Diagnostics,
) {
    if value.is_null() {
        // Core refuses what is left out, but takes `null` for what is there.
        if attribute.required {
            out.push(
                Diagnostic::error(
                    "F303",
                    "Missing argument",
                    "This argument is required; it is null.",
                )
                .hint("Give it a value.")
                .at(at.clone()),
            );
        }
        return;
    }
    if attribute.computed && !attribute.optional && !attribute.required {
        out.push(
            Diagnostic::error(
                "F314",
                "Not an argument",
                "The provider alone sets this attribute.",
            )
            .hint("Remove it from the configuration.")
            .at(at.clone()),
        );
        return;
    }
    if attribute.write_only && !write_only_allowed {
        out.push(
            Diagnostic::error(
                "F302",
                "Write-only arguments are not supported",
                "This argument is never stored, which needs a newer host.",
            )
            .hint("Use Terraform 1.11 or OpenTofu 1.11 or newer.")
            .at(at.clone()),
        );
    }
    for validator in &attribute.validators {
        validator.run(value, at, attribute.sensitive || attribute.write_only, out);
    }
}

/// Whether nothing is given: null, or a collection without elements (a block that is not written).
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(all) | Value::Set(all) | Value::Tuple(all) => all.is_empty(),
        Value::Map(all) => all.is_empty(),
        _ => false,
    }
}

fn check_relations(
    relations: &[Relation],
    name: &str,
    config: &Value,
    at: &Path,
    checked_groups: &mut Vec<Vec<String>>,
    out: &mut Diagnostics,
) {
    let given = |name: &str| !is_empty(config.get(name)) && !config.get(name).is_unknown();
    let perhaps = |name: &str| config.get(name).is_unknown();
    let here = || at.attribute(name);
    for relation in relations {
        match relation {
            Relation::Conflicts(other) if given(name) && given(other) => {
                out.push(
                    Diagnostic::error(
                        "F304",
                        "Conflicting arguments",
                        format!("`{name}` and `{other}` exclude each other."),
                    )
                    .hint("Remove one of them.")
                    .at(here()),
                );
            }
            Relation::RequiredWith(other) if given(name) && !given(other) && !perhaps(other) => {
                out.push(
                    Diagnostic::error("F305", "Missing argument", format!("`{name}` needs `{other}`."))
                        .hint(format!("Set `{other}` too, or remove `{name}`."))
                        .at(here()),
                );
            }
            Relation::ExactlyOneOf(others) => {
                let mut group = others.clone();
                group.push(name.to_owned());
                group.sort();
                group.dedup();
                if checked_groups.contains(&group) {
                    continue;
                }
                let count = group.iter().filter(|n| given(n)).count();
                let open = group.iter().any(|n| perhaps(n));
                if count > 1 || (count == 0 && !open) {
                    let names: Vec<_> = group.iter().map(|n| format!("`{n}`")).collect();
                    let got = if count == 0 {
                        "none is set".to_owned()
                    } else {
                        format!("{count} are set")
                    };
                    let text = format!("Exactly one of {} must be set; {got}.", names.join(", "));
                    let path = if given(name) { here() } else { at.clone() };
                    out.push(Diagnostic::error("F306", "Exactly one argument expected", text).at(path));
                }
                checked_groups.push(group);
            }
            Relation::Conflicts(_) | Relation::RequiredWith(_) => {}
        }
    }
}
