//! Values in MessagePack, as they travel between core and provider.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::encode as w;

use super::{MAX_DEPTH, Number, Refinements, Type, Value, WireError, nfc};
use crate::path::Here;

/// Extension type of an unknown value with refinements.
const REFINED: i8 = 12;
/// Longest body of refinements that Terraform takes.
const LONGEST_REFINEMENTS: usize = 1024;
/// Longest prefix that Terraform's encoder writes.
const LONGEST_PREFIX: usize = 256;

impl Value {
    /// Reads a value of the type.
    ///
    /// # Errors
    /// Where the bytes are no MessagePack, no value of the type, or more than one value.
    pub fn from_msgpack(bytes: &[u8], ty: &Type) -> Result<Self, WireError> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(ty, &Here::Root, 0)?;
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(WireError::new(&Here::Root, "bytes after the value"))
        }
    }

    /// Writes a value of the type.
    ///
    /// # Errors
    /// Where the value is none of the type.
    pub fn to_msgpack(&self, ty: &Type) -> Result<Vec<u8>, WireError> {
        let mut out = Vec::new();
        write(&mut out, self, ty, &Here::Root)?;
        Ok(out)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize, at: &Here<'_>) -> Result<&'a [u8], WireError> {
        let (head, tail) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| WireError::new(at, "the bytes end too early"))?;
        self.rest = tail;
        Ok(head)
    }

    fn big_endian<const N: usize>(&mut self, at: &Here<'_>) -> Result<[u8; N], WireError> {
        self.bytes(N, at)?
            .try_into()
            .map_err(|_| WireError::new(at, "the bytes end too early"))
    }

    fn length(&mut self, width: usize, at: &Here<'_>) -> Result<usize, WireError> {
        Ok(self
            .bytes(width, at)?
            .iter()
            .fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }

    fn marker(&mut self, at: &Here<'_>) -> Result<Marker, WireError> {
        Ok(Marker::from_u8(self.big_endian::<1>(at)?[0]))
    }

    fn text(&mut self, count: usize, at: &Here<'_>) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(count, at)?).map_err(|_| WireError::new(at, "text is not UTF-8"))
    }

    /// The length that the marker of a text or of bytes announces.
    fn text_length(&mut self, marker: Marker, at: &Here<'_>) -> Result<Option<usize>, WireError> {
        Ok(Some(match marker {
            Marker::FixStr(n) => usize::from(n),
            Marker::Str8 | Marker::Bin8 => self.length(1, at)?,
            Marker::Str16 | Marker::Bin16 => self.length(2, at)?,
            Marker::Str32 | Marker::Bin32 => self.length(4, at)?,
            _ => return Ok(None),
        }))
    }

    fn array_length(&mut self, marker: Marker, at: &Here<'_>) -> Result<Option<usize>, WireError> {
        Ok(Some(match marker {
            Marker::FixArray(n) => usize::from(n),
            Marker::Array16 => self.length(2, at)?,
            Marker::Array32 => self.length(4, at)?,
            _ => return Ok(None),
        }))
    }

    fn map_length(&mut self, marker: Marker, at: &Here<'_>) -> Result<Option<usize>, WireError> {
        Ok(Some(match marker {
            Marker::FixMap(n) => usize::from(n),
            Marker::Map16 => self.length(2, at)?,
            Marker::Map32 => self.length(4, at)?,
            _ => return Ok(None),
        }))
    }

    fn ext(&mut self, marker: Marker, at: &Here<'_>) -> Result<Option<(i8, &'a [u8])>, WireError> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length(1, at)?,
            Marker::Ext16 => self.length(2, at)?,
            Marker::Ext32 => self.length(4, at)?,
            _ => return Ok(None),
        };
        let kind = self.big_endian::<1>(at)?[0].cast_signed();
        Ok(Some((kind, self.bytes(length, at)?)))
    }

    fn number(&mut self, marker: Marker, at: &Here<'_>) -> Result<Option<Number>, WireError> {
        let not_a_number = || WireError::new(at, "not a number");
        Ok(Some(match marker {
            Marker::FixPos(n) => Number::from(u64::from(n)),
            Marker::FixNeg(n) => Number::from(i64::from(n)),
            Marker::U8 => Number::from(u64::from(u8::from_be_bytes(self.big_endian(at)?))),
            Marker::U16 => Number::from(u64::from(u16::from_be_bytes(self.big_endian(at)?))),
            Marker::U32 => Number::from(u64::from(u32::from_be_bytes(self.big_endian(at)?))),
            Marker::U64 => Number::from(u64::from_be_bytes(self.big_endian(at)?)),
            Marker::I8 => Number::from(i64::from(i8::from_be_bytes(self.big_endian(at)?))),
            Marker::I16 => Number::from(i64::from(i16::from_be_bytes(self.big_endian(at)?))),
            Marker::I32 => Number::from(i64::from(i32::from_be_bytes(self.big_endian(at)?))),
            Marker::I64 => Number::from(i64::from_be_bytes(self.big_endian(at)?)),
            // Core writes a float only for a value that it equals exactly, so the exact expansion is meant.
            Marker::F32 => Number::from_f64_exact(f64::from(f32::from_be_bytes(self.big_endian(at)?)))
                .ok_or_else(not_a_number)?,
            Marker::F64 => {
                Number::from_f64_exact(f64::from_be_bytes(self.big_endian(at)?)).ok_or_else(not_a_number)?
            }
            other => match self.text_length(other, at)? {
                Some(length) => self.text(length, at)?.parse().map_err(|_| not_a_number())?,
                None => return Ok(None),
            },
        }))
    }

    fn value(&mut self, ty: &Type, at: &Here<'_>, depth: usize) -> Result<Value, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::new(at, "nested too deeply"));
        }
        let marker = self.marker(at)?;
        if marker == Marker::Null {
            return Ok(Value::Null);
        }
        if let Some((kind, body)) = self.ext(marker, at)? {
            return unknown(kind, body, at);
        }
        let wrong = || WireError::new(at, format!("{ty} expected, got {marker:?}"));
        let deeper = depth + 1;
        match ty {
            Type::Bool => match marker {
                Marker::True => Ok(Value::Bool(true)),
                Marker::False => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Type::Number => self.number(marker, at)?.map(Value::Number).ok_or_else(wrong),
            Type::String => {
                let length = self.text_length(marker, at)?.ok_or_else(wrong)?;
                Ok(Value::string(self.text(length, at)?))
            }
            Type::Dynamic => {
                if self.array_length(marker, at)? != Some(2) {
                    return Err(wrong());
                }
                let marker = self.marker(at)?;
                let length = self.text_length(marker, at)?.ok_or_else(wrong)?;
                let ty = Type::from_json_bytes(self.bytes(length, at)?)
                    .map_err(|e| WireError::new(at, e.to_string()))?;
                let value = self.value(&ty, at, deeper)?;
                Ok(Value::Dynamic(Box::new((ty, value))))
            }
            Type::List(of) => {
                let length = self.array_length(marker, at)?.ok_or_else(wrong)?;
                (0..length)
                    .map(|i| self.value(of, &at.index(i), deeper))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            Type::Set(of) => {
                let length = self.array_length(marker, at)?.ok_or_else(wrong)?;
                (0..length)
                    .map(|_| self.value(of, &at.element(), deeper))
                    .collect::<Result<_, _>>()
                    .map(Value::set)
            }
            Type::Tuple(of) => {
                if self.array_length(marker, at)?.ok_or_else(wrong)? != of.len() {
                    return Err(WireError::new(
                        at,
                        format!("{ty} expected, got another number of elements"),
                    ));
                }
                of.iter()
                    .enumerate()
                    .map(|(i, ty)| self.value(ty, &at.index(i), deeper))
                    .collect::<Result<_, _>>()
                    .map(Value::Tuple)
            }
            Type::Map(of) => {
                let length = self.map_length(marker, at)?.ok_or_else(wrong)?;
                let mut all = BTreeMap::new();
                for _ in 0..length {
                    let key = self.key(at)?;
                    let value = self.value(of, &at.key(&key), deeper)?;
                    all.insert(key, value);
                }
                Ok(Value::Map(all.into()))
            }
            Type::Object(of) => {
                let length = self.map_length(marker, at)?.ok_or_else(wrong)?;
                let mut all = BTreeMap::new();
                for _ in 0..length {
                    let name = self.key(at)?;
                    let here = at.attribute(&name);
                    let ty = of
                        .get(&name)
                        .ok_or_else(|| WireError::new(&here, "not in the schema"))?;
                    let value = self.value(ty, &here, deeper)?;
                    all.insert(name, value);
                }
                for name in of.keys() {
                    all.entry(name.clone()).or_insert(Value::Null);
                }
                Ok(Value::Object(all.into()))
            }
        }
    }

    fn key(&mut self, at: &Here<'_>) -> Result<String, WireError> {
        let marker = self.marker(at)?;
        let length = self
            .text_length(marker, at)?
            .ok_or_else(|| WireError::new(at, "a key is not text"))?;
        self.text(length, at).map(nfc)
    }
}

/// An unknown value. Refinements that are not understood are read over: they only say more.
fn unknown(kind: i8, body: &[u8], at: &Here<'_>) -> Result<Value, WireError> {
    if body.len() <= 1 {
        return Ok(Value::UNKNOWN);
    }
    if kind != REFINED || body.len() > LONGEST_REFINEMENTS {
        return Err(WireError::new(at, "an extension that is no unknown value"));
    }
    let refinements = refinements(&mut Reader { rest: body }, at).unwrap_or_default();
    Ok(Value::Unknown(
        (refinements != Refinements::default()).then(|| Box::new(refinements)),
    ))
}

fn refinements(reader: &mut Reader<'_>, at: &Here<'_>) -> Result<Refinements, WireError> {
    let mut out = Refinements::default();
    let marker = reader.marker(at)?;
    let number_and_flag = Type::Tuple(vec![Type::Number, Type::Bool]);
    for _ in 0..reader.map_length(marker, at)?.unwrap_or(0) {
        let marker = reader.marker(at)?;
        let key = reader.number(marker, at)?.and_then(|n| n.as_i64());
        match key {
            Some(1) => out.not_null = reader.value(&Type::Bool, at, 0)? == Value::Bool(false),
            Some(2) => out.prefix = reader.value(&Type::String, at, 0)?.as_str().map(str::to_owned),
            Some(3) => out.lower = bound(reader.value(&number_and_flag, at, 0)?),
            Some(4) => out.upper = bound(reader.value(&number_and_flag, at, 0)?),
            Some(5) => out.min_length = count(reader.value(&Type::Number, at, 0)?),
            Some(6) => out.max_length = count(reader.value(&Type::Number, at, 0)?),
            // The length of what follows is not known: what was read so far stands.
            _ => return Ok(out),
        }
    }
    Ok(out)
}

fn bound(value: Value) -> Option<(Number, bool)> {
    match value.elements() {
        [Value::Number(number), Value::Bool(inclusive)] => Some((number.clone(), *inclusive)),
        _ => None,
    }
}

fn count(value: Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_i64().and_then(|n| u64::try_from(n).ok()),
        _ => None,
    }
}

/// A writer into memory does not fail.
fn infallible<T, E>(_: Result<T, E>) {}

fn length(of: usize, at: &Here<'_>) -> Result<u32, WireError> {
    u32::try_from(of).map_err(|_| WireError::new(at, "too long for MessagePack"))
}

fn write(out: &mut Vec<u8>, value: &Value, ty: &Type, at: &Here<'_>) -> Result<(), WireError> {
    match (value, ty) {
        (Value::Null, _) => infallible(w::write_nil(out)),
        (Value::Unknown(None), _) => out.extend([0xd4, 0, 0]),
        (Value::Unknown(Some(refinements)), _) => write_unknown(out, refinements, at)?,
        (Value::Bool(value), Type::Bool) => infallible(w::write_bool(out, *value)),
        (Value::Number(number), Type::Number) => write_number(out, number),
        (Value::String(text), Type::String) => write_text(out, &nfc(text), at)?,
        (Value::Dynamic(inner), Type::Dynamic) => {
            let (ty, value) = &**inner;
            let json = ty.to_json_bytes();
            infallible(w::write_array_len(out, 2));
            infallible(w::write_bin_len(out, length(json.len(), at)?));
            out.extend(json);
            write(out, value, ty, at)?;
        }
        (other, Type::Dynamic) => write(out, &other.clone().into_dynamic(), ty, at)?,
        (Value::List(all), Type::List(of)) => {
            infallible(w::write_array_len(out, length(all.len(), at)?));
            all.iter()
                .enumerate()
                .try_for_each(|(i, v)| write(out, v, of, &at.index(i)))?;
        }
        (Value::Set(all), Type::Set(of)) => {
            infallible(w::write_array_len(out, length(all.len(), at)?));
            all.iter().try_for_each(|v| write(out, v, of, &at.element()))?;
        }
        (Value::Tuple(all), Type::Tuple(of)) if all.len() == of.len() => {
            infallible(w::write_array_len(out, length(all.len(), at)?));
            all.iter()
                .zip(of)
                .enumerate()
                .try_for_each(|(i, (v, ty))| write(out, v, ty, &at.index(i)))?;
        }
        (Value::Map(all), Type::Map(of)) => {
            infallible(w::write_map_len(out, length(all.len(), at)?));
            for (key, value) in all {
                write_text(out, &nfc(key), at)?;
                write(out, value, of, &at.key(key))?;
            }
        }
        (Value::Object(all), Type::Object(of)) => {
            if let Some(foreign) = all.keys().find(|name| !of.contains_key(*name)) {
                return Err(WireError::new(&at.attribute(foreign), "not in the schema"));
            }
            infallible(w::write_map_len(out, length(of.len(), at)?));
            for (name, ty) in of {
                write_text(out, name, at)?;
                write(
                    out,
                    all.get(name).unwrap_or(&Value::Null),
                    ty,
                    &at.attribute(name),
                )?;
            }
        }
        _ => return Err(WireError::new(at, format!("{ty} expected, got {}", value.kind()))),
    }
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str, at: &Here<'_>) -> Result<(), WireError> {
    length(text.len(), at)?;
    infallible(w::write_str(out, text));
    Ok(())
}

/// As core writes numbers: an integer where it fits, a float where it is exact and no integer, text otherwise.
fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(integer) = number.as_i64() {
        infallible(w::write_sint(out, integer));
        return;
    }
    let float = if number.is_integer() {
        None
    } else {
        number.as_exact_f64()
    };
    match float {
        Some(float) => infallible(w::write_f64(out, float)),
        None if number.is_infinite() => infallible(w::write_f64(out, number.to_f64())),
        None => infallible(w::write_str(out, &number.to_string())),
    }
}

fn write_unknown(out: &mut Vec<u8>, refinements: &Refinements, at: &Here<'_>) -> Result<(), WireError> {
    let mut entries: Vec<(u8, Vec<u8>)> = Vec::new();
    if refinements.not_null {
        entries.push((1, vec![0xc2]));
    }
    if let Some(prefix) = &refinements.prefix {
        let mut end = prefix.len().min(LONGEST_PREFIX);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = Vec::new();
        write_text(&mut bytes, &prefix[..end], at)?;
        entries.push((2, bytes));
    }
    for (key, bound) in [(3, &refinements.lower), (4, &refinements.upper)] {
        if let Some((number, inclusive)) = bound {
            let mut bytes = vec![0x92];
            write_number(&mut bytes, number);
            infallible(w::write_bool(&mut bytes, *inclusive));
            entries.push((key, bytes));
        }
    }
    for (key, bound) in [(5, refinements.min_length), (6, refinements.max_length)] {
        if let Some(bound) = bound {
            let mut bytes = Vec::new();
            infallible(w::write_uint(&mut bytes, bound));
            entries.push((key, bytes));
        }
    }
    let mut body = Vec::new();
    infallible(w::write_map_len(&mut body, length(entries.len(), at)?));
    for (key, bytes) in entries {
        body.push(key);
        body.extend(bytes);
    }
    if body.len() > LONGEST_REFINEMENTS {
        out.extend([0xd4, 0, 0]);
        return Ok(());
    }
    infallible(w::write_ext_meta(out, length(body.len(), at)?, REFINED));
    out.extend(body);
    Ok(())
}
