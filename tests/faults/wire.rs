//! A token endpoint that says what no server should, byte by byte; it spends nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::record;
use crate::world::World;

pub struct Wire {
    pub endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Wire {
    /// Every request is read to its end and given to `answer`, whose return closes the connection.
    pub fn start(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/token", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, answer) = (count.clone(), answer.clone());
                thread::spawn(move || {
                    if let Some(stream) = request(stream) {
                        count.fetch_add(1, Ordering::SeqCst);
                        answer(stream);
                    }
                });
            }
        });
        Wire { endpoint, requests }
    }

    /// One that says these bytes.
    pub fn says(bytes: impl Into<Vec<u8>>) -> Wire {
        let bytes = bytes.into();
        Wire::start(move |mut stream| drop(stream.write_all(&bytes)))
    }

    /// One that answers 200 with this JSON.
    pub fn json(body: &str) -> Wire {
        Wire::says(ok("Content-Type: application/json\r\n", body.as_bytes()))
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The refresh token of `work` goes here, until the guard is dropped.
    pub fn takes_over<'a>(&self, world: &'a World) -> Detour<'a> {
        let before = world.record()["token_endpoint"].as_str().unwrap().to_owned();
        point(world, &self.endpoint);
        Detour { world, before }
    }
}

pub struct Detour<'a> {
    world: &'a World,
    before: String,
}

impl Drop for Detour<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            point(self.world, &self.before);
        }
    }
}

/// Makes this the token endpoint that the record names.
pub fn point(world: &World, endpoint: &str) {
    let mut json = world.record();
    json["token_endpoint"] = endpoint.into();
    record::write(&world.data("work"), &json);
}

/// A whole answer of status 200.
pub fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn request(mut stream: TcpStream) -> Option<TcpStream> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return Some(stream);
            }
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}
