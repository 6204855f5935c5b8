//! `values.schema.json`: of the chart and of its subcharts.
//!
//! References are resolved by the library `referencing`, which brings the metaschemas of all drafts, too. The keywords are
//! checked here: no library has Go's regular expressions, stops where helm's validator stops (nothing else is said of a
//! value of the wrong type), or has its tree of causes and its words.
//!
//! helm fetches what a schema refers to elsewhere; here it is not checked.

mod formats;
mod keywords;
mod problem;
mod scalars;

use std::collections::HashSet;
use std::fmt::Write as _;

use referencing::{Draft, Error as ReferenceError, Registry, Retrieve, SPECIFICATIONS, Uri};
use serde_json::Value as Json;

use crate::chart::error::Error;
use crate::chart::{Chart, to_json};
use crate::value::Value;
use keywords::{Scope, Validator};

/// Where helm says that a schema lies.
const LOCATION: &str = "file:///values.schema.json";
/// Marks what lies elsewhere, and is not fetched.
const ELSEWHERE: &str = "\u{0}elsewhere";
/// What is taken for it.
static ANYTHING: Json = Json::Bool(true);

/// Checks values against the schemas of a chart and its subcharts.
///
/// # Errors
/// Everything that does not fit, with the path of the value.
pub fn check(chart: &Chart, values: &Value) -> Result<(), Error> {
    let mut problems = String::new();
    check_chart(chart, values, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Schema(format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{problems}"
    )))
}

fn check_chart(chart: &Chart, values: &Value, problems: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(found) = check_text(schema, &to_json(values))
    {
        let _ = write!(problems, "{}:\n{found}", chart.name());
    }
    for sub in &chart.dependencies {
        let inner = match values {
            Value::Map(map) => map.get(sub.name()).unwrap_or_default(),
            _ => Value::Invalid,
        };
        if matches!(inner, Value::Map(_)) {
            check_chart(sub, &inner, problems);
        }
    }
}

/// Checks a JSON value against a JSON schema, in helm's words.
///
/// # Errors
/// What is wrong with the schema or with the value, a line each.
pub fn check_json(schema: &str, value: &Json) -> Result<(), String> {
    check_text(schema.as_bytes(), value)
}

/// What is wrong with the schema or with the values, a line each.
fn check_text(schema: &[u8], values: &Json) -> Result<(), String> {
    let text = String::from_utf8_lossy(schema);
    let schema: Json =
        serde_json::from_str(&text).map_err(|error| match crate::text::json::decode(&text) {
            _ if text.trim().is_empty() => "EOF".to_owned(),
            _ if error.is_eof() => "unexpected EOF".to_owned(),
            Err(e) if e.ends_with("after top-level value") => {
                "invalid character after top-level value".to_owned()
            }
            Err(e) => e,
            Ok(_) => error.to_string(),
        })?;
    let named = schema.get("$schema").and_then(Json::as_str);
    // A draft of somebody's own lies elsewhere, too.
    let draft = match named.map_or(Draft::default(), Draft::from_schema_uri) {
        Draft::Unknown => Draft::default(),
        known => known,
    };
    check_schema(&schema, draft)?;
    let registry = SPECIFICATIONS
        .add(LOCATION, draft.create_resource_ref(&schema))
        .and_then(|builder| builder.retriever(Nothing).draft(draft).prepare());
    let registry: Registry<'_> = registry.map_err(|e| e.to_string())?;
    let base = referencing::uri::from_str(LOCATION).map_err(|e| e.to_string())?;
    let resolver = registry.resolver(base);
    let scope = Scope { resolver, draft };
    references(&schema, &scope)?;
    let checked = Validator::new(draft <= Draft::Draft7, keywords::VALUES).check(&schema, scope, values);
    checked.map_err(|problems| format!("{problems}\n"))
}

/// A schema against that of its draft.
fn check_schema(schema: &Json, draft: Draft) -> Result<(), String> {
    let name = match draft {
        Draft::Draft4 => "http://json-schema.org/draft-04/schema",
        Draft::Draft6 => "http://json-schema.org/draft-06/schema",
        Draft::Draft7 => "http://json-schema.org/draft-07/schema",
        Draft::Draft201909 => "https://json-schema.org/draft/2019-09/schema",
        _ => "https://json-schema.org/draft/2020-12/schema",
    };
    let base = referencing::uri::from_str(name).map_err(|e| e.to_string())?;
    let found = SPECIFICATIONS.resolver(base).lookup("#");
    let (contents, resolver, draft) = found.map_err(|e| e.to_string())?.into_inner();
    let scope = Scope { resolver, draft };
    Validator::new(true, keywords::METASCHEMA)
        .check(contents, scope, schema)
        .map_err(|problems| {
            format!(
                "\"{LOCATION}#\" is not valid against metaschema: jsonschema validation failed with '{name}#'\n{problems}"
            )
        })
}

/// Every reference that can be reached must lead somewhere. Chains of them may be long: this does not recurse.
fn references<'r>(schema: &'r Json, scope: &Scope<'r>) -> Result<(), String> {
    let mut seen: HashSet<*const Json> = HashSet::new();
    let mut left = vec![(schema, scope.clone())];
    while let Some((schema, scope)) = left.pop() {
        let Some(keywords) = schema.as_object().filter(|_| seen.insert(schema)) else {
            continue;
        };
        let scope = scope.inside(schema);
        let mut next = Vec::new();
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = keywords.get(keyword).and_then(Json::as_str) {
                next.push(scope.lookup(keyword, reference)?);
            }
        }
        if scope.draft > Draft::Draft7 || !keywords.contains_key("$ref") {
            let below = keywords
                .iter()
                .flat_map(|(keyword, value)| schemas_of(keyword, value));
            next.extend(below.map(|schema| (schema, scope.clone())));
        }
        left.extend(next.into_iter().rev());
    }
    Ok(())
}

/// The schemas that a keyword has.
fn schemas_of<'r>(keyword: &str, value: &'r Json) -> Vec<&'r Json> {
    match (keyword, value) {
        ("properties" | "patternProperties" | "dependentSchemas" | "dependencies", Json::Object(schemas)) => {
            schemas.values().collect()
        }
        ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Json::Array(schemas)) => {
            schemas.iter().collect()
        }
        (
            "not"
            | "if"
            | "then"
            | "else"
            | "items"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames",
            inner,
        ) => vec![inner],
        _ => Vec::new(),
    }
}

impl<'r> Scope<'r> {
    /// Inside of a schema that may have an id of its own.
    fn inside(&self, schema: &'r Json) -> Self {
        let inner = self
            .resolver
            .in_subresource(self.draft.create_resource_ref(schema));
        Scope {
            resolver: inner.unwrap_or_else(|_| self.resolver.clone()),
            draft: self.draft,
        }
    }

    fn lookup(&self, keyword: &str, reference: &str) -> Result<(&'r Json, Scope<'r>), String> {
        let document = reference.split('#').next().unwrap_or_default();
        let elsewhere = !document.is_empty()
            && self
                .resolver
                .lookup(document)
                .is_ok_and(|found| found.contents().get(ELSEWHERE).is_some());
        if elsewhere {
            return Ok((&ANYTHING, self.clone()));
        }
        let found = if keyword == "$recursiveRef" {
            self.resolver.lookup_recursive_ref()
        } else {
            self.resolver.lookup(reference)
        };
        let found = found.map_err(|error| match error {
            ReferenceError::PointerToNowhere { .. } if reference.starts_with('#') => {
                format!("json-pointer in \"{LOCATION}{reference}\" not found")
            }
            ReferenceError::PointerToNowhere { .. } => format!("json-pointer in \"{reference}\" not found"),
            ReferenceError::NoSuchAnchor { anchor } => {
                format!("anchor in \"{LOCATION}#{anchor}\" not found in schema \"{LOCATION}\"")
            }
            other => other.to_string(),
        })?;
        let (contents, resolver, draft) = found.into_inner();
        let draft = if draft == Draft::Unknown {
            self.draft
        } else {
            draft
        };
        Ok((contents, Scope { resolver, draft }))
    }
}

/// Schemas that lie elsewhere are not fetched, and refuse nothing: a render needs no connection.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, _: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::json!({ ELSEWHERE: true }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(schema: &Json, values: &Json) -> Result<(), String> {
        check_text(schema.to_string().as_bytes(), values)
    }

    #[test]
    fn long_chains_of_references_are_refused() {
        let chain = |links: usize, end: Json| {
            let mut definitions: serde_json::Map<String, Json> = (0..links)
                .map(|n| {
                    (
                        format!("a{n}"),
                        json!({ "$ref": format!("#/definitions/a{}", n + 1) }),
                    )
                })
                .collect();
            definitions.insert(format!("a{links}"), end);
            json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/a0",
                "definitions": definitions,
            })
        };
        assert_eq!(checked(&chain(500, json!({})), &json!({})), Ok(()));
        assert!(
            checked(&chain(500, json!(false)), &json!({}))
                .unwrap_err()
                .contains("false schema")
        );
        let why = checked(&chain(5_000, json!({})), &json!({})).unwrap_err();
        assert_eq!(why, "the schema is too deep\n");
    }

    #[test]
    fn work_within_a_keyword_counts() {
        let entries: serde_json::Map<String, Json> = (0..5_000).map(|n| (n.to_string(), json!(n))).collect();
        let values = Json::Object(entries);
        assert_eq!(
            checked(&json!({ "allOf": vec![json!({}); 100] }), &values),
            Ok(())
        );
        let why = checked(&json!({ "allOf": vec![json!({}); 1_000] }), &values).unwrap_err();
        assert_eq!(why, "checking against the schema takes too many steps\n");
        let long = "x".repeat(1 << 20);
        for keyword in [
            json!({ "pattern": "x$" }),
            json!({ "const": long.clone() }),
            json!({ "minLength": 1 }),
        ] {
            let schema = json!({ "definitions": { "a": keyword }, "allOf": vec![json!({ "$ref": "#/definitions/a" }); 400] });
            let why = checked(&schema, &json!(long)).unwrap_err();
            assert_eq!(
                why,
                "checking against the schema takes too many steps\n",
                "{}",
                schema["definitions"]["a"].to_string().len()
            );
        }
    }

    #[test]
    fn expressions_that_are_compiled_are_work() {
        let values = json!({ "a": 1 });
        let patterns = |count: usize| {
            let all: serde_json::Map<String, Json> =
                (0..count).map(|n| (format!("^b{n}{{9}}$"), json!({}))).collect();
            json!({ "patternProperties": all })
        };
        assert_eq!(checked(&patterns(100), &values), Ok(()));
        let mut validator = Validator::new(false, 5_000);
        assert_eq!(validator.matches("^unique-(a|b)$", "unique-a"), Some(true));
        assert_eq!(validator.matches("^unique-(a|b)$", "unique-c"), Some(false));
        assert_eq!(
            validator.matches("^\\pL{30}unique$", "unique"),
            None,
            "a large one is much work"
        );
    }

    #[test]
    fn what_is_said_has_an_end() {
        let wanted: Vec<String> = (0..2_000).map(|n| format!("{n:0100}")).collect();
        let schema = json!({ "additionalProperties": { "enum": wanted } });
        let values = |count: usize| Json::Object((0..count).map(|n| (n.to_string(), json!(n))).collect());
        assert!(
            checked(&schema, &values(2))
                .unwrap_err()
                .contains("value must be one of")
        );
        for dropped in [
            json!({ "anyOf": [{ "enum": wanted }, true] }),
            json!({ "not": { "enum": wanted } }),
            json!({ "if": { "enum": wanted } }),
        ] {
            let schema = json!({ "additionalProperties": dropped });
            assert_eq!(checked(&schema, &values(100)), Ok(()), "nothing is said of it");
        }
        let why = checked(&schema, &values(100)).unwrap_err();
        assert!(
            why == "too much does not fit to say it all\n",
            "{} bytes",
            why.len()
        );
    }

    #[test]
    fn long_lists_of_unique_items_are_checked() {
        let schema = json!({ "uniqueItems": true });
        let mut items: Vec<Json> = (0..5_000)
            .map(|n| json!({ "a": n, "b": [n.to_string()] }))
            .collect();
        assert_eq!(checked(&schema, &json!(items)), Ok(()));
        items.extend([json!(0), json!("0"), json!(-0.0)]);
        let why = checked(&schema, &json!(items)).unwrap_err();
        assert!(why.contains("items at 5,000 and 5,002 are equal"), "{why}");
        items[4_000] = json!({ "b": ["7"], "a": 7.0 });
        let why = checked(&schema, &json!(items)).unwrap_err();
        assert!(why.contains("items at 7 and 4,000 are equal"), "{why}");
    }
}
