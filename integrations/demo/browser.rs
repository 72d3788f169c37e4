//! Whether a real browser is here, and the small one that stands in for it: it presses Allow.

use std::time::Duration;

use anyhow::{Context, Result};
use ureq::Agent;

use crate::scene::find;

/// The argument that makes this program a browser.
pub(crate) const ROLE: &str = "__browser";
/// The argument that makes it as much of a `curl` as the tour needs.
pub(crate) const CURL: &str = "__curl";

/// Whether hallpass would find a browser to open: `$BROWSER`, or the system's way to open a page.
pub(crate) fn is_here() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("BROWSER") {
        return true;
    }
    if cfg!(any(windows, target_os = "macos")) {
        return !set("SSH_CONNECTION"); // it would open on a screen that nobody here sees
    }
    let launcher = ["xdg-open", "gio", "x-www-browser"].into_iter().any(|name| find(name).is_some());
    find("wslview").is_some() || (launcher && (set("DISPLAY") || set("WAYLAND_DISPLAY")))
}

/// This program as scripts and `$BROWSER` name it: its folder, which may have a space in it, is on their PATH.
pub(crate) fn program() -> Result<String> {
    let us = std::env::current_exe()?;
    let name = us.file_stem().and_then(|name| name.to_str()).context("this program has no name")?;
    Ok(name.to_owned())
}

/// The value of `$BROWSER` that makes hallpass open the small browser.
pub(crate) fn as_variable() -> Result<String> {
    Ok(format!("{} {ROLE}", program()?))
}

/// What a person does: looks at the page, presses the button, and is led back to where hallpass waits.
pub(crate) fn press_allow(url: &str) -> Result<()> {
    let page = agent().get(url).call()?.body_mut().read_to_string()?;
    let ticket = page.split_once("name=ticket value=").and_then(|(_, rest)| rest.split_once('>'));
    let (ticket, _) = ticket.context("the page has no button")?;
    let action = url::Url::parse(url)?.join("/allow")?;
    agent().post(action.as_str()).send_form([("ticket", ticket)])?;
    Ok(())
}

/// The page behind a URL, asked for with one header line.
pub(crate) fn fetch(header: &str, url: &str) -> Result<String> {
    let (name, value) = header.split_once(": ").context("a header line is NAME: VALUE")?;
    Ok(agent().get(url).header(name, value).call()?.body_mut().read_to_string()?)
}

fn agent() -> Agent {
    Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).proxy(None).build().into()
}
