//! Encodings: base64, base32, JSON, YAML, TOML and URLs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Context, Failure, Function, Outcome, Type, function, text};
use crate::text::{json, toml, yaml};
use crate::value::{Elem, Map, MapType, Value};
use Type::{Any, Map as MapParameter, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("b64enc", &[Str], |_, a| {
        Ok(Value::str(
            STANDARD.encode(a[0].string_bytes().unwrap_or_default()),
        ))
    }),
    function("b64dec", &[Str], |_, a| {
        Ok(base64_decode(a[0].string_bytes().unwrap_or_default()))
    }),
    function("b32enc", &[Str], |_, a| {
        Ok(Value::str(base32_encode(a[0].string_bytes().unwrap_or_default())))
    }),
    function("b32dec", &[Str], |_, a| {
        Ok(base32_decode(a[0].string_bytes().unwrap_or_default()))
    }),
    function("toJson", &[Any], |_, a| {
        Ok(Value::str(json::encode(&a[0], true).unwrap_or_default()))
    }),
    function("mustToJson", &[Any], |_, a| {
        Ok(Value::str(json::encode(&a[0], true).map_err(marshal)?))
    }),
    function("toPrettyJson", &[Any], |_, a| {
        Ok(Value::str(json::pretty(&a[0]).unwrap_or_default()))
    }),
    function("mustToPrettyJson", &[Any], |_, a| {
        Ok(Value::str(json::pretty(&a[0])?))
    }),
    function("toRawJson", &[Any], |_, a| {
        Ok(Value::str(json::encode(&a[0], false)?))
    }),
    function("mustToRawJson", &[Any], |_, a| {
        Ok(Value::str(json::encode(&a[0], false)?))
    }),
    function("fromJson", &[Str], |_, a| {
        Ok(dict_or_error(json::decode_partly(&text(&a[0])), "json"))
    }),
    function("mustFromJson", &[Str], |_, a| {
        json::decode(&text(&a[0])).map_err(Failure::new)
    }),
    function("fromJsonArray", &[Str], |_, a| {
        Ok(list_or_error(json::decode_partly(&text(&a[0])), "json"))
    }),
    function("toYaml", &[Any], |cx, a| to_yaml(cx, &a[0], false)),
    function("mustToYaml", &[Any], |cx, a| to_yaml(cx, &a[0], true)),
    function("toYamlPretty", &[Any], |_, a| {
        let out = yaml::emit_pretty(&a[0]);
        Ok(Value::str(out.strip_suffix('\n').unwrap_or(&out)))
    }),
    function("fromYaml", &[Str], |_, a| {
        Ok(dict_or_error(from_yaml(&text(&a[0])), "yaml"))
    }),
    function("fromYamlArray", &[Str], |_, a| {
        Ok(list_or_error(from_yaml(&text(&a[0])), "yaml"))
    }),
    function("toToml", &[Any], |_, a| {
        if a[0].is_nil() {
            return Err(Failure::new("reflect: call of reflect.Value.Type on zero Value"));
        }
        Ok(toml::encode(&a[0]).unwrap_or_else(Value::str))
    }),
    function("mustToToml", &[Any], |_, a| Ok(toml::encode(&a[0])?)),
    function("fromToml", &[Str], |_, a| {
        Ok(dict_or_error(
            toml::decode(&text(&a[0])).map(|value| (value, None)),
            "toml",
        ))
    }),
    function("urlParse", &[Str], url_parse),
    function("urlJoin", &[MapParameter], url_join),
];

fn from_yaml(text: &str) -> Result<(Value, Option<String>), String> {
    match yaml::parse(text) {
        Ok(value) => Ok((value, None)),
        Err(error) => Err(yaml::convert_error(&error)),
    }
}

fn marshal(message: String) -> Failure {
    Failure::new(message)
}

fn to_yaml(cx: &mut Context<'_>, value: &Value, must: bool) -> Outcome {
    match yaml::emit(value) {
        Ok(out) => {
            cx.room(out.len())?;
            Ok(Value::str(out.strip_suffix('\n').unwrap_or(&out)))
        }
        Err(error) if must => Err(Failure::new(error)),
        Err(_) => Ok(Value::str("")),
    }
}

/// helm's `fromX`: never fails, but puts what is wrong into the dictionary, under `Error`.
fn dict_or_error(value: Result<(Value, Option<String>), String>, format: &str) -> Value {
    let (map, error) = match value {
        Ok((Value::Map(map), error)) => (map, error),
        Ok((Value::Nil | Value::Invalid, None)) => {
            let map = Map::new(Default::default());
            // JSON's null makes the map nil.
            return Value::Map(if format == "json" {
                map.with_type(MapType::NilAny)
            } else {
                map
            });
        }
        Ok((other, _)) => {
            let error = match format {
                "toml" => format!("a table is needed, not {}", other.kind()),
                _ => no_conversion(&other, format, "map[string]interface {}"),
            };
            (Map::new(Default::default()), Some(error))
        }
        Err(error) => (Map::new(Default::default()), Some(error)),
    };
    if let Some(error) = error {
        map.set("Error", Value::str(error));
    }
    Value::Map(map)
}

fn list_or_error(value: Result<(Value, Option<String>), String>, format: &str) -> Value {
    let error = match value {
        Ok((list @ Value::List(_), None)) => return list,
        Ok((Value::Nil | Value::Invalid, None)) if format == "json" => return Value::nil_list(Elem::NilAny),
        Ok((Value::Nil | Value::Invalid, None)) => return Value::list(Vec::new()),
        Ok((Value::List(_), Some(error))) | Err(error) => error,
        Ok((other, _)) => no_conversion(&other, format, "[]interface {}"),
    };
    Value::list(vec![Value::str(error)])
}

fn no_conversion(value: &Value, format: &str, wanted: &str) -> String {
    let reading = match format {
        "yaml" => "error unmarshaling JSON: while decoding JSON: json",
        _ => "json",
    };
    format!(
        "{reading}: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(value)
    )
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Int(..) | Value::Float(_) => "number",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "string",
    }
}

/// Go's decoder skips line ends and refuses the rest; Sprig turns its error into the result.
fn base64_decode(input: &[u8]) -> Value {
    let clean: Vec<u8> = input
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    match STANDARD.decode(&clean) {
        Ok(bytes) => Value::text(bytes),
        Err(_) => Value::str(format!("illegal base64 data at input byte {}", corrupt_at(input))),
    }
}

/// Where Go finds the corruption: the first foreign byte, or the start of an incomplete group.
fn corrupt_at(input: &[u8]) -> usize {
    let mut digits = 0usize;
    for (at, byte) in input.iter().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits += 1,
            b'=' if digits % 4 >= 2 => {
                let rest = &input[at..];
                let padding = rest.iter().take_while(|b| **b == b'=').count();
                if padding + digits % 4 == 4 && rest.len() > padding {
                    return at + padding;
                }
                if rest.len() < 4 - digits % 4 {
                    return input.len();
                }
                return at + 1;
            }
            _ => return at,
        }
    }
    input.len() - digits % 4
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32_encode(input: &[u8]) -> String {
    let mut out = String::new();
    for group in input.chunks(5) {
        let mut bits = 0u64;
        for index in 0..5 {
            bits = bits << 8 | u64::from(group.get(index).copied().unwrap_or(0));
        }
        let used = (group.len() * 8).div_ceil(5);
        for index in 0..8 {
            out.push(if index < used {
                BASE32[(bits >> (35 - 5 * index) & 31) as usize] as char
            } else {
                '='
            });
        }
    }
    out
}

fn base32_decode(input: &[u8]) -> Value {
    let corrupt = |at: usize| Value::str(format!("illegal base32 data at input byte {at}"));
    let clean: Vec<u8> = input
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    let data = clean.iter().position(|b| *b == b'=').unwrap_or(clean.len());
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u64, 0);
    for (at, byte) in clean[..data].iter().enumerate() {
        let Some(digit) = BASE32.iter().position(|b| b == byte) else {
            return corrupt(at);
        };
        bits = bits << 5 | digit as u64;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if !clean.len().is_multiple_of(8) || matches!(data % 8, 1 | 3 | 6) || clean.len() - data > 6 {
        return corrupt(clean.len());
    }
    Value::text(out)
}

fn url_parse(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    parsed_url(&text(&a[0])).map_err(|why| Failure::new(format!("unable to parse url: {why}")))
}

/// The scheme of a URL, empty if it is relative, or what is wrong with it.
pub(crate) fn url_scheme(source: &str) -> Result<String, String> {
    let parts = parsed_url(source)?;
    let scheme = match parts {
        Value::Map(parts) => parts.get("scheme"),
        _ => None,
    };
    Ok(scheme
        .and_then(|s| s.as_str().map(str::to_owned))
        .unwrap_or_default())
}

fn parsed_url(source: &str) -> Result<Value, String> {
    let fail = |what: &str| format!("parse {}: {what}", crate::value::gofmt::quote(source));
    if source.chars().any(|c| c.is_ascii_control()) {
        return Err(fail("net/url: invalid control character in URL"));
    }
    let (rest, fragment) = source.split_once('#').unwrap_or((source, ""));
    let mut scheme = String::new();
    let mut rest = rest;
    match rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))) {
        Some(0) if rest.starts_with(':') => return Err(fail("missing protocol scheme")),
        Some(end) if rest[end..].starts_with(':') && rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            scheme = rest[..end].to_lowercase();
            rest = &rest[end + 1..];
        }
        _ => {}
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut opaque, mut user, mut host, mut path) =
        (String::new(), String::new(), String::new(), String::new());
    if !rest.starts_with('/') && !scheme.is_empty() {
        opaque = rest.to_owned();
    } else if let Some(authority) = rest.strip_prefix("//") {
        let end = authority.find('/').unwrap_or(authority.len());
        let (authority, after) = authority.split_at(end);
        let (userinfo, hostport) = authority.rsplit_once('@').unwrap_or(("", authority));
        user = userinfo.to_owned();
        if let Some(c) = hostport.chars().find(|c| " <>\"^`{}|\\".contains(*c)) {
            let shown = crate::value::gofmt::quote(&c.to_string());
            return Err(fail(&format!("invalid character {shown} in host name")));
        }
        if hostport.starts_with('[') && !hostport.contains(']') {
            return Err(fail("missing ']' in host"));
        }
        host = unescape(hostport).ok_or_else(|| fail("invalid URL escape"))?;
        let port = match hostport.rfind(']') {
            Some(end) => hostport[end + 1..].strip_prefix(':'),
            None => hostport.rsplit_once(':').map(|(_, port)| port),
        };
        if let Some(port) = port.filter(|p| !p.bytes().all(|b| b.is_ascii_digit())) {
            return Err(fail(&format!(
                "invalid port {} after host",
                crate::value::gofmt::quote(&format!(":{port}"))
            )));
        }
        path = after.to_owned();
    } else {
        path = rest.to_owned();
    }
    let path = unescape(&path).ok_or_else(|| {
        let at = path.find('%').unwrap_or(0);
        fail(&format!(
            "invalid URL escape {}",
            crate::value::gofmt::quote(&path[at..path.len().min(at + 3)])
        ))
    })?;
    let fragment = unescape(fragment).ok_or_else(|| fail("invalid URL escape"))?;
    let hostname = match host.rfind(']') {
        Some(end) => host[usize::from(host.starts_with('['))..end].to_owned(),
        None => host
            .rsplit_once(':')
            .map_or(host.clone(), |(name, _)| name.to_owned()),
    };
    Ok(Value::map([
        ("scheme", Value::str(scheme)),
        ("host", Value::str(host)),
        ("hostname", Value::str(hostname)),
        ("path", Value::str(path)),
        ("query", Value::str(query)),
        ("opaque", Value::str(opaque)),
        ("fragment", Value::str(fragment)),
        ("userinfo", Value::str(user)),
    ]))
}

fn unescape(s: &str) -> Option<String> {
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = s.get(at + 1..at + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

/// `URL.EscapedPath` for a path that carries no encoding of its own.
fn escape(s: &str, keep: &[u8]) -> String {
    s.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || keep.contains(&b) {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn url_join(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let Value::Map(map) = &a[0] else {
        return Err("a map is needed".into());
    };
    let part = |key: &str| -> Result<String, Failure> {
        match map.get(key) {
            None => Ok(String::new()),
            Some(Value::Str(s)) => Ok(s.to_string()),
            Some(other) => Err(Failure::new(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                if other.is_nil() {
                    "<nil>"
                } else {
                    other.type_name()
                }
            ))),
        }
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment, user) = (
        part("query")?,
        part("opaque")?,
        part("fragment")?,
        part("userinfo")?,
    );
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&scheme);
        out.push(':');
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !user.is_empty() {
            if !host.is_empty() || !path.is_empty() || !user.is_empty() {
                out.push_str("//");
            }
            if !user.is_empty() {
                out.push_str(&user);
                out.push('@');
            }
            out.push_str(&escape(&host, b"-_.~!$&'()*+,;=:[]<>\""));
        }
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        out.push_str(&escape(&path, b"-_.~$&+,/:;=@!'()*"));
    } else {
        out.push_str(&opaque);
    }
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    if !fragment.is_empty() {
        out.push('#');
        out.push_str(&escape(&fragment, b"-_.~$&+,/:;=@?!()*'"));
    }
    Ok(Value::str(out))
}
