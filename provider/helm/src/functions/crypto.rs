//! Hashes, ciphers, passwords and random material.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

use super::{Context, Failure, Function, Outcome, Type, function, int, text};
use crate::value::Value;
use Type::{Int, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sha1sum", &[Str], |_, a| {
        Ok(Value::str(hex(&sha1::Sha1::digest(bytes(&a[0])))))
    }),
    function("sha256sum", &[Str], |_, a| {
        Ok(Value::str(hex(&sha2::Sha256::digest(bytes(&a[0])))))
    }),
    function("sha512sum", &[Str], |_, a| {
        Ok(Value::str(hex(&sha2::Sha512::digest(bytes(&a[0])))))
    }),
    function("adler32sum", &[Str], |_, a| {
        let (mut low, mut high) = (1u32, 0u32);
        for byte in bytes(&a[0]) {
            low = (low + u32::from(*byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        Ok(Value::str((high << 16 | low).to_string()))
    }),
    function("randAlphaNum", &[Int], |cx, a| {
        random_text(cx, "randAlphaNum", &a[0], ALPHANUMERIC)
    }),
    function("randAlpha", &[Int], |cx, a| {
        random_text(cx, "randAlpha", &a[0], &ALPHANUMERIC[10..])
    }),
    function("randNumeric", &[Int], |cx, a| {
        random_text(cx, "randNumeric", &a[0], &ALPHANUMERIC[..10])
    }),
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
        Ok(Value::str(format!(
            "{}-{}-{}-{}-{}",
            &h[..8],
            &h[8..12],
            &h[12..16],
            &h[16..20],
            &h[20..]
        )))
    }),
    function("shuffle", &[Str], |cx, a| {
        let mut chars: Vec<char> = text(&a[0]).chars().collect();
        for index in (1..chars.len()).rev() {
            let other = usize::try_from(cx.below("shuffle", index as u64 + 1)).unwrap_or(0);
            chars.swap(index, other);
        }
        Ok(Value::str(chars.into_iter().collect::<String>()))
    }),
    function("bcrypt", &[Str], |cx, a| {
        let salt = cx.random("bcrypt", 16);
        Ok(Value::str(bcrypt_hash(bytes(&a[0]), salt)?))
    }),
    function("htpasswd", &[Str, Str], |cx, a| {
        let user = text(&a[0]);
        if user.contains(':') {
            return Ok(Value::str(format!("invalid username: {user}")));
        }
        let salt = cx.random("htpasswd", 16);
        Ok(Value::str(format!("{user}:{}", bcrypt_hash(bytes(&a[1]), salt)?)))
    }),
    function("encryptAES", &[Str, Str], encrypt),
    function("decryptAES", &[Str, Str], decrypt),
    function(
        "derivePassword",
        &[Type::Uint32, Str, Str, Str, Str],
        derive_password,
    ),
];

fn bcrypt_hash(password: &[u8], salt: Vec<u8>) -> Result<String, Failure> {
    const COST: u32 = 10;
    let salt = <[u8; 16]>::try_from(salt).map_err(|_| Failure::new("a salt of 16 bytes is needed"))?;
    if password.len() > 72 {
        return Err("bcrypt: password length exceeds 72 bytes".into());
    }
    let parts = bcrypt::hash_with_salt(password, COST, salt).map_err(|e| Failure::new(e.to_string()))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

/// The password as a key of 32 bytes: cut, or filled with zeros.
fn aes_key(password: &[u8]) -> Result<aws_lc_rs::cipher::UnboundCipherKey, Failure> {
    let mut key = [0u8; 32];
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    aws_lc_rs::cipher::UnboundCipherKey::new(&aws_lc_rs::cipher::AES_256, &key)
        .map_err(|_| Failure::new("the key is not accepted"))
}

fn encrypt(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
    let refused = |_| Failure::new("encryption failed");
    let vector =
        <[u8; 16]>::try_from(cx.random("encryptAES", 16)).map_err(|_| Failure::new("16 bytes are needed"))?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(aes_key(bytes(&a[0]))?).map_err(refused)?;
    let mut content = bytes(&a[1]).to_vec();
    key.less_safe_encrypt(&mut content, EncryptionContext::Iv128((&vector).into()))
        .map_err(refused)?;
    let mut out = vector.to_vec();
    out.append(&mut content);
    Ok(Value::str(STANDARD.encode(out)))
}

fn decrypt(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    use aws_lc_rs::cipher::{DecryptionContext, PaddedBlockDecryptingKey};
    let raw = STANDARD
        .decode(bytes(&a[1]))
        .map_err(|_| Failure::new("illegal base64 data at input byte 0"))?;
    let Some((vector, content)) = raw.split_first_chunk::<16>() else {
        return Err("the text is too short".into());
    };
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(aes_key(bytes(&a[0]))?)
        .map_err(|_| Failure::new("decryption failed"))?;
    let mut content = content.to_vec();
    let plain = key
        .decrypt(&mut content, DecryptionContext::Iv128(vector.into()))
        .map_err(|_| Failure::new("decryption failed"))?;
    Ok(Value::text(plain.to_vec()))
}

/// Templates and letters of the Master Password algorithm, by kind of password.
const PASSWORD_KINDS: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn password_letters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive_password(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    const SCOPE: &[u8] = b"com.lyndir.masterpassword";
    let (kind, password, user, site) = (text(&a[1]), bytes(&a[2]), bytes(&a[3]), bytes(&a[4]));
    let Some((_, templates)) = PASSWORD_KINDS.iter().find(|(name, _)| *name == kind) else {
        return Ok(Value::str(format!("cannot find password template {kind}")));
    };
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SCOPE, &size(user), user].concat();
    let mut key = [0u8; 64];
    let cost = scrypt::Params::new(15, 8, 2, 64).map_err(|e| Failure::new(e.to_string()))?;
    scrypt::scrypt(password, &salt, &cost, &mut key).map_err(|e| Failure::new(e.to_string()))?;
    let counter = u32::try_from(int(&a[0])).unwrap_or(0).to_be_bytes();
    let message = [SCOPE, &size(site), site, &counter].concat();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let seed = aws_lc_rs::hmac::sign(&key, &message);
    let seed = seed.as_ref();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let out: String = template
        .bytes()
        .zip(&seed[1..])
        .map(|(class, n)| {
            let letters = password_letters(class);
            letters[usize::from(*n) % letters.len()] as char
        })
        .collect();
    Ok(Value::str(out))
}

const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn bytes(value: &Value) -> &[u8] {
    value.string_bytes().unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
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
