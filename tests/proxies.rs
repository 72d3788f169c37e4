//! A proxy between us and the server: as curl reads the environment, and named when it is the trouble.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::company::{Authority, beside, front, world};
use crate::idp::Idp;
use crate::relay::carry;
use crate::runs::Done;

/// A proxy that leads every CONNECT with this in its head to one address; the first lines of all heads.
fn proxy(to: SocketAddr, wants: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let log = asked.clone();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let log = log.clone();
            thread::spawn(move || {
                let head = head_of(&mut client);
                log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
                if !head.contains(wants) {
                    let _ =
                        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
                    return;
                }
                let server = TcpStream::connect(to).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (client_in, server_in) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || carry(client_in, server));
                carry(server_in, client);
            });
        }
    });
    (address, asked)
}

fn head_of(client: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A proxy that answers so, and hangs up.
fn proxy_that_says(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            head_of(&mut client);
            let _ = client.write_all(answer);
        }
    });
    address
}

#[test]
fn through_a_proxy_and_past_it() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let server = front(&authority, "idp.corp.example", false, &idp);
    let (proxy, asked) = proxy(server, "");
    let mut world = world(&idp, "idp.corp.example", "");
    world.set("HTTPS_PROXY", format!("http://{proxy}"));
    // A proxy that reads along shows a certificate of its own: it is named through the proxy too.
    world.run(&["get", "ci"]).refused(&[6], &["idp.corp.example", "CN=Corp Root, O=Corp"]);
    beside(&world, "corp.pem", &authority.pem());
    world.config(&format!("{}ca_file = \"corp.pem\"\n", world.config_text()));
    world.run(&["get", "ci"]).expect(0);
    let lines = asked.lock().unwrap().clone();
    assert!(lines.iter().all(|line| line.starts_with("CONNECT idp.corp.example:443 ")), "{lines:?}");
    for spared in ["idp.corp.example", "corp.example", ".corp.example", "x, *.corp.example", "*"] {
        asked.lock().unwrap().clear();
        fs::remove_file(world.data("ci")).unwrap_or_default();
        world.set("NO_PROXY", spared);
        world.run(&["get", "ci"]).refused(&[6], &["idp.corp.example"]); // nobody is there
        assert_eq!(asked.lock().unwrap().len(), 0, "{spared}");
    }
    world.set("NO_PROXY", "corp.example.org,dp.corp.example");
    world.run(&["get", "ci"]).expect(0);
    // This machine is never asked for through it.
    asked.lock().unwrap().clear();
    let here = format!("localhost:{}", front(&authority, "localhost", false, &idp).port());
    world.config(&world.config_text().replace("https://idp.corp.example/", &format!("https://{here}/")));
    fs::remove_file(world.data("ci")).unwrap();
    world.run(&["get", "ci"]).expect(0);
    assert_eq!(asked.lock().unwrap().len(), 0);
}

/// F91: the proxy is named with its variable, and nothing goes past it.
#[test]
fn a_proxy_that_is_no_help_is_named() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let mut world = world(&idp, "idp.corp.example", "");
    let gone = SocketAddr::from(([127, 0, 0, 1], 9)); // a port that was free a moment ago may be another test's by now
    for (address, words) in [
        (gone, "refused"),
        (proxy_that_says(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "403"),
        (proxy_that_says(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "502"),
        (proxy_that_says(b""), ""),
        (proxy_that_says(b"SSH-2.0-OpenSSH\r\n"), ""),
    ] {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            world.set(variable, format!("http://hal:canary-of-the-proxy@{address}"));
            let words = ["ci", "idp.corp.example", &address.to_string(), variable, words];
            let told = world.run(&["get", "ci"]).refused(&[6], &words);
            assert!(!told.err.contains("canary"), "{told:?}");
            world.unset(variable);
        }
    }
    // What is no proxy's address, or one of a kind that we do not speak to: nobody is asked in its place.
    let here = format!("localhost:{}", front(&authority, "localhost", false, &idp).port());
    world.config(&world.config_text().replace("idp.corp.example", &here.replace("localhost", "me.localhost")));
    for odd in [
        "http://",
        "socks5://127.0.0.1:1",
        "socks5h://hal:canary@127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "a b",
        "http://[::1",
    ] {
        world.set("HTTPS_PROXY", odd);
        let told = world.run(&["get", "ci"]).refused(&[6], &["ci", "HTTPS_PROXY", "http://HOST:PORT"]);
        assert!(!told.err.contains("canary"), "{told:?}");
    }
    assert_eq!(idp.every_call(), 0);
}

/// F91: who has to say who they are says it to the proxy, and to nobody else.
#[test]
fn a_proxy_that_asks_who_we_are() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let server = front(&authority, "idp.corp.example", false, &idp);
    let (proxy, asked) = proxy(server, "Proxy-Authorization: Basic aGFsOnAlMDAgOkA=");
    let mut world = world(&idp, "idp.corp.example", "");
    world.set("HTTPS_PROXY", format!("http://{proxy}"));
    let told: Done = world.run(&["get", "ci"]).refused(&[6], &[&proxy.to_string(), "407", "HTTPS_PROXY"]);
    assert!(told.err.contains("http://USER:PASSWORD@"), "what to do: {told:?}");
    world.set("HTTPS_PROXY", format!("http://hal:wrong@{proxy}"));
    world.run(&["get", "ci"]).refused(&[6], &["407"]);
    // Whose certificate it is that the proxy shows is asked through it too. "p%00 :@", as a URL has it.
    world.set("HTTPS_PROXY", format!("http://hal:p%2500%20%3A%40@{proxy}"));
    world.run(&["get", "ci"]).refused(&[6], &[&proxy.to_string(), "CN=Corp Root, O=Corp"]);
    beside(&world, "corp.pem", &authority.pem());
    world.config(&format!("{}ca_file = \"corp.pem\"\n", world.config_text()));
    world.run(&["get", "ci"]).expect(0);
    let lines = asked.lock().unwrap().clone();
    assert!(lines.iter().all(|line| line == "CONNECT idp.corp.example:443 HTTP/1.1"), "{lines:?}");
}

/// F91: a session lives through it.
#[test]
fn behind_a_dead_proxy_nothing_is_spent() {
    let idp = Idp::start();
    let mut world = world(&idp, "idp.corp.example", "");
    world.sign_in();
    let mut record = world.record();
    crate::record::shift(&mut record, 4000);
    record["token_endpoint"] = "https://idp.corp.example/token".into();
    crate::record::write(&world.data("work"), &record);
    let before = fs::read(world.data("work")).unwrap();
    world.set("HTTPS_PROXY", "http://127.0.0.1:9");
    world.run(&["get", "work"]).refused(&[6], &["work", "127.0.0.1:9", "HTTPS_PROXY", "the session is kept"]);
    assert_eq!(fs::read(world.data("work")).unwrap(), before);
    assert!(!world.data("work.next").exists(), "nothing was sent");
}
