//! The loopback listener: noise does not end the wait, pages say nothing of the request.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::answers::{At, Fault};
use crate::callback::{approve, get, listener, opened, raw, redirect_uri, request};
use crate::forms::{field, query, with};
use crate::idp::Idp;
use crate::world::{Behaviour, World};

#[test]
fn noise_is_answered_and_the_real_callback_still_counts() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work"]);
    let url = opened(&world);
    let address = listener(&url);
    let callback = approve(&url);
    let state = field(&query(&callback), "state").unwrap().to_owned();
    let origin = format!("http://{address}");
    let bad = |page: crate::callback::Page, what: &str| {
        assert!((400..500).contains(&page.status), "{what}: {page:?}");
        page.is_sealed();
    };
    bad(get(&format!("{origin}/favicon.ico")), "favicon");
    bad(get(&format!("{origin}/")), "root");
    bad(get(&callback.replacen('?', "/more?", 1)), "longer path");
    bad(request(&callback, "POST", None), "POST");
    bad(request(&callback, "OPTIONS", None), "OPTIONS");
    for host in ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""] {
        bad(request(&callback, "GET", Some(host)), host);
    }
    bad(get(&with(&callback, "state", Some("wrong"))), "wrong state");
    bad(get(&with(&callback, "state", None)), "no state");
    bad(get(&with(&callback, "state", Some(&state.to_ascii_uppercase()))), "state in capitals");
    bad(get(&format!("{callback}&state={state}")), "state twice");
    bad(get(&with(&callback, "code", None)), "no code");
    bad(get(&format!("{callback}&code=another")), "code twice");
    bad(get(&format!("{}?error=access_denied&state=wrong", redirect_uri(&url))), "a denial with a wrong state");
    bad(get(&format!("{origin}/<script>alert(1)</script>?state=<script>")), "script");
    raw(&address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    raw(&address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n");
    raw(&address, b"GET /\0 HTTP/1.1\r\n\r\n");
    assert_eq!(idp.count("authorization_code"), 0, "noise made a token request");
    let page = get(&callback);
    assert_eq!(page.status, 200, "{page:?}");
    page.is_sealed();
    login.end().expect(0);
    assert_eq!(idp.count("authorization_code"), 1);
}

#[test]
fn half_open_sockets_and_endless_lines_do_not_hold_it_up() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work"]);
    let url = opened(&world);
    let address = listener(&url);
    let mut idle: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    for half in idle.iter_mut().take(100) {
        let _ = half.write_all(b"GET /callback?co");
    }
    let mut endless = TcpStream::connect(&address).unwrap();
    endless.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = endless.write_all(b"GET /");
    let began = Instant::now();
    let cut = (0..256).any(|_| endless.write_all(&[b'a'; 64 * 1024]).is_err());
    assert!(cut && began.elapsed() < Duration::from_secs(30), "16 MiB of request line were taken");
    let page = get(&approve(&url));
    assert_eq!(page.status, 200, "{page:?}");
    login.end().expect(0);
}

#[test]
fn the_success_page_comes_after_the_save_and_is_the_same_for_everybody() {
    let mut bodies = Vec::new();
    for name in ["one", "two"] {
        let idp = Idp::start();
        let world = World::new(&idp);
        world.browser(Behaviour::Ignore);
        let login = world.start(&["login", "work"]);
        let callback = approve(&opened(&world));
        let page = get(&format!("{callback}&{name}=%3Cscript%3Ealert(1)%3C/script%3E"));
        assert!(world.has_record(), "the page came before the save");
        page.is_sealed();
        login.end().expect(0);
        bodies.push(page.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(!bodies[0].is_empty());
}

#[test]
fn a_failed_exchange_never_shows_the_success_page() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.browser(Behaviour::Ignore);
    let before = world.record();
    let pages: Vec<_> = [Fault::ExpiredCode, Fault::WrongNonce]
        .into_iter()
        .map(|fault| {
            idp.once(At::Token, fault);
            let count = world.opened().len();
            let login = world.start(&["login", "work"]);
            let url = crate::runs::until("the browser", || world.opened().get(count).cloned());
            let page = get(&approve(&url));
            page.is_sealed();
            assert_ne!(login.end().code, Some(0));
            page.body
        })
        .collect();
    assert_eq!(world.record(), before, "the old session was touched");
    world.browser(Behaviour::Follow);
    world.sign_in();
    let success = std::fs::read_to_string(crate::runs::until("the page", || {
        Some(world.path("browser/page")).filter(|page| page.exists())
    }));
    assert!(!pages.contains(&success.unwrap()), "a failure looked like a success");
}

#[test]
fn a_denial_has_a_page_of_its_own_without_the_servers_words() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    idp.once(At::Authorize, Fault::Deny);
    let login = world.start(&["login", "work"]);
    let page = get(&approve(&opened(&world)));
    page.is_sealed();
    assert!(!page.body.contains("alert(1)"), "{page:?}");
    login.end().expect(5);
}
