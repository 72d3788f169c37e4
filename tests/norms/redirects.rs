//! The redirect: where the answer comes, and how long anybody listens.

use std::net::{TcpListener, TcpStream};
use std::thread;

use super::{answering, waiting};
use crate::answers::At;
use crate::callback::{approve, get, listener, redirect_uri, request};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::runs::{skip, until};
use crate::world::World;

/// N2: a query is part of it; a fragment it cannot have.
#[test]
fn a_redirect_uri_keeps_its_query_and_has_no_fragment() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let plain = world.config_text();
    world.config(&format!("{plain}redirect_uri = \"http://127.0.0.1/back?tenant=a%20b&x\"\n"));
    world.sign_in();
    let sent = redirect_uri(&world.opened()[0]);
    assert!(sent.ends_with("/back?tenant=a%20b&x"), "{sent}");
    assert_eq!(field(&idp.calls(At::Token)[0].form, "redirect_uri"), Some(sent.as_str()));
    for odd in ["http://127.0.0.1/callback#x", "http://127.0.0.1/callback#", "/callback", "callback"] {
        world.config(&format!("{plain}redirect_uri = \"{odd}\"\n"));
        world.with_person(&["login", "work"]).refused(&[10], &["redirect_uri"]);
    }
    assert_eq!(world.opened().len(), 1);
}

/// N10, N37: the first answer takes the state with it.
#[test]
fn an_answer_counts_once() {
    let idp = Idp::builder().latency(500).start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    let callback = approve(&url);
    let both: Vec<_> = [callback.clone(), callback]
        .map(|callback| thread::spawn(move || get(&callback).status))
        .into_iter()
        .map(|page| page.join().unwrap_or(0))
        .collect();
    login.end().expect(0);
    assert_eq!(both.iter().filter(|status| **status == 200).count(), 1, "{both:?}");
    assert_eq!(idp.count("authorization_code"), 1);
}

/// N3, N36: the page leads nowhere, whatever the answer says.
#[test]
fn no_answer_leads_anywhere_else() {
    const EVIL: &str = "evil.example";
    let idp = Idp::start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    let redirects: String = ["redirect_uri", "next", "url", "return_to", "continue", "target_link_uri", "post_login"]
        .map(|name| format!("&{name}=https%3A%2F%2F{EVIL}%2F"))
        .concat();
    for (callback, status) in [(answering(&url, &[]), 400), (approve(&url), 200)] {
        let page = get(&format!("{callback}{redirects}"));
        assert_eq!(page.status, status);
        page.is_sealed();
        let all = format!("{}{}", page.head, page.body).to_ascii_lowercase();
        for word in ["location:", "refresh:", EVIL, "http://", "https://", "src=", "href="] {
            assert!(!all.contains(word), "{word} in {page:?}");
        }
    }
    login.end().expect(0);
}

/// N48: open for the answer, on this machine's own address, and closed after it.
#[test]
fn the_port_is_open_for_one_answer_and_to_nobody_else() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    let address = listener(&url);
    assert!(TcpStream::connect(&address).is_ok());
    if cfg!(target_os = "linux") {
        assert!(TcpStream::connect(address.replace("127.0.0.1", "127.0.0.2")).is_err(), "it listens everywhere");
    }
    assert_eq!(get(&approve(&url)).status, 200);
    login.end().expect(0);
    assert!(TcpStream::connect(&address).is_err(), "it still listens");
}

/// N47: any free port of either family, as the account names it.
#[test]
fn both_families_work() {
    let idp = Idp::start();
    for host in ["127.0.0.1", "[::1]"] {
        if TcpListener::bind(format!("{host}:0")).is_err() {
            skip(&format!("{host} is not here"));
            continue;
        }
        let world = World::new(&idp);
        world.add(&format!("redirect_uri = \"http://{host}/callback\""));
        world.sign_in();
        let sent = redirect_uri(&world.opened()[0]);
        assert!(sent.starts_with(&format!("http://{host}:")) && sent.ends_with("/callback"), "{sent}");
    }
}

fn free_port() -> u16 {
    let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    until_free(port);
    port
}

/// A child that another test has forked holds our listeners until it becomes its own program.
fn until_free(port: u16) {
    let is_taken = |host: &str| TcpStream::connect(format!("{host}:{port}")).is_ok();
    until("a free port", || (!is_taken("127.0.0.1") && !is_taken("[::1]")).then_some(()));
}

/// N48: whichever family `localhost` is to the browser, and on no port that anybody else has of either.
#[test]
fn localhost_is_both_families_and_shared_with_nobody() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("[::1] is not here");
    }
    let idp = Idp::start();
    for family in ["127.0.0.1", "[::1]"] {
        let world = World::new(&idp);
        // The first of the list is free on the other side only.
        let taken = TcpListener::bind(format!("{family}:0")).unwrap();
        let ports = [taken.local_addr().unwrap().port(), free_port()];
        world.add(&format!("redirect_uri = \"http://localhost/callback\"\nredirect_ports = {ports:?}"));
        let (login, url) = waiting(&world);
        let (sent, callback) = (redirect_uri(&url), approve(&url));
        assert_eq!(sent, format!("http://localhost:{}/callback", ports[1]));
        let (name, address) = (format!("localhost:{}", ports[1]), format!("{family}:{}", ports[1]));
        let callback = callback.replace(&name, &address);
        assert_eq!(request(&callback, "GET", Some(&address)).status, 421, "it was asked for by another name");
        assert_eq!(request(&callback, "GET", Some(&name)).status, 200, "{family}");
        login.end().expect(0);
    }
    // A port that is part of the URI is the only one.
    let world = World::new(&idp);
    let taken = TcpListener::bind("[::1]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    world.add(&format!("redirect_uri = \"http://localhost:{port}/callback\""));
    world.with_person(&["login", "work"]).refused(&[5], &["work", &port.to_string(), "--paste"]);
    drop(taken);
    until_free(port);
    world.sign_in();
    assert_eq!(redirect_uri(&world.opened()[0]), format!("http://localhost:{port}/callback"));
}

/// N35, N50: two accounts may have a redirect URI of their own each; the answer for one is none for the other.
#[test]
fn an_account_may_have_a_redirect_uri_of_its_own() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add("redirect_uri = \"http://127.0.0.1/of/work\"");
    let (login, url) = waiting(&world);
    let callback = approve(&url);
    assert_eq!(get(&callback.replace("/of/work", "/of/other")).status, 404);
    assert_eq!(get(&callback.replace("/of/work", "/callback")).status, 404);
    assert_eq!(get(&callback).status, 200);
    login.end().expect(0);
}

/// N39: a code, and nothing else.
#[test]
fn neither_a_token_in_the_answer_nor_a_password_is_a_way() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let (login, url) = waiting(&world);
    assert_eq!(field(&query(&url), "response_type"), Some("code"));
    let implicit = [("access_token", "planted"), ("token_type", "Bearer"), ("expires_in", "3600")];
    assert_eq!(get(&answering(&url, &implicit)).status, 400);
    assert_eq!(get(&approve(&url)).status, 200);
    login.end().expect(0);
    assert!(!world.record().to_string().contains("planted"));
    let plain = world.config_text();
    for flow in ["password", "implicit", "token_password"] {
        world.config(&format!("{plain}flow = \"{flow}\"\n"));
        world.run(&["get"]).refused(&[10], &["flow"]);
    }
}

/// N21, N49: a secret has no place in the configuration, and none is repeated.
#[test]
fn a_secret_in_the_configuration_is_no_key() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add("client_secret = \"canary-of-a-client\"");
    let done = world.run(&["get"]).refused(&[10], &["client_secret", "client_secret_file"]);
    assert!(!done.err.contains("canary"), "{done:?}");
}
