//! Mutual TLS as go-plugin hosts do it.
//!
//! The host sends its certificate in `PLUGIN_CLIENT_CERT` and trusts exactly ours, which it reads from the handshake
//! line. Its certificate is a self-signed P-521 *authority* used as end entity, which webpki's path building refuses
//! ("CaUsedAsEndEntity"), and which `ring` cannot check at all: hence aws-lc-rs, and a verifier of our own. As there is
//! exactly one right certificate, comparing bytes is also stricter than building a path.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName as Subject, ServerConfig, SignatureScheme,
};
use std::sync::Arc;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM form")]
    NoClientCertificate,
    #[error("making the server's certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A server set up to speak to one client.
pub(crate) struct Server {
    pub config: Arc<ServerConfig>,
    /// Our certificate, for the handshake line.
    pub certificate: CertificateDer<'static>,
}

/// Sets TLS up for the client whose certificate the host announced (PEM). Draws a fresh key: nothing is kept.
pub(crate) fn server(client: &str) -> Result<Server, Error> {
    let client: Vec<_> = CertificateDer::pem_slice_iter(client.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    if client.is_empty() {
        return Err(Error::NoClientCertificate);
    }
    let (certificate, key) = certificate()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(ExactClient {
        allowed: client,
        provider: provider.clone(),
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not be verified again, and hosts connect once.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Server {
        config: Arc::new(config),
        certificate,
    })
}

/// A self-signed P-256 certificate for `localhost`, the name by which hosts verify us.
fn certificate() -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.into(), PrivatePkcs8KeyDer::from(key.serialize_der())))
}

/// Accepts the certificates announced by the host, byte for byte, and nobody else.
#[derive(Debug)]
struct ExactClient {
    allowed: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for ExactClient {
    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn verify_client_cert(
        &self,
        presented: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if self
            .allowed
            .iter()
            .any(|allowed| allowed.as_ref() == presented.as_ref())
        {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_none_is_an_error_not_an_open_door() {
        for text in [
            "nonsense",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(matches!(server(text), Err(Error::NoClientCertificate)), "{text}");
        }
    }

    /// Pitfall 1: without P-521 among the schemes a Go client presents no certificate at all.
    #[test]
    fn the_hosts_p521_signatures_are_asked_for() {
        let verifier = ExactClient {
            allowed: vec![],
            provider: Arc::new(aws_lc_rs::default_provider()),
        };
        assert!(
            verifier
                .supported_verify_schemes()
                .contains(&SignatureScheme::ECDSA_NISTP521_SHA512)
        );
        assert!(verifier.client_auth_mandatory());
    }
}
