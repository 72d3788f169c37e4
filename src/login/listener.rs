//! Waits on 127.0.0.1 for the browser to bring the authorization response
//!
//! One thread polls sockets that never block. Half-open connections, endless request lines, favicons, other sites'
//! requests and wrong states are answered or dropped and do not end the wait; only a request with the right path,
//! Host and state does.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use zeroize::Zeroizing;

use super::pages::Page;
use super::response::{Response, body_length, judge};
use crate::account::Client;
use crate::failure::{fail, fail_hint};
use crate::watch::Watch;

/// The most bytes of a request head.
const MAX_HEAD: usize = 8 << 10;
/// How long a client may take to send one.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// The most clients at once; beyond that the oldest goes.
const MAX_CLIENTS: usize = 256;
/// The most connections taken before the others are looked at again.
const MAX_ACCEPTS: usize = 64;

/// A bound loopback redirect URI.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    clients: Vec<Waiting>,
    /// `127.0.0.1:49152`: what a request's Host must say.
    host: String,
    path: String,
    /// With its question mark; it stays a part of the URI (RFC 6749 3.1.2).
    query: String,
}

#[derive(Debug)]
struct Waiting {
    stream: TcpStream,
    /// Head, and body where there is one.
    request: Zeroizing<Vec<u8>>,
    until: Instant,
}

/// The answer the browser brought, and the browser, which still waits for a page.
#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) answer: Response,
    stream: TcpStream,
}

/// What has to be registered for an account's client.
pub(super) fn redirect_uris(client: &Client) -> Vec<String> {
    let configured = client.redirect_uri.as_deref().unwrap_or(ANY_PORT);
    let Some(url) = url::Url::parse(configured).ok().filter(|url| url.has_host()) else {
        return vec![configured.to_owned()]; // the server shows the code itself
    };
    let with = |port: &u16| {
        let mut url = url.clone();
        url.set_port(Some(*port)).is_ok().then(|| url.to_string())
    };
    match client.redirect_ports.as_slice() {
        [] => vec![configured.to_owned()],
        ports => ports.iter().filter_map(with).collect(),
    }
}

/// RFC 8252 7.3: the server takes any port of this address.
pub(super) const ANY_PORT: &str = "http://127.0.0.1/callback";

/// Where the browser is to come back to, and the ports that may be tried there; 0 is any.
pub(crate) fn wanted(client: &Client, port: Option<u16>) -> Result<(url::Url, Vec<u16>), url::ParseError> {
    let url = url::Url::parse(client.redirect_uri.as_deref().unwrap_or(ANY_PORT))?;
    let ports = match (port, url.port(), client.redirect_ports.as_slice()) {
        (Some(port), _, _) | (None, Some(port), []) => vec![port],
        (None, _, []) => vec![0],
        (None, _, ports) => ports.to_vec(),
    };
    Ok((url, ports))
}

/// That none of them is free.
pub(crate) fn taken(ports: &[u16]) -> String {
    let list: Vec<_> = ports.iter().map(ToString::to_string).collect();
    format!("{} {} taken", list.join(", "), if list.len() == 1 { "is" } else { "are" })
}

impl Listener {
    /// Binds the account's redirect URI: any free port, or the first free one of those it names.
    pub(crate) fn bind(account: &str, client: &Client, port: Option<u16>) -> Result<Self> {
        let (url, ports) = wanted(client, port)
            .map_err(|_| fail(Exit::Config, format!("account `{account}`: `redirect_uri` is not a URL")))?;
        Self::on(&url, &ports).ok_or_else(|| {
            fail_hint(
                Exit::Denied,
                format!("account `{account}`: no callback port available: {}", taken(&ports)),
                format!("end the program that uses it, or `hallpass login {account} --paste`"),
            )
        })
    }

    /// Binds this URI on the first of these ports that is free.
    pub(crate) fn on(url: &url::Url, ports: &[u16]) -> Option<Self> {
        let name = url.host_str().unwrap_or("127.0.0.1");
        let sockets = ports.iter().find_map(|port| bind(name, *port).ok())?;
        let port = sockets[0].local_addr().ok()?.port();
        let query = url.query().map_or(String::new(), |query| format!("?{query}"));
        Some(Self { sockets, clients: Vec::new(), host: format!("{name}:{port}"), path: url.path().to_owned(), query })
    }

    /// The port it waits on.
    pub(crate) fn port(&self) -> &str {
        self.host.rsplit(':').next().unwrap_or_default()
    }

    /// The redirect URI for the authorization request.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://{}{}{}", self.host, self.path, self.query)
    }

    /// Waits for the response with this state. `tick` runs at least once a second and may end the wait.
    pub(crate) fn wait(
        &mut self,
        state: &Secret,
        until: Instant,
        mut tick: impl FnMut() -> Result<()>,
    ) -> Result<Option<Callback>> {
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(None);
            }
            tick()?;
            let mut watch = Watch::default();
            self.watch(&mut watch);
            watch.wait(until.saturating_duration_since(now).min(Duration::from_secs(1)));
            if let Some(callback) = self.look(state) {
                return Ok(Some(callback));
            }
        }
    }

    pub(crate) fn watch<'a>(&'a self, watch: &mut Watch<'a>) {
        self.sockets.iter().for_each(|socket| watch.add(socket));
        self.clients.iter().for_each(|client| watch.add(&client.stream));
    }

    /// Serves whoever is there. Never waits.
    pub(crate) fn look(&mut self, state: &Secret) -> Option<Callback> {
        self.accept();
        self.serve(state)
    }

    fn accept(&mut self) {
        let now = Instant::now();
        self.clients.retain(|client| client.until > now);
        for socket in &self.sockets {
            for _ in 0..MAX_ACCEPTS {
                let Ok((stream, _)) = socket.accept() else { break };
                if stream.set_nonblocking(true).is_err() {
                    continue;
                }
                if self.clients.len() >= MAX_CLIENTS {
                    self.clients.remove(0);
                }
                self.clients.push(Waiting { stream, request: Zeroizing::default(), until: now + HEAD_TIME });
            }
        }
    }

    fn serve(&mut self, state: &Secret) -> Option<Callback> {
        let mut rest = Vec::with_capacity(self.clients.len());
        let mut callback = None;
        for mut client in std::mem::take(&mut self.clients) {
            match client.read() {
                Head::Partial => rest.push(client),
                Head::Gone => {}
                Head::TooLarge => answer(&mut client.stream, Page::Nothing, "431 Request Header Fields Too Large"),
                Head::TooLong => answer(&mut client.stream, Page::Nothing, "413 Content Too Large"),
                Head::Whole(length) => match client.judge(length, &self.host, &self.path, state) {
                    Ok(response) if callback.is_none() => {
                        callback = Some(Callback { answer: response, stream: client.stream })
                    }
                    Ok(_) => answer(&mut client.stream, Page::NotThis, "400 Bad Request"),
                    Err((page, status)) => answer(&mut client.stream, page, status),
                },
            }
        }
        self.clients = rest;
        callback
    }
}

impl Callback {
    /// Shows the last page: only once the session is saved does it say so.
    pub(crate) fn finish(mut self, page: Page) {
        let is_good = matches!(page, Page::Done | Page::Linked);
        answer(&mut self.stream, page, if is_good { "200 OK" } else { "400 Bad Request" });
    }
}

type Judged = std::result::Result<Response, (Page, &'static str)>;

enum Head {
    Partial,
    /// And how long it is; the rest is the body.
    Whole(usize),
    TooLarge,
    /// Its body, that is.
    TooLong,
    Gone,
}

impl Waiting {
    fn read(&mut self) -> Head {
        let mut chunk = Zeroizing::new([0; 4096]);
        loop {
            match self.stream.read(&mut *chunk) {
                Ok(0) => return Head::Gone,
                Ok(count) => self.request.extend_from_slice(&chunk[..count]),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Head::Partial,
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Head::Gone,
            }
            match self.request.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4) {
                Some(end) => match body_length(&self.request[..end]) {
                    None => return Head::TooLong,
                    Some(length) if self.request.len() >= end + length => return Head::Whole(end),
                    Some(_) => {}
                },
                None if self.request.len() > MAX_HEAD => return Head::TooLarge,
                None => {}
            }
        }
    }

    fn judge(&self, end: usize, host: &str, path: &str, state: &Secret) -> Judged {
        let (head, body) = self.request.split_at(end);
        judge(head, body, host, path, state)
    }
}

/// `localhost` may be either family for the browser: both are listened on, if both are there.
fn bind(name: &str, port: u16) -> std::io::Result<Vec<TcpListener>> {
    let v4 = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let v6 = |port| TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let both = || {
        let first = match v4(port) {
            Err(why) if why.kind() == ErrorKind::AddrNotAvailable => return v6(port).map(|only| vec![only]),
            first => first?,
        };
        match v6(first.local_addr()?.port()) {
            Ok(second) => Ok(vec![first, second]),
            // Taken by somebody else: the browser might go there with our code.
            Err(why) if why.kind() == ErrorKind::AddrInUse => Err(why),
            Err(_) => Ok(vec![first]),
        }
    };
    let sockets = match name {
        "[::1]" => vec![v6(port)?],
        // Any port will do: one that is free on one side only is not the last.
        "localhost" if port == 0 => (0..8).find_map(|_| both().ok()).map_or_else(both, Ok)?,
        "localhost" => both()?,
        _ => vec![v4(port)?],
    };
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    Ok(sockets)
}

/// In one call: a page in pieces would be cut by a client that closes early. A client that does not take it is gone.
fn answer(stream: &mut TcpStream, page: Page, status: &str) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
    let _ = stream.write_all(page.response(status).as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
}
