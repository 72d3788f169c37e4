//! The proxy of a request, as curl reads the environment

use hallpass_protocol::place::is_loopback;
use ureq::Proxy;

use crate::paths::set;

/// By scheme; `NO_PROXY` names hosts and their subdomains, and this machine never goes through one.
pub(crate) fn of(url: &str) -> Option<Proxy> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    let first = |names: &[&str]| names.iter().find_map(|name| set(name)).map(|value| value.trim().to_owned());
    let none = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    let spared =
        none.split(',').map(|entry| entry.trim().trim_start_matches("*.").trim_start_matches('.')).any(|entry| {
            entry == "*"
                || entry == host
                || (!entry.is_empty() && host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')))
        });
    if url.scheme() != "https" || is_loopback(host) || spared {
        return None;
    }
    Proxy::new(&first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?).ok()
}
