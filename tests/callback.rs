//! The browser's side of a sign-in, played by the test: URLs, callbacks, noise.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::forms::{field, query};
use crate::runs::until;
use crate::world::World;

/// A page as the browser got it.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Page {
    /// The headers every page of the listener carries, and no trace of the request.
    #[track_caller]
    pub fn is_sealed(&self) {
        let head = self.head.to_ascii_lowercase();
        for want in ["default-src 'none'", "nosniff", "no-referrer", "no-store"] {
            assert!(head.contains(want), "no {want} in {self:?}");
        }
        let script = "<script>history.replaceState(null,'','/')</script>"; // our own, and no other
        assert_eq!((self.body.matches("<script").count(), self.body.matches(script).count()), (1, 1), "{self:?}");
    }
}

/// The URL the browser was sent to, as soon as there is one.
#[track_caller]
pub fn opened(world: &World) -> String {
    until("a browser", || world.opened().last().cloned())
}

/// `127.0.0.1:PORT` of the listener that waits for this sign-in.
pub fn listener(authorize_url: &str) -> String {
    let redirect = redirect_uri(authorize_url);
    redirect.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap().to_owned()
}

pub fn redirect_uri(authorize_url: &str) -> String {
    field(&query(authorize_url), "redirect_uri").unwrap().to_owned()
}

/// Lets the server approve and returns where it sends the browser, without going there.
pub fn approve(authorize_url: &str) -> String {
    let agent = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build().new_agent();
    let answer = agent.get(authorize_url).call().unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Sends exactly these bytes and reads until the listener hangs up.
pub fn raw(address: &str, bytes: &[u8]) -> Page {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Page { status, head: head.into(), body: body.into() }
}

/// A request for the target of `url` with this method and Host.
pub fn request(url: &str, method: &str, host: Option<&str>) -> Page {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, target) = rest.split_once('/').unwrap();
    let host = host.unwrap_or(address);
    raw(address, format!("{method} /{target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").as_bytes())
}

pub fn get(url: &str) -> Page {
    request(url, "GET", None)
}
