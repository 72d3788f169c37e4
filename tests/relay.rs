//! A plain TCP relay in front of the server, so that a test can cut a connection before its answer.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Default)]
pub struct Relay {
    clients: Arc<Mutex<HashMap<SocketAddr, TcpStream>>>,
}

impl Relay {
    /// Carries every connection made to `front` on to `back`, until the process ends.
    pub fn start(front: TcpListener, back: SocketAddr) -> Relay {
        let relay = Relay::default();
        let clients = relay.clients.clone();
        thread::spawn(move || {
            for client in front.incoming().flatten() {
                let Ok(server) = TcpStream::connect(back) else { return };
                let (Ok(name), Ok(client_in), Ok(server_in)) =
                    (server.local_addr(), client.try_clone(), server.try_clone())
                else {
                    continue;
                };
                if let Ok(handle) = client.try_clone() {
                    clients.lock().unwrap().insert(name, handle);
                }
                let clients = clients.clone();
                thread::spawn(move || {
                    carry(client_in, server);
                    clients.lock().unwrap().remove(&name); // ten thousand of them would use up our descriptors
                });
                thread::spawn(move || carry(server_in, client));
            }
        });
        relay
    }

    /// Drops the client whose requests reach the server from `name`.
    pub fn cut(&self, name: SocketAddr) {
        if let Some(client) = self.clients.lock().unwrap().get(&name) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

pub fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
