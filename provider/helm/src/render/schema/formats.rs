//! `format`: which texts helm's validator refuses, and its words.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::functions::{encoding, regexes};
use crate::value::Value;
use crate::value::gofmt::{quote, quote_bytes};
use crate::value::time::Time;

type Check = Result<(), String>;

/// Why a text is not of a format. A format that is not known refuses nothing.
pub(super) fn check(format: &str, text: &str) -> Check {
    match format {
        "regex" => regexes::compile(&Value::str(text))
            .map(|_| ())
            .map_err(|f| f.message.clone()),
        "date" => date(text),
        "time" => time(text),
        "date-time" => date_time(text),
        "duration" => duration(text),
        "email" => email(text),
        "hostname" => host_name(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "uri" | "iri" => match encoding::url_scheme(text)? {
            scheme if scheme.is_empty() => refuse("relative url"),
            _ => Ok(()),
        },
        "uri-reference" | "iri-reference" => {
            encoding::url_scheme(text)?;
            if text.contains('\\') {
                refuse("contains \\")
            } else {
                Ok(())
            }
        }
        "uri-template" => uri_template(text),
        "json-pointer" => json_pointer(text),
        "relative-json-pointer" => relative_json_pointer(text),
        "uuid" => uuid(text),
        _ => Ok(()),
    }
}

fn refuse(why: impl Into<String>) -> Check {
    Err(why.into())
}

fn shown(c: char) -> String {
    quote_bytes(c.to_string().as_bytes(), '\'')
}

fn date(text: &str) -> Check {
    Time::parse("2006-01-02", text).map(|_| ())
}

fn date_time(text: &str) -> Check {
    if text.len() < 20 {
        return refuse("less than 20 characters long");
    }
    let (Some(day), Some(rest)) = (text.get(..10), text.get(11..)) else {
        return refuse("11th character must be t or T");
    };
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return refuse("11th character must be t or T");
    }
    date(day).map_err(|why| format!("invalid date element: {why}"))?;
    time(rest).map_err(|why| format!("invalid time element: {why}"))
}

fn time(text: &str) -> Check {
    let bytes = text.as_bytes();
    if bytes.len() < 9 {
        return refuse("less than 9 characters long");
    }
    if bytes[2] != b':' || bytes[5] != b':' {
        return refuse("missing colon in correct place");
    }
    let two = |bytes: &[u8], at: usize| -> Result<u32, String> {
        let digits = String::from_utf8_lossy(&bytes[at..at + 2]).into_owned();
        let wrong = || format!("strconv.Atoi: parsing {}: invalid syntax", quote(&digits));
        digits.parse().map_err(|_| wrong())
    };
    let (hour, minute, second) = (two(bytes, 0)?, two(bytes, 3)?, two(bytes, 6)?);
    if hour > 23 || minute > 59 || second > 60 {
        return refuse("hour/min/sec out of range");
    }
    let mut rest = &bytes[8..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return refuse("no digits in second fraction");
        }
        rest = &fraction[digits..];
    }
    let mut offset = 0i64;
    if !matches!(rest, b"z" | b"Z") {
        if rest.len() != 6 {
            return refuse("offset must be 6 characters long");
        }
        let sign = match rest[0] {
            b'+' => -1,
            b'-' => 1,
            _ => return refuse("offset must begin with plus/minus"),
        };
        if rest[3] != b':' {
            return refuse("missing colon in offset in correct place");
        }
        let (hours, minutes) = (two(rest, 1)?, two(rest, 4)?);
        if hours > 23 || minutes > 59 {
            return refuse("hour/min in offset out of range");
        }
        offset = sign * i64::from(hours * 60 + minutes);
    }
    let minute_of_day = (i64::from(hour * 60 + minute) + offset).rem_euclid(24 * 60);
    if second == 60 && minute_of_day != 24 * 60 - 1 {
        return refuse("invalid leap second");
    }
    Ok(())
}

fn duration(text: &str) -> Check {
    let Some(rest) = text.strip_prefix('P') else {
        return refuse("must start with P");
    };
    if rest.is_empty() {
        return refuse("nothing after P");
    }
    let units = |mut rest: &str, allowed: &str| -> Check {
        let mut next = 0;
        while !rest.is_empty() {
            let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if unit.len() == rest.len() {
                return refuse("missing number");
            }
            let Some(name) = unit.chars().next() else {
                return refuse("missing unit");
            };
            match allowed.find(name) {
                None => return refuse(format!("invalid unit {}", shown(name))),
                Some(at) if at < next => return refuse(format!("unit {} out of order", shown(name))),
                Some(at) => next = at + 1,
            }
            rest = &unit[name.len_utf8()..];
        }
        Ok(())
    };
    if rest.ends_with('W') {
        return units(rest, "W");
    }
    let (days, times) = rest.split_once('T').map_or((rest, None), |(d, t)| (d, Some(t)));
    units(days, "YMD")?;
    match times {
        Some("") => refuse("no time elements"),
        Some(times) => units(times, "HMS"),
        None => Ok(()),
    }
}

fn email(text: &str) -> Check {
    if text.len() > 254 {
        return refuse("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refuse("missing @");
    };
    if local.len() > 64 {
        return refuse("local part more than 64 characters long");
    }
    if !(local.len() > 1 && local.starts_with('"') && local.ends_with('"')) {
        if local.starts_with('.') {
            return refuse("starts with dot");
        }
        if local.ends_with('.') {
            return refuse("ends with dot");
        }
        if local.contains("..") {
            return refuse("consecutive dots");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
        if let Some(c) = local.chars().find(|c| !allowed(*c)) {
            return refuse(format!("invalid character {}", shown(c)));
        }
    }
    match domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|why| format!("invalid ipv6 address: {why}")),
            None => ipv4(address).map_err(|why| format!("invalid ipv4 address: {why}")),
        },
        None => host_name(domain).map_err(|why| format!("invalid domain: {why}")),
    }
}

fn host_name(text: &str) -> Check {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return refuse("more than 253 characters long");
    }
    for label in text.split('.') {
        if !(1..=63).contains(&label.len()) {
            return refuse("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return refuse("label starts with hyphen");
        }
        if label.ends_with('-') {
            return refuse("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
            return refuse(format!("invalid character {}", shown(c)));
        }
    }
    Ok(())
}

fn ipv4(text: &str) -> Check {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return refuse("expected four decimals");
    }
    for group in groups {
        let Ok(n) = group.parse::<i64>() else {
            return refuse(format!("strconv.Atoi: parsing {}: invalid syntax", quote(group)));
        };
        if !(0..=255).contains(&n) {
            return refuse("decimal must be between 0 and 255");
        }
        if n != 0 && group.starts_with('0') {
            return refuse("leading zeros");
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Check {
    if !text.contains(':') {
        return refuse("missing colon");
    }
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    if address.parse::<Ipv6Addr>().is_err() || address.parse::<Ipv4Addr>().is_ok() {
        return refuse(format!("ParseAddr({}): unable to parse IP", quote(text)));
    }
    if address.len() < text.len() {
        return refuse("zone id is not a part of ipv6 address");
    }
    Ok(())
}

fn uri_template(text: &str) -> Check {
    let mut open = false;
    for c in text.chars() {
        match (c, open) {
            ('{', true) | ('}', false) => return refuse("nested curly braces"),
            ('{', false) => open = true,
            ('}', true) => open = false,
            _ => {}
        }
    }
    if open {
        refuse("no matching closing brace")
    } else {
        Ok(())
    }
}

fn json_pointer(text: &str) -> Check {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return refuse("not starting with /");
    }
    if text
        .split('~')
        .skip(1)
        .any(|after| !after.starts_with(['0', '1']))
    {
        return refuse("~ must be followed by 0 or 1");
    }
    Ok(())
}

fn relative_json_pointer(text: &str) -> Check {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match text.len() - rest.len() {
        0 => refuse("must start with non-negative integer"),
        digits if digits > 1 && text.starts_with('0') => refuse("starts with zero"),
        _ if rest == "#" => Ok(()),
        _ => json_pointer(rest),
    }
}

fn uuid(text: &str) -> Check {
    let elements: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    if elements.len() != lengths.len() {
        return refuse("must have 5 elements");
    }
    for (index, (element, length)) in elements.iter().zip(lengths).enumerate() {
        if element.len() != length {
            return refuse(format!("element {} must be {length} characters long", index + 1));
        }
        if let Some(c) = element.chars().find(|c| !c.is_ascii_hexdigit()) {
            return refuse(format!("non-hex character {}", shown(c)));
        }
    }
    Ok(())
}
