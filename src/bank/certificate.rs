//! Our own certificates towards banks: the QWAC that a connection shows, the QSeal that requests are signed with (Regulation (EU) 2018/389,
//! Art. 34). One PEM file each, the certificate first (with its chain behind it), and its key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use x509_cert::Certificate as Parsed;
use x509_cert::der::Decode as _;

use crate::clock::{Timestamp, later};
use crate::ids::hex;

/// How long before a certificate ends an operator is told: a new one takes weeks to get.
const NOTICE: Duration = Duration::from_hours(30 * 24);

/// A certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    /// What it is for, in a word, for sentences.
    what: &'static str,
    der: Vec<u8>,
    serial: String,
    issuer: String,
    ends_at: Timestamp,
    key: Arc<dyn SigningKey>,
}

impl std::fmt::Debug for Certificate {
    /// Not the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificate").field("what", &self.what).field("ends_at", &self.ends_at).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a PEM file.
    pub fn read(what: &'static str, path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(path).with_context(|| format!("the {what} certificate {} cannot be read", path.display()))?;
        Self::from_pem(what, &pem).with_context(|| format!("{} has no usable certificate with its key", path.display()))
    }

    fn from_pem(what: &'static str, pem: &[u8]) -> anyhow::Result<Self> {
        let leaf = CertificateDer::pem_slice_iter(pem).next().context("there is no certificate in it")??;
        let key = PrivateKeyDer::from_pem_slice(pem).context("there is no private key in it")?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).context("the key is of a kind that cannot sign")?;
        let parsed = Parsed::from_der(&leaf).map_err(|error| anyhow::anyhow!("the certificate cannot be read: {error}"))?;
        let body = parsed.tbs_certificate();
        let ends = i64::try_from(body.validity().not_after.to_unix_duration().as_secs())?;
        let serial = hex(body.serial_number().as_bytes());
        ensure!(!serial.is_empty(), "the certificate has no serial number");
        Ok(Certificate {
            what,
            serial: serial.trim_start_matches('0').to_uppercase(),
            issuer: body.issuer().to_string(),
            ends_at: Timestamp::from_second(ends)?,
            der: leaf.to_vec(),
            key,
        })
    }

    /// One sentence if it ends soon or has ended.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let day = self.ends_at.strftime("%Y-%m-%d");
        if self.ends_at <= now {
            Some(format!("the {} certificate ended on {day}; the bank refuses it", self.what))
        } else if self.ends_at <= later(now, NOTICE) {
            Some(format!("the {} certificate ends on {day}", self.what))
        } else {
            None
        }
    }

    /// The certificate itself.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its serial number, in capital hexadecimal digits.
    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// Its issuer (RFC 4514).
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its key.
    pub(super) fn key(&self) -> &dyn SigningKey {
        &*self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: &[u8] = include_bytes!("../../tests/it/data/certificates/seal.pem");

    #[test]
    fn a_certificate_that_ends_soon_is_warned_about() {
        let seal = Certificate::from_pem("sealing", SEAL).unwrap();
        let at = |text: &str| seal.warning(text.parse().unwrap());
        let end = seal.ends_at;
        assert_eq!(at("2026-11-20T10:00:00Z"), None);
        let soon = seal.warning(crate::clock::earlier(end, Duration::from_hours(24))).unwrap();
        assert!(soon.contains("ends on"), "{soon}");
        assert!(seal.warning(end).unwrap().contains("ended"));
        assert!(seal.issuer().contains("Obole test"), "{}", seal.issuer());
    }

    #[test]
    fn a_file_without_a_key_or_a_certificate_is_no_identity() {
        for broken in [&b""[..], b"nonsense", &SEAL[..200], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Certificate::from_pem("sealing", broken).is_err());
        }
    }
}
