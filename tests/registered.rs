//! A client that is registered on the way (RFC 7591) is for every road that a person may take, where its server lets it.

use serde_json::json;

use crate::answers::{At, Fault};
use crate::callback::get;
use crate::device_grants::{Device, GRANT, Poll};
use crate::idp::Idp;
use crate::roads::{BARE, begin};
use crate::runs::{has, until};
use crate::terminal::Terminal;
use crate::world::{Behaviour, World};

/// A server that registers anybody as `register` answers, and who signs in there without any configuration.
fn stranger(register: Option<Fault>, polls: &[Poll], bare: &str) -> (Idp, World, String) {
    let idp = Idp::builder().registers().device(Device::script(polls)).start();
    if let Some(fault) = register {
        idp.always(At::Register, fault);
    }
    let world = World::bare();
    world.browser(Behaviour::Ignore);
    let command = format!("{bare}exec \"$HALLPASS\" login {}/mcp", idp.issuer);
    (idp, world, command)
}

#[test]
fn a_client_that_is_registered_on_the_way_is_for_every_road() {
    if !has("setsid") {
        return;
    }
    for (bare, road) in [("", "browser"), ("", "paste"), ("", "device"), (BARE, "paste"), (BARE, "device")] {
        let (idp, world, command) = stranger(None, &[Poll::Pending], bare);
        let (mut terminal, callback) = begin(&idp, &world, &command);
        if bare.is_empty() && road == "device" {
            terminal.keys("d\n");
        }
        match road {
            "browser" => drop(get(&callback)),
            "paste" => terminal.keys(&format!("{callback}\n")),
            _ => {
                until("a poll", || (idp.count(GRANT) > 0).then_some(()));
                idp.decide(Poll::Granted);
            }
        }
        terminal.end().expect(0);
        let clients = idp.registered();
        let (grants, name) = (&clients[0]["grant_types"], world.holdings().remove(0));
        assert_eq!((clients.len(), grants), (1, &json!(["authorization_code", "refresh_token", GRANT])), "{road}");
        assert_eq!(world.record_of(&name)["how"], road);
        assert_eq!(idp.complaints(), [""; 0]);
    }
}

#[test]
fn what_a_server_registers_for_less_is_used_for_less() {
    if !has("setsid") {
        return;
    }
    let made = |grants: &[&str]| {
        let client = json!({ "client_id": "theirs", "token_endpoint_auth_method": "none", "grant_types": grants });
        Fault::Status(201, vec![], client.to_string().leak())
    };
    // It drops the grant for codes: no key for them, and no code.
    for bare in ["", BARE] {
        let (idp, world, command) =
            stranger(Some(made(&["authorization_code", "refresh_token"])), &[Poll::Pending], bare);
        let (mut terminal, callback) = begin(&idp, &world, &command);
        assert!(!terminal.screen().contains("`d` and Enter"), "{}", terminal.screen());
        terminal.keys(&format!("{callback}\n"));
        terminal.end().expect(0);
        assert_eq!((idp.calls(At::Register).len(), idp.calls(At::Device).len()), (1, 0));
    }
    // It refuses the whole of it: asked for less.
    let refusal = "{\"error\":\"invalid_client_metadata\",\"error_description\":\"grant_types\"}";
    for bare in ["", BARE] {
        let (idp, world, command) = stranger(None, &[Poll::Pending], bare);
        idp.once(At::Register, Fault::Status(400, vec![], refusal));
        let (mut terminal, callback) = begin(&idp, &world, &command);
        terminal.keys(&format!("{callback}\n"));
        terminal.end().expect(0);
        assert_eq!(idp.registered()[0]["grant_types"], json!(["authorization_code", "refresh_token"]));
    }
    // It takes only who needs no page: it is asked for both and for less, with the scope and without.
    let (idp, world, command) = stranger(None, &[Poll::Granted], BARE);
    for _ in 0..4 {
        idp.once(At::Register, Fault::Status(400, vec![], refusal));
    }
    Terminal::run(&world, &command).end().expect(0);
    assert_eq!(idp.registered()[0]["grant_types"], json!(["refresh_token", GRANT]));
    // It says yes to a client that is of no use.
    let (_idp, world, command) = stranger(Some(made(&["refresh_token"])), &[Poll::Pending], "");
    let done = Terminal::run(&world, &format!("{command} --device")).end().expect(10);
    assert!(done.out.contains("device_code") && done.out.contains("register one by hand"), "{done:?}");
}
