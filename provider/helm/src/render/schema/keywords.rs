//! The keywords, in the order in which helm's validator looks at them.

use std::collections::{HashMap, HashSet};

use referencing::{Draft, Resolver};
use serde_json::{Map, Value as Json};

use super::formats;
use super::problem::Problem;
use super::scalars::{
    count, displayed, fingerprint, multiple, number, primitive, quoted, quoted_list, same, type_name,
};
use crate::functions::regexes;

/// Most work for the values of a chart: a schema of a few lines can have work for years.
pub(super) const VALUES: usize = 4_000_000;
/// Most work for a schema itself, of which there is more the longer it is.
pub(super) const METASCHEMA: usize = 20_000_000;
/// A schema that is applied, in the time that a comparison takes.
const APPLIED: usize = 4;
/// An expression that is compiled.
const COMPILED: usize = 100;
/// The same of one whose weight is not known: as much as the largest.
const COMPILED_LARGE: usize = 64 * COMPILED;
/// Most schemas that are applied one within the other. What is printed and dropped is nested as deep.
const MAX_DEPTH: usize = 600;
/// Most bytes that are said of values that do not fit.
const MAX_SAID: usize = 16 << 20;

/// The types, in the order in which they are named.
const TYPES: [&str; 7] = [
    "null", "boolean", "number", "integer", "string", "array", "object",
];

/// Where references of a schema are resolved.
#[derive(Clone)]
pub(super) struct Scope<'r> {
    pub(super) resolver: Resolver<'r>,
    pub(super) draft: Draft,
}

/// What of a value was looked at, for `unevaluatedProperties` and `unevaluatedItems`.
#[derive(Default)]
struct Seen<'v> {
    names: HashSet<&'v str>,
    items: HashSet<usize>,
}

impl Seen<'_> {
    fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.items.extend(other.items);
    }
}

type Outcome<'v> = Result<Seen<'v>, Problem>;

pub(super) struct Validator {
    formats: bool,
    /// The work that is left.
    steps: usize,
    /// The bytes that may still be said. What is not said after all is given back.
    words: usize,
    /// Why the check was given up.
    stopped: Option<&'static str>,
    /// The way to the value.
    path: Vec<String>,
    /// The way to the schema.
    trail: Vec<String>,
    /// Schemas and the values that they are being applied to, with the length of the way to each: a reference must not lead back.
    active: Vec<(*const Json, *const Json, usize)>,
}

impl Validator {
    /// `formats`: whether `format` refuses anything. `steps`: the most work.
    pub(super) fn new(formats: bool, steps: usize) -> Self {
        Validator {
            formats,
            steps,
            words: MAX_SAID,
            stopped: None,
            path: Vec::new(),
            trail: Vec::new(),
            active: Vec::new(),
        }
    }

    /// What does not fit, a line each.
    pub(super) fn check<'r>(
        mut self,
        schema: &'r Json,
        scope: Scope<'r>,
        value: &Json,
    ) -> Result<(), String> {
        let found = self.apply(schema, &scope, value);
        if let Some(why) = self.stopped {
            return Err(why.to_owned());
        }
        let Err(problem) = found else { return Ok(()) };
        let mut out = String::new();
        for part in problem.parts() {
            part.print(&mut out, 0);
        }
        Err(out.split_off(1))
    }

    fn at(&self) -> String {
        pointer(&self.path)
    }

    fn problem(&mut self, said: impl Into<String>) -> Problem {
        self.problem_with(said, Vec::new())
    }

    fn problem_with(&mut self, said: impl Into<String>, causes: Vec<Problem>) -> Problem {
        let (at, said) = (self.at(), said.into());
        // Each has a line of its own, which is indented.
        let bytes = at.len() + said.len() + 2 * self.active.len() + 64;
        self.spend(bytes / 64);
        match self.words.checked_sub(bytes) {
            Some(left) => self.words = left,
            None => self.stop("too much does not fit to say it all"),
        }
        Problem::new(at, said, causes)
    }

    fn stop(&mut self, why: &'static str) {
        self.stopped.get_or_insert(why);
    }

    /// Counts work. Whether to go on.
    fn spend(&mut self, steps: usize) -> bool {
        match self.steps.checked_sub(steps) {
            Some(left) => self.steps = left,
            None => self.stop("checking against the schema takes too many steps"),
        }
        self.stopped.is_none()
    }

    fn same(&mut self, a: &Json, b: &Json) -> bool {
        let mut steps = 0;
        let same = same(a, b, &mut steps);
        self.spend(steps) && same
    }

    /// Whether a text is as an expression wants it, and nothing where that is no expression.
    pub(super) fn matches(&mut self, pattern: &str, text: &str) -> Option<bool> {
        if !self.spend(1 + pattern.len() / 64) {
            return None;
        }
        let (regex, weight, new) = regexes::weighed(pattern).ok()?;
        let compiling = if new { COMPILED * weight } else { 0 };
        (self.spend(compiling + text.len() / 64 * weight)).then(|| regex.is_match(text))
    }

    /// A schema below the one at hand, applied to the same value.
    fn sub<'r, 'v>(
        &mut self,
        way: &[&str],
        schema: &'r Json,
        scope: &Scope<'r>,
        value: &'v Json,
    ) -> Outcome<'v> {
        if !self.spend(way.iter().map(|step| step.len() / 64).sum()) {
            return Ok(Seen::default());
        }
        let length = self.trail.len();
        self.trail.extend(way.iter().map(|step| (*step).to_owned()));
        let out = self.apply(schema, scope, value);
        self.trail.truncate(length);
        out
    }

    /// A schema below the one at hand, applied to a part of the value.
    fn part<'r>(
        &mut self,
        way: &[&str],
        schema: &'r Json,
        scope: &Scope<'r>,
        (name, value): (&str, &Json),
        found: &mut Vec<Problem>,
    ) {
        if !self.spend(name.len() / 64) {
            return;
        }
        self.path.push(name.to_owned());
        let out = self.sub(way, schema, scope, value);
        self.path.pop();
        found.extend(out.err());
    }

    fn apply<'r, 'v>(&mut self, schema: &'r Json, scope: &Scope<'r>, value: &'v Json) -> Outcome<'v> {
        let go_on = self.spend(APPLIED);
        let keywords = match schema {
            _ if !go_on => return Ok(Seen::default()),
            Json::Bool(false) => return Err(self.problem("false schema")),
            Json::Object(keywords) => keywords,
            _ => return Ok(Seen::default()),
        };
        if self.active.len() >= MAX_DEPTH {
            self.stop("the schema is too deep");
            return Ok(Seen::default());
        }
        self.active.push((schema, value, self.trail.len()));
        let inner = if keywords.contains_key(scope.draft.id_keyword()) {
            &scope.inside(schema)
        } else {
            scope
        };
        let out = crate::value::deeper(|| self.keywords(keywords, inner, value));
        self.active.pop();
        out
    }

    fn keywords<'r, 'v>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        value: &'v Json,
    ) -> Outcome<'v> {
        let draft = scope.draft;
        let mut seen = Seen::default();
        let mut found = Vec::new();
        if draft <= Draft::Draft7 && keywords.contains_key("$ref") {
            self.references(keywords, scope, value, &mut seen, &mut found);
            return self.group(found).map_or(Ok(seen), Err);
        }
        self.whole(keywords, draft, value)?;
        self.references(keywords, scope, value, &mut seen, &mut found);
        match value {
            Json::Object(entries) => self.object(keywords, scope, (value, entries), &mut seen, &mut found),
            Json::Array(items) => self.array(keywords, scope, items, &mut seen, &mut found),
            Json::String(text) => self.string(keywords, text, &mut found),
            Json::Number(n) => self.number(keywords, draft, n.as_f64().unwrap_or_default(), &mut found),
            Json::Null | Json::Bool(_) => {}
        }
        self.combined(keywords, scope, value, &mut seen, &mut found);
        if draft >= Draft::Draft201909 {
            self.unevaluated(keywords, scope, value, &mut seen, &mut found);
        }
        self.group(found).map_or(Ok(seen), Err)
    }

    /// What all keywords of one schema found.
    fn group(&mut self, mut found: Vec<Problem>) -> Option<Problem> {
        match found.len() {
            0 | 1 => found.pop(),
            _ => Some(Problem::group(self.at(), found)),
        }
    }

    /// What ends the matter: nothing else is said of such a value.
    fn whole(&mut self, keywords: &Map<String, Json>, draft: Draft, value: &Json) -> Result<(), Problem> {
        if let Some(wanted) = keywords.get("type") {
            let listed = |name: &str| match wanted {
                Json::Array(names) => names.iter().any(|one| one == name),
                one => one == name,
            };
            let wanted: Vec<&str> = TYPES.into_iter().filter(|name| listed(name)).collect();
            let whole = value.as_f64().is_some_and(|f| f.fract() == 0.0);
            let got = type_name(value);
            if !wanted
                .iter()
                .any(|name| *name == got || *name == "integer" && whole)
            {
                return Err(self.problem(format!("got {got}, want {}", wanted.join(" or "))));
            }
        }
        if let Some(wanted) = keywords.get("const").filter(|_| draft >= Draft::Draft6)
            && !self.same(wanted, value)
        {
            return Err(self.problem(match primitive(wanted) {
                true => format!("value must be {}", displayed(wanted)),
                false => "'const' failed".to_owned(),
            }));
        }
        if let Some(wanted) = keywords.get("enum").and_then(Json::as_array)
            && !wanted.iter().any(|one| self.same(one, value))
        {
            let shown: Vec<String> = wanted.iter().map(displayed).collect();
            return Err(self.problem(match wanted.as_slice() {
                all if !all.iter().all(primitive) => "'enum' failed".to_owned(),
                [_] => format!("value must be {}", shown.concat()),
                _ => format!("value must be one of {}", shown.join(", ")),
            }));
        }
        if self.formats
            && let (Some(format), Json::String(text)) = (keywords.get("format").and_then(Json::as_str), value)
            && self.spend(text.len() / 64 + if format == "regex" { COMPILED_LARGE } else { 1 })
            && let Err(why) = formats::check(format, text)
        {
            return Err(self.problem(format!("{} is not valid {format}: {why}", quoted(text))));
        }
        Ok(())
    }

    fn references<'r, 'v>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        value: &'v Json,
        seen: &mut Seen<'v>,
        found: &mut Vec<Problem>,
    ) {
        let known = match scope.draft {
            Draft::Draft201909 => &["$ref", "$recursiveRef"][..],
            Draft::Draft202012 => &["$ref", "$dynamicRef"],
            _ => &["$ref"],
        };
        for keyword in known {
            let Some(reference) = keywords.get(*keyword).and_then(Json::as_str) else {
                continue;
            };
            if !self.spend(reference.len() / 8 + self.active.len() / 16) {
                return;
            }
            let (target, inner) = match scope.lookup(keyword, reference) {
                Ok(target) => target,
                Err(why) => {
                    found.push(self.problem(why));
                    continue;
                }
            };
            if let Some((_, _, before)) = self
                .active
                .iter()
                .find(|(schema, of, _)| std::ptr::eq(*schema, target) && std::ptr::eq(*of, value))
            {
                let said = format!(
                    "both {}/{keyword} and {} resolve to \"{}{reference}\" causing reference cycle",
                    pointer(&self.trail),
                    pointer(&self.trail[..*before]),
                    scope.resolver.base_uri()
                );
                found.push(self.problem(said));
                continue;
            }
            match self.sub(&[keyword], target, &inner, value) {
                Ok(inner) => seen.add(inner),
                Err(problem) => found.push(Problem::reference(self.at(), problem)),
            }
        }
    }

    fn object<'r, 'v>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        (value, entries): (&'v Json, &'v Map<String, Json>),
        seen: &mut Seen<'v>,
        found: &mut Vec<Problem>,
    ) {
        let schemas = |keyword: &str| keywords.get(keyword).and_then(Json::as_object);
        self.size(keywords, "Properties", entries.len(), found);
        let required = keywords.get("required").and_then(Json::as_array);
        if !self.spend(required.map_or(0, Vec::len)) {
            return;
        }
        let names = |list: &'r Json| {
            let names = list.as_array().into_iter().flatten().filter_map(Json::as_str);
            names
                .filter(|name| !entries.contains_key(*name))
                .collect::<Vec<_>>()
        };
        match keywords.get("required").map(names).unwrap_or_default().as_slice() {
            [] => {}
            [one] => found.push(self.problem(format!("missing property {}", quoted(one)))),
            more => {
                let list = quoted_list(more.iter().copied());
                found.push(self.problem(format!("missing properties {list}")));
            }
        }
        self.dependencies("dependencies", keywords, scope, (value, entries), seen, found);
        let (properties, patterns) = (schemas("properties"), schemas("patternProperties"));
        let mut additional = Vec::new();
        for (name, inner) in entries {
            if !self.spend(1 + name.len() / 64) {
                return;
            }
            let mut known = false;
            if let Some(schema) = properties.and_then(|p| p.get(name)) {
                known = true;
                self.part(&["properties", name], schema, scope, (name, inner), found);
            }
            for (pattern, schema) in patterns.into_iter().flatten() {
                if self.matches(pattern, name) == Some(true) {
                    known = true;
                    self.part(
                        &["patternProperties", pattern],
                        schema,
                        scope,
                        (name, inner),
                        found,
                    );
                }
            }
            if known || keywords.contains_key("additionalProperties") {
                seen.names.insert(name);
            }
            if !known {
                additional.push(name.as_str());
            }
        }
        match keywords.get("additionalProperties") {
            Some(Json::Bool(false)) if !additional.is_empty() => {
                let list = quoted_list(additional);
                found.push(self.problem(format!("additional properties {list} not allowed")));
            }
            Some(schema) => {
                for name in additional {
                    self.part(
                        &["additionalProperties"],
                        schema,
                        scope,
                        (name, &entries[name]),
                        found,
                    );
                }
            }
            None => {}
        }
        if let Some(schema) = keywords
            .get("propertyNames")
            .filter(|_| scope.draft >= Draft::Draft6)
        {
            for name in entries.keys() {
                if !self.spend(name.len() / 64) {
                    return;
                }
                let path = std::mem::take(&mut self.path);
                let text = Json::String(name.clone());
                let causes = self.sub(&["propertyNames"], schema, scope, &text).err();
                self.path = path;
                if let Some(cause) = causes {
                    let said = format!("invalid propertyName {}", quoted(name));
                    found.push(self.problem_with(said, cause.parts()));
                }
            }
        }
        if scope.draft >= Draft::Draft201909 {
            self.dependencies("dependentSchemas", keywords, scope, (value, entries), seen, found);
            self.dependencies(
                "dependentRequired",
                keywords,
                scope,
                (value, entries),
                seen,
                found,
            );
        }
    }

    /// What must hold when a property is there: a schema, or others that must be there, too.
    fn dependencies<'r, 'v>(
        &mut self,
        keyword: &str,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        (value, entries): (&'v Json, &'v Map<String, Json>),
        seen: &mut Seen<'v>,
        found: &mut Vec<Problem>,
    ) {
        let all = keywords.get(keyword).and_then(Json::as_object);
        for (name, wanted) in all.into_iter().flatten() {
            let more = wanted.as_array().map_or(0, Vec::len);
            if !self.spend(1 + name.len() / 64 + more) {
                return;
            }
            if !entries.contains_key(name) {
                continue;
            }
            if let Json::Array(wanted) = wanted {
                let missing: Vec<&str> = wanted
                    .iter()
                    .filter_map(Json::as_str)
                    .filter(|name| !entries.contains_key(*name))
                    .collect();
                if !missing.is_empty() {
                    let list = quoted_list(missing);
                    found.push(
                        self.problem(format!("properties {list} required, if {} exists", quoted(name))),
                    );
                }
            } else {
                match self.sub(&[keyword, name], wanted, scope, value) {
                    Ok(inner) => seen.add(inner),
                    Err(problem) => found.push(problem),
                }
            }
        }
    }

    fn array<'r>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        items: &[Json],
        seen: &mut Seen<'_>,
        found: &mut Vec<Problem>,
    ) {
        self.size(keywords, "Items", items.len(), found);
        if keywords.get("uniqueItems") == Some(&Json::Bool(true)) {
            let equal = self.equal_pair(items);
            if let Some((a, b)) = equal {
                found.push(self.problem(format!("items at {} and {} are equal", count(a), count(b))));
            }
        }
        let newest = scope.draft >= Draft::Draft202012;
        let (each, rest) = match (newest, keywords.get("items")) {
            (true, rest) => (keywords.get("prefixItems").and_then(Json::as_array), rest),
            (false, Some(Json::Array(each))) => (Some(each), keywords.get("additionalItems")),
            (false, rest) => (None, rest),
        };
        let (first, rest_keyword) = match (newest, each) {
            (true, _) => ("prefixItems", "items"),
            (false, Some(_)) => ("items", "additionalItems"),
            (false, None) => ("items", "items"),
        };
        let each: &[Json] = each.map_or(&[], Vec::as_slice);
        // Each item is remembered, whatever the schema.
        if !self.spend(items.len()) {
            return;
        }
        for (index, (schema, item)) in each.iter().zip(items).enumerate() {
            let name = index.to_string();
            self.part(&[first, &name], schema, scope, (&name, item), found);
            seen.items.insert(index);
        }
        if rest == Some(&Json::Bool(false)) && rest_keyword == "additionalItems" && items.len() > each.len() {
            let more = count(items.len() - each.len());
            found.push(self.problem(format!("last {more} additionalItem(s) not allowed")));
        } else if let Some(schema) = rest {
            for (index, item) in items.iter().enumerate().skip(each.len()) {
                self.part(&[rest_keyword], schema, scope, (&index.to_string(), item), found);
                seen.items.insert(index);
            }
        }
        if let Some(schema) = keywords.get("contains").filter(|_| scope.draft >= Draft::Draft6) {
            self.contains(keywords, schema, scope, items, seen, found);
        }
    }

    /// The first item that is there already, after that which it equals.
    fn equal_pair(&mut self, items: &[Json]) -> Option<(usize, usize)> {
        let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
        for (later, item) in items.iter().enumerate() {
            let mut steps = 0;
            let alike = known.entry(fingerprint(item, &mut steps)).or_default();
            if !self.spend(steps) {
                return None;
            }
            if let Some(earlier) = alike.iter().find(|earlier| self.same(&items[**earlier], item)) {
                return Some((*earlier, later));
            }
            alike.push(later);
        }
        None
    }

    fn contains<'r>(
        &mut self,
        keywords: &'r Map<String, Json>,
        schema: &'r Json,
        scope: &Scope<'r>,
        items: &[Json],
        seen: &mut Seen<'_>,
        found: &mut Vec<Problem>,
    ) {
        let words = self.words;
        let (mut matched, mut causes) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let before = causes.len();
            self.part(
                &["contains"],
                schema,
                scope,
                (&index.to_string(), item),
                &mut causes,
            );
            if causes.len() == before {
                matched.push(index);
            }
        }
        let bound = |keyword: &str| {
            let value = keywords
                .get(keyword)
                .filter(|_| scope.draft >= Draft::Draft201909)?;
            limit(value)
        };
        let places: Vec<String> = matched.iter().copied().map(count).collect();
        let places = places.join(" ");
        match bound("minContains") {
            None if matched.is_empty() => {
                found.push(self.problem_with("no items match contains schema", causes));
            }
            Some(least) if matched.len() < least => {
                let but = match matched.len() {
                    0 => "none matched".to_owned(),
                    n => format!("matched {} items at {places}", count(n)),
                };
                let said = format!(
                    "min {} items required to match contains schema, but {but}",
                    count(least)
                );
                found.push(self.problem_with(said, causes));
            }
            _ => self.words = words,
        }
        if let Some(most) = bound("maxContains").filter(|most| matched.len() > *most) {
            found.push(self.problem(format!(
                "max {} items required to match contains schema, but matched {} items at {places}",
                count(most),
                count(matched.len())
            )));
        }
        if scope.draft >= Draft::Draft202012 {
            seen.items.extend(matched);
        }
    }

    fn string(&mut self, keywords: &Map<String, Json>, text: &str, found: &mut Vec<Problem>) {
        if !self.spend(text.len() / 64) {
            return;
        }
        self.size(keywords, "Length", text.chars().count(), found);
        if let Some(pattern) = keywords.get("pattern").and_then(Json::as_str)
            && self.matches(pattern, text) == Some(false)
        {
            found.push(self.problem(format!(
                "{} does not match pattern {}",
                quoted(text),
                quoted(pattern)
            )));
        }
    }

    /// `minLength` and its kin.
    fn size(&mut self, keywords: &Map<String, Json>, what: &str, size: usize, found: &mut Vec<Problem>) {
        for (keyword, least) in [(format!("min{what}"), true), (format!("max{what}"), false)] {
            if let Some(bound) = keywords.get(&keyword).and_then(limit)
                && (least && size < bound || !least && size > bound)
            {
                found.push(self.problem(format!("{keyword}: got {}, want {}", count(size), count(bound))));
            }
        }
    }

    fn number(&mut self, keywords: &Map<String, Json>, draft: Draft, value: f64, found: &mut Vec<Problem>) {
        let bound = |keyword: &str| keywords.get(keyword).and_then(Json::as_f64);
        // The oldest draft says with a boolean that a bound is exclusive.
        let exclusive =
            |keyword: &str| draft == Draft::Draft4 && keywords.get(keyword) == Some(&Json::Bool(true));
        let pick = |inclusive: &str, outside: &'static str| {
            if exclusive(outside) {
                (None, bound(inclusive))
            } else {
                (bound(inclusive), bound(outside).filter(|_| draft > Draft::Draft4))
            }
        };
        let (least, above) = pick("minimum", "exclusiveMinimum");
        let (most, below) = pick("maximum", "exclusiveMaximum");
        let step = bound("multipleOf");
        for (keyword, bound, fits) in [
            ("minimum", least, least.is_none_or(|b| value >= b)),
            ("maximum", most, most.is_none_or(|b| value <= b)),
            ("exclusiveMinimum", above, above.is_none_or(|b| value > b)),
            ("exclusiveMaximum", below, below.is_none_or(|b| value < b)),
            ("multipleOf", step, step.is_none_or(|b| multiple(value, b))),
        ] {
            if let Some(bound) = bound.filter(|_| !fits) {
                found.push(self.problem(format!(
                    "{keyword}: got {}, want {}",
                    number(value),
                    number(bound)
                )));
            }
        }
    }

    fn combined<'r, 'v>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        value: &'v Json,
        seen: &mut Seen<'v>,
        found: &mut Vec<Problem>,
    ) {
        if let Some(schema) = keywords.get("not") {
            let words = self.words;
            match self.sub(&["not"], schema, scope, value) {
                Ok(_) => found.push(self.problem("'not' failed")),
                Err(_) => self.words = words,
            }
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let Some(schemas) = keywords.get(keyword).and_then(Json::as_array) else {
                continue;
            };
            let words = self.words;
            let (mut matched, mut causes) = (Vec::new(), Vec::new());
            for (index, schema) in schemas.iter().enumerate() {
                match self.sub(&[keyword, &index.to_string()], schema, scope, value) {
                    Ok(inner) => {
                        seen.add(inner);
                        matched.push(index);
                    }
                    Err(problem) => causes.push(problem),
                }
            }
            let said = match (keyword, matched.as_slice()) {
                ("allOf", _) if causes.is_empty() => continue,
                ("anyOf", [_, ..]) | ("oneOf", [_]) => {
                    self.words = words;
                    continue;
                }
                ("oneOf", []) => "'oneOf' failed, none matched".to_owned(),
                ("oneOf", [one, other, ..]) => {
                    causes.clear();
                    format!("'oneOf' failed, subschemas {one}, {other} matched")
                }
                _ => format!("'{keyword}' failed"),
            };
            found.push(self.problem_with(said, causes));
        }
        if let Some(condition) = keywords.get("if").filter(|_| scope.draft >= Draft::Draft7) {
            let words = self.words;
            let branch = match self.sub(&["if"], condition, scope, value) {
                Ok(inner) => {
                    seen.add(inner);
                    "then"
                }
                Err(_) => {
                    self.words = words;
                    "else"
                }
            };
            if let Some(schema) = keywords.get(branch) {
                match self.sub(&[branch], schema, scope, value) {
                    Ok(inner) => seen.add(inner),
                    Err(problem) => found.push(problem),
                }
            }
        }
    }

    fn unevaluated<'r, 'v>(
        &mut self,
        keywords: &'r Map<String, Json>,
        scope: &Scope<'r>,
        value: &'v Json,
        seen: &mut Seen<'v>,
        found: &mut Vec<Problem>,
    ) {
        match value {
            Json::Object(entries) => {
                let Some(schema) = keywords.get("unevaluatedProperties") else {
                    return;
                };
                if !self.spend(entries.len()) {
                    return;
                }
                for (name, inner) in entries {
                    if seen.names.insert(name) {
                        self.part(&["unevaluatedProperties"], schema, scope, (name, inner), found);
                    }
                }
            }
            Json::Array(items) => {
                let Some(schema) = keywords.get("unevaluatedItems") else {
                    return;
                };
                if !self.spend(items.len()) {
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    if seen.items.insert(index) {
                        self.part(
                            &["unevaluatedItems"],
                            schema,
                            scope,
                            (&index.to_string(), item),
                            found,
                        );
                    }
                }
            }
            _ => {}
        }
    }
}

/// A limit of a size.
fn limit(value: &Json) -> Option<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the metaschema wants a whole number, at least 0"
    )]
    value.as_f64().map(|f| f as usize)
}

fn pointer(steps: &[String]) -> String {
    steps
        .iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect()
}
