//! Hashes, ciphers, passwords and random material.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

use super::{Context, Failure, Function, Outcome, Type, function, int, text};
use crate::value::Value;
use Type::{Int, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sha1sum", &[Str], |_, a| Ok(Value::str(hex(&sha1::Sha1::digest(bytes(&a[0])))))),
    function("sha256sum", &[Str], |_, a| Ok(Value::str(hex(&sha2::Sha256::digest(bytes(&a[0])))))),
    function("sha512sum", &[Str], |_, a| Ok(Value::str(hex(&sha2::Sha512::digest(bytes(&a[0])))))),
    function("adler32sum", &[Str], |_, a| {
        let (mut low, mut high) = (1u32, 0u32);
        for byte in bytes(&a[0]) {
            low = (low + u32::from(*byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        Ok(Value::str((high << 16 | low).to_string()))
    }),
    function("randAlphaNum", &[Int], |cx, a| random_text(cx, "randAlphaNum", &a[0], ALPHANUMERIC)),
    function("randAlpha", &[Int], |cx, a| random_text(cx, "randAlpha", &a[0], &ALPHANUMERIC[10..])),
    function("randNumeric", &[Int], |cx, a| random_text(cx, "randNumeric", &a[0], &ALPHANUMERIC[..10])),
    function("randAscii", &[Int], |cx, a| {
        let printable: Vec<u8> = (32..127).collect();
        random_text(cx, "randAscii", &a[0], &printable)
    }),
    function("randBytes", &[Int], |cx, a| {
        let count = length(cx, &a[0])?;
        Ok(Value::str(STANDARD.encode(cx.random("randBytes", count))))
    }),
    function("uuidv4", &[], |cx, _| {
        let mut b = cx.random("uuidv4", 16);
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let h = hex(&b);
        Ok(Value::str(format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])))
    }),
    function("shuffle", &[Str], |cx, a| {
        let mut chars: Vec<char> = text(&a[0]).chars().collect();
        for index in (1..chars.len()).rev() {
            let other = usize::try_from(cx.below("shuffle", index as u64 + 1)).unwrap_or(0);
            chars.swap(index, other);
        }
        Ok(Value::str(chars.into_iter().collect::<String>()))
    }),
];

const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn bytes(value: &Value) -> &[u8] {
    value.string_bytes().unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn length(cx: &Context<'_>, value: &Value) -> Result<usize, Failure> {
    let count = usize::try_from(int(value)).unwrap_or(0);
    cx.room(count)?;
    Ok(count)
}

fn random_text(cx: &mut Context<'_>, name: &'static str, count: &Value, letters: &[u8]) -> Outcome {
    let count = length(cx, count)?;
    let bytes = cx.random(name, count.saturating_mul(4));
    let out: Vec<u8> = bytes
        .chunks_exact(4)
        .map(|c| {
            let n = c.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
            letters[n % letters.len()]
        })
        .collect();
    Ok(Value::text(out))
}
