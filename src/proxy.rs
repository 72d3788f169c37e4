//! The proxy of a request, as curl reads the environment

use hallpass_protocol::place::is_loopback;
use ureq::{Proxy, ProxyProtocol};

use crate::paths::set;

/// A proxy, and what it is called: without the name and the password that may stand in its address.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) proxy: Proxy,
    pub(crate) words: String,
}

/// By scheme; `NO_PROXY` names hosts and their subdomains, and this machine never goes through one. What cannot be used
/// is an error: whoever named it does not want the request to go past it.
pub(crate) fn of(url: &str) -> Result<Option<Way>, String> {
    let Some((variable, named)) = named(url) else { return Ok(None) };
    let usable = |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    match Proxy::new(&named).ok().filter(usable) {
        Some(proxy) => {
            let words = format!("the proxy {}:{} ({variable})", proxy.host(), proxy.port());
            Ok(Some(Way { proxy, words }))
        }
        None => Err(format!("{variable} names no proxy that can be used, which is `http://HOST:PORT` or https")),
    }
}

/// The variable, and what it says.
fn named(url: &str) -> Option<(&'static str, String)> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| Some((*name, set(name)?))).map(|(name, value)| (name, value.trim().to_owned()))
    };
    let none = first(&["no_proxy", "NO_PROXY"]).map(|(_, value)| value).unwrap_or_default();
    let spared =
        none.split(',').map(|entry| entry.trim().trim_start_matches("*.").trim_start_matches('.')).any(|entry| {
            entry == "*"
                || entry == host
                || (!entry.is_empty() && host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')))
        });
    if url.scheme() != "https" || is_loopback(host) || spared {
        return None;
    }
    first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
}
