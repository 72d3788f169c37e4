//! Whom an account's servers are believed to be, and who we are to them: certificates of TLS

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::failure::{fail, fail_hint};

/// What the configuration says of certificates, all of it in PEM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Believed beside the operating system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Ours, for servers that ask who calls: the certificate with its chain, and its key.
    pub(crate) client_certificate_file: Option<PathBuf>,
    pub(crate) client_key_file: Option<PathBuf>,
}

impl Trust {
    /// The ways to try, one after the other: with the operating system's trust, then with `ca_file`'s.
    pub(crate) fn ways(&self) -> Result<Vec<TlsConfig>> {
        let ours = self.client_certificate()?;
        let mut roots = vec![RootCerts::PlatformVerifier];
        if let Some(file) = &self.ca_file {
            let known = certificates("ca_file", file)?;
            roots.push(RootCerts::from(ureqs(&known)));
        }
        Ok(roots
            .into_iter()
            .map(|roots| TlsConfig::builder().root_certs(roots).client_cert(ours.clone()).build())
            .collect())
    }

    fn client_certificate(&self) -> Result<Option<ClientCert>> {
        let (chain_file, key_file) = match (&self.client_certificate_file, &self.client_key_file) {
            (None, None) => return Ok(None),
            (Some(chain), key) => (chain, key.as_ref().unwrap_or(chain)), // often both stand in one file
            (None, Some(key)) => {
                let what = format!("`client_key_file` `{}` belongs to no certificate", key.display());
                return Err(fail_hint(Exit::Config, what, "name that in `client_certificate_file`"));
            }
        };
        let chain = certificates("client_certificate_file", chain_file)?;
        let text = read("client_key_file", key_file)?;
        let odd = |what: &str| fail(Exit::Config, format!("`client_key_file` `{}` {what}", key_file.display()));
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| odd("has no private key in PEM in it"))?;
        // ureq takes it for granted that they fit.
        CertifiedKey::from_der(chain.clone(), key, &default_provider())
            .map_err(|_| odd("is not the key of `client_certificate_file`"))?;
        let key = PrivateKey::from_pem(&text).map_err(|_| odd("has no private key in PEM in it"))?;
        Ok(Some(ClientCert::new_with_certs(&ureqs(&chain), key)))
    }
}

/// For `Arc`s of the TLS library, which knows two kinds of cryptography and must be told.
pub(crate) fn cryptography() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(default_provider())
}

fn ureqs(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

fn read(key: &str, file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|why| fail(Exit::Config, format!("`{key}` `{}` cannot be read: {why}", file.display())))
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(key, file)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text).flatten().collect();
    if found.is_empty() {
        let what = format!("`{key}` `{}` has no certificate in it", file.display());
        return Err(fail_hint(Exit::Config, what, "it must be PEM: -----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}
