//! How a part names another in its fields: as a value, within a text, or as the name of an entry.
//!
//! A [`Ref`](crate::part::Ref) is written as a text between NULs, which no service takes, so that it is nobody's data:
//! `\0made\0vpc\0\0` stands for the id of the part `vpc`, `\0ready\0cluster\0oidc_issuer\0` for an output of `cluster`.
//! What is declared is compared in a form without them, in which the first reads `vpc` and the second
//! `${cluster.oidc_issuer}`: the same before and after the parts are made.

use serde_json::{Map, Value};

use crate::part::{Need, Ref};

const MARK: char = '\0';

impl std::fmt::Display for Ref {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (need, key) = (self.need.word(), &self.key);
        let output = self.output.as_deref().unwrap_or_default();
        write!(f, "{MARK}{need}{MARK}{key}{MARK}{output}{MARK}")
    }
}

/// How a reference reads in messages and in the state: alone it is the key, else it stands out of the text.
fn name(reference: &Ref, is_alone: bool) -> String {
    let key = &reference.key;
    match &reference.output {
        Some(output) => format!("${{{key}.{output}}}"),
        None if is_alone => key.0.clone(),
        None => format!("${{{key}}}"),
    }
}

/// A piece of a text.
enum Piece<'a> {
    Plain(&'a str),
    Reference(Ref),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text.split(MARK);
    while let Some(plain) = rest.next() {
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        let (Some(need), Some(key), Some(output)) = (rest.next(), rest.next(), rest.next()) else {
            break;
        };
        pieces.push(Piece::Reference(Ref {
            key: key.into(),
            need: Need::of(need),
            output: (!output.is_empty()).then(|| output.to_owned()),
        }));
    }
    pieces
}

/// The references in the value, at any depth and in names of entries; and whether each is the whole of a value.
pub(crate) fn references(value: &Value) -> Vec<(Ref, bool)> {
    fn of(text: &str, is_name: bool, found: &mut Vec<(Ref, bool)>) {
        if text.contains(MARK) {
            let pieces = pieces(text);
            let is_alone = pieces.len() == 1 && !is_name;
            found.extend(pieces.into_iter().filter_map(|piece| match piece {
                Piece::Reference(reference) => Some((reference, is_alone)),
                Piece::Plain(_) => None,
            }));
        }
    }
    fn walk(value: &Value, found: &mut Vec<(Ref, bool)>) {
        match value {
            Value::String(text) => of(text, false, found),
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            Value::Object(map) => map.iter().for_each(|(name, value)| {
                of(name, true, found);
                walk(value, found);
            }),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &mut found);
    found
}

/// The reference that is the whole of the text.
pub(crate) fn alone(text: &str) -> Option<Ref> {
    if !text.starts_with(MARK) {
        return None;
    }
    match pieces(text).as_slice() {
        [Piece::Reference(reference)] => Some(reference.clone()),
        _ => None,
    }
}

/// The value with what `of` gives in place of references; those of which it knows nothing keep their names.
pub(crate) fn fill(value: &Value, of: &dyn Fn(&Ref) -> Option<Value>) -> Value {
    match value {
        Value::String(text) if text.contains(MARK) => match alone(text) {
            Some(reference) => of(&reference).unwrap_or_else(|| Value::String(name(&reference, true))),
            None => Value::String(fill_text(text, of)),
        },
        Value::Array(list) => Value::Array(list.iter().map(|value| fill(value, of)).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| (fill_text(name, of), fill(value, of)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn fill_text(text: &str, of: &dyn Fn(&Ref) -> Option<Value>) -> String {
    if !text.contains(MARK) {
        return text.to_owned();
    }
    let pieces = pieces(text);
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Plain(text) => (*text).to_owned(),
        Piece::Reference(reference) => match of(reference) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => name(reference, false),
        },
    });
    texts.collect()
}

/// The value without marks: comparable before and after anything is made.
pub(crate) fn named(value: &Value) -> Value {
    fill(value, &|_| None)
}

/// What is, with outputs named where they are what the declared value refers to.
pub(crate) fn name_outputs(declared: &Value, is: &Value, of: &dyn Fn(&Ref) -> Option<Value>) -> Value {
    match (declared, is) {
        (Value::String(text), is) => {
            let is_equal = text.contains(MARK) && fill(declared, of) == *is;
            if is_equal { named(declared) } else { is.clone() }
        }
        (Value::Array(declared), Value::Array(is)) => {
            // The order of a list may say nothing.
            let one = |(index, entry): (usize, &Value)| {
                let mut same = declared.iter().filter(|declared| fill(declared, of) == *entry);
                match (same.next(), declared.get(index)) {
                    (Some(same), _) => name_outputs(same, entry, of),
                    (None, Some(declared)) => name_outputs(declared, entry, of),
                    (None, None) => entry.clone(),
                }
            };
            Value::Array(is.iter().enumerate().map(one).collect())
        }
        (Value::Object(declared), Value::Object(is)) => {
            let declared: Map<String, Value> = declared
                .iter()
                .map(|(name, value)| {
                    (
                        fill_text(name, of),
                        Value::Array(vec![name.clone().into(), value.clone()]),
                    )
                })
                .collect();
            let one = |(name, value): (&String, &Value)| match declared.get(name) {
                Some(entry) => {
                    let name = entry[0].as_str().unwrap_or_default();
                    (fill_text(name, &|_| None), name_outputs(&entry[1], value, of))
                }
                None => (name.clone(), value.clone()),
            };
            Value::Object(is.iter().map(one).collect())
        }
        (_, is) => is.clone(),
    }
}

/// The value with the outputs in place of their names, as a service takes it.
pub(crate) fn fill_names(value: &Value, outputs: &[(Ref, Value)]) -> Value {
    let text = |text: &str| {
        outputs.iter().fold(text.to_owned(), |text, (reference, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&name(reference, false), &value)
        })
    };
    match value {
        Value::String(whole) => {
            let is_it = |(reference, _): &&(Ref, Value)| name(reference, false) == *whole;
            match outputs.iter().find(is_it) {
                Some((_, value)) => value.clone(),
                None => Value::String(text(whole)),
            }
        }
        Value::Array(list) => Value::Array(list.iter().map(|value| fill_names(value, outputs)).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| (text(name), fill_names(value, outputs)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(key: &str, output: Option<&str>) -> Ref {
        Ref {
            key: key.into(),
            need: Need::Ready,
            output: output.map(str::to_owned),
        }
    }

    /// A trust policy, as it refers to the issuer of a cluster that is not made yet.
    fn trust() -> Value {
        let issuer = reference("cluster", Some("oidc_issuer"));
        let arn = reference("oidc/main", Some("arn"));
        json!({
            "Principal": {"Federated": arn},
            "Condition": {"StringEquals": {
                format!("{issuer}:aud"): "sts.amazonaws.com",
                format!("{issuer}:sub"): format!("system:serviceaccount:{}:x", reference("ns", None)),
            }},
            "Actions": ["b", issuer.to_string(), "a"],
            "vpc": reference("vpc", None),
            "port": reference("cluster", Some("port")),
        })
    }

    fn known(reference: &Ref) -> Option<Value> {
        match (reference.key.0.as_str(), reference.output.as_deref()) {
            ("cluster", Some("oidc_issuer")) => Some(json!("oidc.eks/1")),
            ("cluster", Some("port")) => Some(json!(443)),
            ("oidc/main", Some("arn")) => Some(json!("arn:oidc")),
            ("ns", None) => Some(json!("kube-system")),
            _ => None,
        }
    }

    #[test]
    fn what_is_not_known_has_a_name_and_what_is_its_value() {
        let named = named(&trust());
        assert_eq!(named["Principal"]["Federated"], "${oidc/main.arn}");
        let expected = json!({
            "${cluster.oidc_issuer}:aud": "sts.amazonaws.com",
            "${cluster.oidc_issuer}:sub": "system:serviceaccount:${ns}:x",
        });
        assert_eq!(named["Condition"]["StringEquals"], expected);
        assert_eq!(named["vpc"], "vpc", "alone it is the key");
        let filled = fill(&trust(), &known);
        let expected = json!({"oidc.eks/1:aud": "sts.amazonaws.com", "oidc.eks/1:sub": "system:serviceaccount:kube-system:x"});
        assert_eq!(filled["Condition"]["StringEquals"], expected);
        assert_eq!((&filled["port"], &filled["vpc"]), (&json!(443), &json!("vpc")));
        let found: Vec<String> = references(&trust())
            .iter()
            .map(|(found, _)| name(found, false))
            .collect();
        assert_eq!(found.len(), 7, "{found:?}");
    }

    #[test]
    fn what_is_there_gets_the_names_where_it_is_the_same() {
        let mut is = fill(&trust(), &known);
        is["Actions"] = json!(["a", "b", "oidc.eks/1"]);
        let same = name_outputs(&trust(), &is, &known);
        assert_eq!(same["Actions"], json!(["a", "b", "${cluster.oidc_issuer}"]));
        let declared = named(&trust());
        for field in ["Principal", "Condition", "vpc", "port"] {
            assert_eq!(same[field], declared[field]);
        }
        is["Principal"]["Federated"] = json!("arn:other");
        is["Condition"]["StringEquals"]["other"] = json!("x");
        let differs = name_outputs(&trust(), &is, &known);
        assert_eq!(differs["Principal"]["Federated"], "arn:other");
        assert_eq!(differs["Condition"]["StringEquals"]["other"], "x");
        let nothing = name_outputs(&trust(), &is, &|_| None);
        assert_eq!(nothing, is, "of what is not known nothing is the same");
    }

    #[test]
    fn services_get_values_for_names() {
        let outputs: Vec<(Ref, Value)> = references(&trust())
            .into_iter()
            .filter_map(|(found, _)| Some((found.clone(), known(&found)?)))
            .collect();
        assert_eq!(fill_names(&named(&trust()), &outputs), fill(&trust(), &known));
        let text = json!("${aws:username} ${cluster.oidc_issuer}");
        assert_eq!(fill_names(&text, &outputs), "${aws:username} oidc.eks/1");
    }
}
