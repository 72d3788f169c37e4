//! Why nothing came back, and whether the request can have arrived

use ureq::{Error, Timeout};

use crate::certificate::{self, Parties};

/// Nothing came back.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It never left: no name, no connection, no TLS.
    NotSent(String),
    /// It may have arrived, and what it asked for may have been done.
    Lost(String),
}

impl Unanswered {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Lost(why) => why,
        }
    }
}

/// What TLS itself has to say.
fn tls(why: &Error) -> Option<&rustls::Error> {
    match why {
        Error::Rustls(why) => Some(why),
        Error::Io(why) => why.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }
}

pub(super) fn is_distrust(why: &Error) -> bool {
    matches!(tls(why), Some(rustls::Error::InvalidCertificate(_)))
}

/// The server asked who we are, and was not content. It says so after our request was on its way, and has not read that.
fn wants_a_certificate(why: &Error) -> bool {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked, CertificateUnknown,
        DecryptError, UnknownCA, UnsupportedCertificate,
    };
    let refusals = [
        AccessDenied,
        BadCertificate,
        CertificateExpired,
        CertificateRequired,
        CertificateRevoked,
        CertificateUnknown,
        DecryptError,
        UnknownCA,
        UnsupportedCertificate,
    ];
    matches!(tls(why), Some(rustls::Error::AlertReceived(alert)) if refusals.contains(alert))
}

/// Whose the certificate is that is not believed, why, and what to do: behind a company's proxy it is the company's.
pub(super) fn distrusted(url: &str, why: &Error) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext, Other,
        UnknownIssuer,
    };
    const COMPANY: &str = "if it is your company's, name its certificate: `ca_file = \"...\"`, or SSL_CERT_FILE";
    let reason = match tls(why) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            Expired | ExpiredContext { .. } => "; by this machine's clock it has ended".to_owned(),
            NotValidYet | NotValidYetContext { .. } => "; by this machine's clock it has not begun".to_owned(),
            NotValidForName | NotValidForNameContext { .. } => "; that is another name".to_owned(),
            // The verifiers of some systems have words of their own for it.
            UnknownIssuer | Other(_) => format!(", which this machine does not know; {COMPANY}"),
            other => format!(" ({other})"),
        },
        _ => format!(" ({why})"),
    };
    match certificate::presented(url) {
        Some(Parties { subject, issuer }) => {
            format!("its certificate is not trusted: it is for `{subject}` and comes from `{issuer}`{reason}")
        }
        None => format!("its certificate is not trusted ({why}); {COMPANY}"),
    }
}

pub(super) fn unanswered(whom: &str, why: &Error) -> Unanswered {
    let words = format!("{whom}: {}", plain(why));
    let not_sent = match why {
        Error::Io(io) => {
            use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable};
            matches!(io.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | InvalidData)
        }
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::InvalidProxyUrl
        | Error::BadUri(_)
        | Error::Tls(_)
        | Error::Rustls(_) => true,
        _ => false,
    };
    if not_sent { Unanswered::NotSent(words) } else { Unanswered::Lost(words) }
}

/// ureq's words, where ours would not be clearer.
fn plain(why: &Error) -> String {
    match why {
        Error::HostNotFound => "its name is not known, or nobody is there to ask for it".into(),
        Error::Timeout(_) => "no answer in time".into(),
        Error::ConnectionFailed => "no connection".into(),
        Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
        Error::ConnectProxyFailed(why) if why.contains("407") => {
            "it wants to know who asks (407): `http://USER:PASSWORD@HOST:PORT`".into()
        }
        Error::ConnectProxyFailed(why) => format!("it does not lead there ({why})"),
        other if wants_a_certificate(other) => {
            "it asks for a certificate of ours, and does not take what it got: `client_certificate_file`".into()
        }
        other => other.to_string(),
    }
}
