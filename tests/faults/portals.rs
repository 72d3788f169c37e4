//! F92: a captive portal stands where the server should be. It is the network's trouble: nobody's sign-in failed, and
//! nothing is shown to it.

use std::fs;

use crate::answers::{At, Fault};
use crate::company::{Authority, front};
use crate::idp::Idp;
use crate::runs::Done;

use super::{expired, sound};

const PAGE: &str = "<!doctype html><title>Welcome to the hotel</title><form action=/login>";

#[track_caller]
fn is_of_the_network(done: Done, words: &[&str]) {
    let done = done.refused(&[6], words);
    for wrong in ["refused", "denied", "rejected", "expired", "sign in again", "Welcome"] {
        assert!(!done.err.contains(wrong), "{wrong}: {done:?}");
    }
}

#[test]
fn with_a_certificate_of_its_own() {
    let (idp, portal) = (Idp::start(), Authority::new());
    let server = format!("localhost:{}", front(&portal, "portal.hotel.example", false, &idp).port());
    let world = expired(&idp);
    let mut record = world.record();
    record["token_endpoint"] = format!("https://{server}/token").into();
    crate::record::write(&world.data("work"), &record);
    let before = fs::read(world.data("work")).unwrap();
    let asked = idp.every_call();
    is_of_the_network(world.run(&["get"]), &["work", "localhost", "CN=portal.hotel.example", "the session is kept"]);
    assert_eq!((fs::read(world.data("work")).unwrap(), idp.every_call()), (before, asked));
    // A sign-in gets no further than the metadata.
    world.config(&world.config_text().replace(&idp.issuer, &format!("https://{server}")));
    is_of_the_network(world.with_person(&["login", "work"]), &["work", "localhost", "CN=portal.hotel.example"]);
    assert_eq!((world.opened().len(), idp.every_call()), (1, asked));
}

#[test]
fn with_a_redirect_or_a_page() {
    let away = vec![("Location", "http://portal.hotel.example/login?back=x")];
    for (fault, word) in [
        (Fault::Status(302, away.clone(), ""), "portal.hotel.example"),
        (Fault::Status(307, away, ""), "portal.hotel.example"),
        (Fault::Status(200, vec![("Content-Type", "text/html")], PAGE), "no token"),
        (Fault::Status(511, vec![("Content-Type", "text/html")], PAGE), "511"), // RFC 6585 6
    ] {
        let idp = Idp::start();
        let world = expired(&idp);
        let before = fs::read(world.data("work")).unwrap();
        idp.always(At::Token, fault.clone());
        is_of_the_network(world.run(&["get"]), &["work", "127.0.0.1", word, "the session is kept"]);
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{fault:?}");
        is_of_the_network(world.with_person(&["login", "work"]), &["work", "127.0.0.1", word]);
        idp.heal();
        idp.always(At::Metadata, fault.clone());
        is_of_the_network(world.with_person(&["login", "work"]), &["work", "127.0.0.1", "metadata"]);
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{fault:?}");
        idp.heal();
        sound(&idp, &world);
    }
}
