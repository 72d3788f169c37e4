//! Authorization requests that are pushed ahead of the browser (RFC 9126).

use std::fs;

use crate::answers::{At, Fault};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::world::World;

#[test]
fn a_server_that_wants_requests_pushed_gets_each_of_them_once() {
    let idp = Idp::builder().id_tokens().pushed(true).start();
    let world = World::new(&idp);
    for round in 1..=2 {
        world.sign_in();
        let pushes = idp.calls(At::Push);
        assert_eq!(pushes.len(), round, "one for each attempt");
        let form = &pushes[round - 1].form;
        for key in ["client_id", "redirect_uri", "state", "nonce", "scope", "code_challenge", "response_type"] {
            assert!(field(form, key).is_some_and(|value| !value.is_empty()), "{key}");
        }
        let page = world.opened().pop().unwrap();
        let shown = query(&page);
        let name = field(&shown, "request_uri").unwrap();
        assert!(name.starts_with("urn:ietf:params:oauth:request_uri:"), "{page}");
        assert_eq!(
            (shown.len(), field(&shown, "client_id")),
            (2, Some("cli")),
            "nothing else is in the address: {page}"
        );
    }
    assert!(idp.complaints().is_empty(), "{:?}", idp.complaints());
}

#[test]
fn an_account_may_want_it_where_the_server_does_not() {
    let idp = Idp::builder().pushed(false).start();
    let world = World::new(&idp);
    world.sign_in();
    assert_eq!(idp.calls(At::Push).len(), 0);
    let config = world.config_text();
    let secret = "client_secret_file = \"secret\"\ntoken_endpoint_auth_method = \"client_secret_post\"\n";
    world.config(&format!("{config}require_pushed_authorization_requests = true\n{secret}"));
    fs::write(world.config_file().with_file_name("secret"), "s").unwrap();
    world.sign_in();
    let push = idp.calls(At::Push).remove(0).form;
    assert_eq!((field(&push, "client_id"), field(&push, "client_secret")), (Some("cli"), Some("s")));
    // Endpoints that are configured one by one are not looked up.
    let own = format!(
        "authorization_endpoint = \"{0}/authorize\"\ntoken_endpoint = \"{0}/token\"\n\
         pushed_authorization_request_endpoint = \"{0}/par\"\nrequire_pushed_authorization_requests = true\n",
        idp.issuer
    );
    world.config(&format!("{config}{own}"));
    let asked = idp.calls(At::Metadata).len();
    world.sign_in();
    assert_eq!((idp.calls(At::Metadata).len(), idp.calls(At::Push).len()), (asked, 2));
    world.config(&format!("{config}require_pushed_authorization_requests = \"yes\"\n"));
    world.run(&["status"]).refused(&[10], &["neither true nor false"]);
}

#[test]
fn a_request_that_is_not_taken_opens_no_page_and_costs_no_session() {
    let idp = Idp::builder().pushed(true).start();
    let world = World::signed_in(&idp);
    let (before, pages) = (fs::read(world.data("work")).unwrap(), world.opened().len());
    for (fault, exit, word) in [
        (
            Fault::Status(400, vec![], "{\"error\":\"invalid_request\",\"error_description\":\"no\"}"),
            10,
            "invalid_request",
        ),
        (Fault::Status(401, vec![], "{\"error\":\"invalid_client\"}"), 10, "invalid_client"),
        (Fault::Status(503, vec![], ""), 6, "503"),
        (Fault::Status(302, vec![("Location", "https://portal.example.com/")], ""), 6, "302"),
        (Fault::Html200, 6, "/par"),
        (Fault::Status(201, vec![], "{\"request_uri\":\"\"}"), 6, "/par"),
        (Fault::Status(201, vec![], "{\"request_uri\":\"a b\"}"), 6, "/par"),
        (Fault::Status(201, vec![], "{\"request_uri\":7}"), 6, "/par"),
        (Fault::Status(403, vec![], "{\"request_uri\":\"urn:x\"}"), 6, "403"),
        (Fault::CloseBeforeReading, 6, "work"),
    ] {
        idp.once(At::Push, fault.clone());
        world.with_person(&["login", "work"]).refused(&[exit], &["work", word]);
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{fault:?}");
    }
    assert_eq!(world.opened().len(), pages);
    let none = Idp::start();
    let world = World::new(&none);
    world.config(&format!("{}require_pushed_authorization_requests = true\n", world.config_text()));
    world.with_person(&["login", "work"]).refused(&[10], &["pushed_authorization_request_endpoint"]);
}
