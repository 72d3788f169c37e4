//! The demo's git host: HTTP in front of `git http-backend`, open only to tokens that are good.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::authorization_server::AuthorizationServer;
use crate::grants::Kind;
use crate::scene::Scene;

/// What is in the repository.
pub(crate) const README: &str = "hello\n";
const NAME: &str = "hello.git";
const WORKERS: usize = 4;

/// How requests came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Without a token: how git begins.
    pub(crate) bare: usize,
    pub(crate) basic: usize,
    pub(crate) bearer: usize,
    /// With a token that is not good here.
    pub(crate) wrong: usize,
}

pub(crate) struct GitHost {
    pub(crate) url: String,
    /// The head of the repository.
    pub(crate) commit: String,
    seen: Arc<Mutex<Seen>>,
}

/// What a worker needs.
struct Desk {
    backend: Command,
    root: PathBuf,
    server: Arc<AuthorizationServer>,
    seen: Arc<Mutex<Seen>>,
}

impl GitHost {
    /// None where git or its `http-backend` is missing.
    pub(crate) fn start(scene: &Scene, server: Arc<AuthorizationServer>) -> Result<Option<Self>> {
        let Ok(folder) = scene.tool("git", &["--exec-path"]).output() else { return Ok(None) };
        let folder = PathBuf::from(String::from_utf8_lossy(&folder.stdout).trim_end());
        let backend = folder.join(format!("git-http-backend{}", std::env::consts::EXE_SUFFIX));
        if !backend.is_file() {
            return Ok(None);
        }
        let root = scene.home().join("repositories");
        let commit = repository(scene, &root.join(NAME))?;
        let listener = Server::http("127.0.0.1:0").map_err(|why| anyhow::anyhow!("no port for a server: {why}"))?;
        let url = format!("http://{}", listener.server_addr().to_ip().context("a server without an address")?);
        let (listener, seen) = (Arc::new(listener), Arc::new(Mutex::new(Seen::default())));
        for _ in 0..WORKERS {
            let listener = listener.clone();
            let backend = scene.tool(&backend, &[]);
            let mut desk = Desk { backend, root: root.clone(), server: server.clone(), seen: seen.clone() };
            thread::spawn(move || {
                while let Ok(request) = listener.recv() {
                    desk.serve(request);
                }
            });
        }
        Ok(Some(Self { url, commit, seen }))
    }

    pub(crate) fn repository(&self) -> String {
        format!("{}/{NAME}", self.url)
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repository with one commit; which one.
fn repository(scene: &Scene, path: &Path) -> Result<String> {
    let limit = Duration::from_secs(30);
    let git = |folder: &Path, args: &[&str]| {
        let mut command = scene.tool("git", args);
        command.current_dir(folder);
        let done = scene.start("git", command)?.end(limit)?;
        ensure!(done.is_well(), "`git {}` failed: {}", args.join(" "), done.err);
        Ok(done.out.trim_end().to_owned())
    };
    std::fs::create_dir_all(path)?;
    git(path, &["init", "--quiet", "--bare"])?;
    let mut import = scene.tool("git", &["fast-import", "--quiet"]);
    let mut import = import.current_dir(path).stdin(Stdio::piped()).spawn()?;
    let commit = format!(
        "commit refs/heads/main\ncommitter Alice <alice@example.com> 1767225600 +0000\ndata 5\nhello\n\
         M 644 inline README\ndata {}\n{README}",
        README.len()
    );
    import.stdin.take().context("no way in")?.write_all(commit.as_bytes())?;
    ensure!(import.wait()?.success(), "`git fast-import` failed");
    git(path, &["symbolic-ref", "HEAD", "refs/heads/main"])?;
    git(path, &["rev-parse", "HEAD"])
}

/// The form and the token of an Authorization header.
fn presented(header: &str) -> (&'static str, String) {
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return ("bearer", value.to_owned());
    }
    let pair = STANDARD.decode(value).ok().and_then(|pair| String::from_utf8(pair).ok());
    let token = pair.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, token)| token.to_owned());
    ("basic", token.unwrap_or_default())
}

impl Desk {
    fn serve(&mut self, mut request: Request) {
        let header = find(&request, "Authorization").map(presented);
        let good = header.as_ref().is_some_and(|(_, token)| self.server.knows(token, Kind::Access));
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            match &header {
                None => seen.bare += 1,
                Some(_) if !good => seen.wrong += 1,
                Some(("bearer", _)) => seen.bearer += 1,
                Some(_) => seen.basic += 1,
            }
        }
        let mut body = Vec::new(); // read in any case, or git sees a broken connection in place of a 401
        let read = request.as_reader().read_to_end(&mut body);
        let response = match read {
            Ok(_) if good => self.backend(&request, &body),
            _ => Ok(Response::from_data(Vec::new())
                .with_status_code(401)
                .with_header(line("WWW-Authenticate", "Basic realm=\"git\""))
                .with_header(line("WWW-Authenticate", "Bearer realm=\"git\""))),
        };
        let response =
            response.unwrap_or_else(|why| Response::from_data(format!("{why:#}\n").into_bytes()).with_status_code(500));
        let _ = request.respond(response); // a client that went away needs no answer
    }

    /// One run of the backend, as CGI (RFC 3875).
    fn backend(&mut self, request: &Request, body: &[u8]) -> Result<Response<std::io::Cursor<Vec<u8>>>> {
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        let mut child = self
            .backend
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROTOCOL", find(request, "Git-Protocol").unwrap_or_default())
            .env("REQUEST_METHOD", request.method().as_str())
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", find(request, "Content-Type").unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", find(request, "Content-Encoding").unwrap_or_default())
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        child.stdin.take().context("no way in")?.write_all(body)?; // far less than a pipe holds
        let mut said = Vec::new();
        child.stdout.take().context("no way out")?.read_to_end(&mut said)?;
        child.wait()?;
        let end = said.windows(4).position(|four| four == b"\r\n\r\n").context("the backend said nothing")?;
        let head = String::from_utf8_lossy(&said[..end]).into_owned();
        let mut response = Response::from_data(said.split_off(end + 4));
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("Status") {
                let status = value.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(500);
                response = response.with_status_code(StatusCode(status));
            } else {
                response.add_header(line(name, value));
            }
        }
        Ok(response)
    }
}

fn find<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

fn line(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("header lines here are ASCII")
}
