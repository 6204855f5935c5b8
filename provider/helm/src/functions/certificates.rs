//! Keys and certificates. Their material comes from the process's own source of randomness: it cannot be repeated, and
//! what uses it is noted, so that a caller can keep what was generated once.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
};

use super::{Context, Failure, Function, Outcome, Type, function, int, text};
use crate::template::environment::Asked;
use crate::value::Value;
use crate::value::object::{Object, object};
use Type::{Certificate, Int, List, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("genPrivateKey", &[Str], |cx, a| {
        note(cx, "genPrivateKey");
        private_key(&text(&a[0]))
    }),
    function("buildCustomCert", &[Str, Str], build_custom),
    function("genCA", &[Str, Int], |cx, a| {
        note(cx, "genCA");
        ca(&a[0], &a[1], None)
    }),
    function("genCAWithKey", &[Str, Int, Str], |cx, a| {
        note(cx, "genCAWithKey");
        ca(&a[0], &a[1], Some(&a[2]))
    }),
    function("genSelfSignedCert", &[Str, List, List, Int], |cx, a| {
        note(cx, "genSelfSignedCert");
        self_signed(a, None)
    }),
    function(
        "genSelfSignedCertWithKey",
        &[Str, List, List, Int, Str],
        |cx, a| {
            note(cx, "genSelfSignedCertWithKey");
            self_signed(a, Some(&a[4]))
        },
    ),
    function("genSignedCert", &[Str, List, List, Int, Certificate], |cx, a| {
        note(cx, "genSignedCert");
        signed(a, &a[4], None)
    }),
    function(
        "genSignedCertWithKey",
        &[Str, List, List, Int, Certificate, Str],
        |cx, a| {
            note(cx, "genSignedCertWithKey");
            signed(a, &a[4], Some(&a[5]))
        },
    ),
];

fn note(cx: &mut Context<'_>, name: &'static str) {
    Asked::note(&mut cx.asked.borrow_mut().random, name);
}

fn fail(error: &rcgen::Error) -> Failure {
    Failure::new(error.to_string())
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|c| std::str::from_utf8(c).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// The key inside of a PKCS#8 envelope: the octet string that comes after version and algorithm.
fn inner_key(pkcs8: &[u8]) -> Option<&[u8]> {
    fn take(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        let (tag, rest) = (*der.first()?, der.get(1..)?);
        let first = usize::from(*rest.first()?);
        let (length, rest) = if first < 0x80 {
            (first, rest.get(1..)?)
        } else {
            let count = first & 0x7f;
            let bytes = rest.get(1..=count)?;
            (
                bytes.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)),
                rest.get(1 + count..)?,
            )
        };
        Some((tag, rest.get(..length)?, rest.get(length..)?))
    }
    let (_, body, _) = take(pkcs8)?;
    let (_, _, body) = take(body)?;
    let (_, _, body) = take(body)?;
    let (tag, key, _) = take(body)?;
    (tag == 4).then_some(key)
}

fn rsa_key(size: RsaKeySize) -> Result<KeyPair, Failure> {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).map_err(|e| fail(&e))
}

fn key_text(key: &KeyPair) -> String {
    let der = key.serialized_der();
    let inner = inner_key(der).unwrap_or(der);
    if key.algorithm() == &rcgen::PKCS_RSA_SHA256 {
        pem("RSA PRIVATE KEY", inner)
    } else if key.algorithm() == &rcgen::PKCS_ED25519 {
        pem("PRIVATE KEY", der)
    } else {
        pem("EC PRIVATE KEY", inner)
    }
}

fn private_key(kind: &str) -> Outcome {
    let key = match kind {
        "" | "rsa" => rsa_key(RsaKeySize::_4096)?,
        "ecdsa" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|e| fail(&e))?,
        "ed25519" => KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|e| fail(&e))?,
        "dsa" => return Err("DSA keys are not supported: nothing accepts them any more".into()),
        other => return Ok(Value::str(format!("Unknown type {other}"))),
    };
    Ok(Value::str(key_text(&key)))
}

fn build_custom(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let decode = |value: &Value, what: &str| {
        STANDARD
            .decode(text(value).as_bytes())
            .map_err(|_| Failure::new(format!("unable to decode base64 {what}")))
            .and_then(|b| String::from_utf8(b).map_err(|_| Failure::new(format!("unable to decode {what}"))))
    };
    let (cert, key) = (decode(&a[0], "certificate")?, decode(&a[1], "private key")?);
    if !cert.contains("-----BEGIN ") {
        return Err("unable to decode certificate".into());
    }
    if !key.contains("-----BEGIN ") {
        return Err("unable to decode private key".into());
    }
    Ok(object(Object::Certificate {
        cert: cert.into(),
        key: key.into(),
    }))
}

/// A key given as PEM, in any of the usual envelopes.
fn given_key(value: &Value) -> Result<KeyPair, Failure> {
    let source = text(value);
    KeyPair::from_pem(&source).map_err(|e| Failure::new(format!("parsing private key: {e}")))
}

fn parameters(name: &Value, days: &Value) -> Result<CertificateParams, Failure> {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).map_err(|e| fail(&e))?;
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, &*text(name));
    parameters.distinguished_name = distinguished;
    let now =
        crate::template::environment::Environment::now(&crate::template::environment::Process).unwrap_or(0);
    let seconds = i64::try_from(now / 1_000_000_000).unwrap_or(0);
    let start =
        ::time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(::time::OffsetDateTime::UNIX_EPOCH);
    parameters.not_before = start;
    parameters.not_after = start
        .checked_add(::time::Duration::days(int(days)))
        .unwrap_or(start);
    Ok(parameters)
}

fn with_names(parameters: &mut CertificateParams, ips: &Value, names: &Value) -> Result<(), Failure> {
    for ip in ips.items().unwrap_or_default().iter() {
        let Value::Str(ip) = ip else {
            return Err(Failure::new(format!(
                "error parsing ip: {} is not a string",
                crate::value::gofmt::text(ip)
            )));
        };
        let parsed: IpAddr = ip
            .parse()
            .map_err(|_| Failure::new(format!("error parsing ip: {ip}")))?;
        parameters.subject_alt_names.push(SanType::IpAddress(parsed));
    }
    for name in names.items().unwrap_or_default().iter() {
        let Value::Str(name) = name else {
            return Err(Failure::new(format!(
                "error processing alternate dns name: {} is not a string",
                crate::value::gofmt::text(name)
            )));
        };
        let name = name.to_string().try_into().map_err(|e: rcgen::Error| fail(&e))?;
        parameters.subject_alt_names.push(SanType::DnsName(name));
    }
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    parameters.is_ca = IsCa::ExplicitNoCa;
    Ok(())
}

fn certificate(cert: &rcgen::Certificate, key: &KeyPair) -> Value {
    let cert = pem("CERTIFICATE", cert.der());
    object(Object::Certificate {
        cert: cert.into(),
        key: key_text(key).into(),
    })
}

fn ca(name: &Value, days: &Value, key: Option<&Value>) -> Outcome {
    let key = key.map_or_else(|| rsa_key(RsaKeySize::_2048), given_key)?;
    let mut parameters = parameters(name, days)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let cert = parameters.self_signed(&key).map_err(|e| fail(&e))?;
    Ok(certificate(&cert, &key))
}

fn self_signed(a: &[Value], key: Option<&Value>) -> Outcome {
    let key = key.map_or_else(|| rsa_key(RsaKeySize::_2048), given_key)?;
    let mut parameters = parameters(&a[0], &a[3])?;
    with_names(&mut parameters, &a[1], &a[2])?;
    let cert = parameters.self_signed(&key).map_err(|e| fail(&e))?;
    Ok(certificate(&cert, &key))
}

fn signed(a: &[Value], issuer: &Value, key: Option<&Value>) -> Outcome {
    let Value::Object(issuer) = issuer else {
        return Err("a certificate is needed".into());
    };
    let Object::Certificate {
        cert,
        key: issuer_key,
    } = &**issuer
    else {
        return Err("a certificate is needed".into());
    };
    let issuer_key = given_key(&Value::Str(issuer_key.clone()))?;
    let issuer = Issuer::from_ca_cert_pem(cert, issuer_key).map_err(|e| fail(&e))?;
    let key = key.map_or_else(|| rsa_key(RsaKeySize::_2048), given_key)?;
    let mut parameters = parameters(&a[0], &a[3])?;
    with_names(&mut parameters, &a[1], &a[2])?;
    let cert = parameters.signed_by(&key, &issuer).map_err(|e| fail(&e))?;
    Ok(certificate(&cert, &key))
}
