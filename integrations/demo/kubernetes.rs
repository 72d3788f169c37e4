//! As much of a Kubernetes API as `kubectl get pods` asks for, over TLS: kubectl runs no plugin without it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::authorization_server::AuthorizationServer;
use crate::grants::Kind;
use crate::scene::find;

/// The only pod.
pub(crate) const POD: &str = "hello";

/// How requests came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) served: usize,
    /// Without an id_token that is good.
    pub(crate) refused: usize,
}

pub(crate) struct Kubernetes {
    pub(crate) url: String,
    /// Its certificate in PEM: kubectl is to trust this one and no other.
    certificate: String,
    seen: Arc<Mutex<Seen>>,
}

impl Kubernetes {
    pub(crate) fn start(server: Arc<AuthorizationServer>) -> Result<Self> {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let base64 = STANDARD.encode(own.cert.der());
        let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        // Named, because rustls has no default where two providers are compiled in.
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)?;

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://{}", listener.local_addr()?);
        let (config, seen) = (Arc::new(config), Arc::new(Mutex::new(Seen::default())));
        let log = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, server, log) = (config.clone(), server.clone(), log.clone());
                thread::spawn(move || {
                    // A client that hangs up in the middle is its own affair.
                    let _ = ServerConnection::new(config)
                        .map_err(anyhow::Error::from)
                        .and_then(|tls| serve(StreamOwned::new(tls, stream), &server, &log));
                });
            }
        });
        Ok(Self { url, certificate, seen })
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kubeconfig that people copy, with this cluster in the example's place.
    pub(crate) fn kubeconfig(&self, example: &str) -> Result<String> {
        let cluster = "server: https://kubernetes.example.com";
        ensure!(example.contains(cluster), "integrations/kubectl/kubeconfig.yaml names another example cluster");
        let ours =
            format!("server: {}\n    certificate-authority-data: {}", self.url, STANDARD.encode(&self.certificate));
        Ok(example.replace(cluster, &ours))
    }
}

/// kubectl, if it is here. Some installations put a dispatcher on PATH that first asks the cluster for its version;
/// the real ones lie beside it as `kubectl.1.33`, and the newest is taken.
pub(crate) fn kubectl() -> Option<PathBuf> {
    let on_path = find("kubectl")?;
    let beside = on_path.canonicalize().ok().and_then(|real| std::fs::read_dir(real.parent()?).ok());
    let versions = beside.into_iter().flatten().flatten().filter_map(|entry| {
        let minor = entry.file_name().to_str()?.strip_prefix("kubectl.1.")?.parse::<u32>().ok()?;
        Some((minor, entry.path()))
    });
    Some(versions.max().map_or(on_path, |(_, path)| path))
}

/// Answers the requests of one connection.
fn serve(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    server: &AuthorizationServer,
    seen: &Mutex<Seen>,
) -> Result<()> {
    stream.sock.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(why) => return Err(why.into()),
        };
        head.extend_from_slice(&chunk[..count]);
        ensure!(head.len() < 64 << 10, "a head without an end");
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if request.parse(&head)?.is_partial() {
            continue;
        }
        let (status, body) = answer(&request, server).context("a request without a path")?;
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match status {
                200 => seen.served += 1,
                401 => seen.refused += 1,
                _ => {}
            }
        }
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
        head.clear(); // a GET has no body, and kubectl waits for the answer
    }
}

fn answer(request: &httparse::Request<'_, '_>, server: &AuthorizationServer) -> Option<(u16, Value)> {
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(found.value).ok()
    };
    let token = header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| server.knows(token, Kind::Id)) {
        return Some((401, refusal(401, "Unauthorized")));
    }
    let path = request.path?.split('?').next()?;
    let resource = json!({
        "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"],
    });
    let body = match path {
        "/version" => json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.0" }),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        "/api/v1" => json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [resource] }),
        "/api/v1/namespaces/default/pods" => table(),
        _ => return Some((404, refusal(404, "NotFound"))),
    };
    Some((200, body))
}

/// The list of pods as kubectl asks for it: made for people to look at.
fn table() -> Value {
    let columns = ["Name", "Ready", "Status", "Restarts", "Age"]
        .map(|name| json!({ "name": name, "type": "string", "format": "", "description": "", "priority": 0 }));
    let pod = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "name": POD, "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z" },
    });
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": columns,
        "rows": [{ "cells": [POD, "1/1", "Running", "0", "1m"], "object": pod }],
    })
}

fn refusal(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason,
    })
}
