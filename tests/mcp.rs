//! No configuration at all: an address that says who signs people in for it, and a server that registers anybody.

use crate::answers::{At, Fault};
use crate::callback::redirect_uri;
use crate::device_grants::{Device, Poll};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::world::World;

#[test]
fn an_address_is_enough() {
    for by_challenge in [false, true] {
        let builder = Idp::builder().registers();
        let idp = if by_challenge { builder.resource_by_challenge().start() } else { builder.start() };
        let world = World::bare();
        let place = format!("{}/mcp", idp.issuer);
        let signed_in = world.with_person(&["login", &place]).expect(0);
        assert!(signed_in.err.contains("signed in"), "{signed_in:?}");
        let asked = query(&world.opened()[0]);
        let scope = if by_challenge { "mcp:read" } else { "mcp:read mcp:write" };
        assert_eq!((field(&asked, "resource"), field(&asked, "scope")), (Some(place.as_str()), Some(scope)));
        assert_eq!(field(&asked, "client_id"), Some("registered-1"));
        let client = idp.registered().remove(0);
        assert_eq!(client["redirect_uris"][0], redirect_uri(&world.opened()[0]), "to the very port");
        assert_eq!(
            (&client["token_endpoint_auth_method"], &client["client_name"]),
            (&"none".into(), &"hallpass".into())
        );
        // The agent's door: headers for the address and what is below it, stdin untouched.
        let token = world.run(&["get"]).expect(0).out;
        for below in [place.clone(), format!("{place}/tools")] {
            let header = world.ask(&["header", &below], "not to be read").expect(0).out;
            assert_eq!(header, format!("Authorization: Bearer {token}"));
        }
        assert_eq!(
            ureq::get(&place).header("Authorization", format!("Bearer {}", token.trim_end())).call().unwrap().status(),
            200
        );
        world.run(&["get", &idp.issuer]).refused(&[3], &[]);
        // A refresh goes by the client of the session; a sign-in anew registers anew.
        let name = world.holdings().remove(0);
        let mut record = world.record_of(&name);
        crate::record::shift(&mut record, 4000);
        crate::record::write(&world.data(&name), &record);
        assert_ne!(world.run(&["get"]).expect(0).out, token);
        assert_eq!(field(&idp.calls(At::Token).pop().unwrap().form, "client_id"), Some("registered-1"));
        world.with_person(&["login", &place]).expect(0);
        assert_eq!(idp.registered().len(), 2);
        assert_eq!(idp.complaints(), [""; 0]);
    }
}

#[test]
fn a_device_registers_too() {
    let idp = Idp::builder().registers().device(Device::script(&[Poll::Granted])).start();
    let world = World::bare();
    let place = format!("{}/mcp", idp.issuer);
    world.with_person(&["login", &place, "--device"]).expect(0);
    assert!(idp.registered()[0]["redirect_uris"].is_null());
    assert!(idp.live_access_token(world.run(&["get"]).expect(0).out.trim_end()));
}

#[test]
fn a_server_that_registers_nobody_is_told_about_before_anything_is_written() {
    let idp = Idp::start();
    let world = World::bare();
    let place = format!("{}/mcp", idp.issuer);
    world
        .with_person(&["login", &place])
        .refused(&[10], &["registers none", "--client-id", "http://127.0.0.1/callback"]);
    assert!(!world.config_file().exists());
    world.with_person(&["login", &place, "--client-id", "cli"]).expect(0);
    assert_eq!(field(&query(&world.opened()[0]), "client_id"), Some("cli"));
    assert!(world.config_text().contains("client_id = \"cli\""));
}

/// A client that nobody registered: its identifier is where it says of itself what it is.
#[test]
fn a_server_that_reads_documents_takes_the_address_of_one() {
    let idp = Idp::start();
    let world = World::bare();
    let place = format!("{}/mcp", idp.issuer);
    let url = format!("{}/.well-known/openid-configuration", idp.issuer);
    let metadata = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
    let metadata = metadata.replacen('{', "{\"client_id_metadata_document_supported\":true,", 1);
    idp.always(At::Metadata, Fault::Status(200, vec![], metadata.leak()));
    world.with_person(&["login", &place]).refused(&[10], &["registers none", "publish a document", "--client-id"]);
    let document = "https://tools.example.com/hallpass.json";
    world.with_person(&["login", &place, "--client-id", document]).expect(0);
    assert_eq!(field(&query(&world.opened()[0]), "client_id"), Some(document));
    assert!(idp.live_access_token(world.run(&["get"]).expect(0).out.trim_end()));
}

/// Many frameworks end their own name with a slash; it is that name that everything is checked against afterwards.
#[test]
fn a_server_may_end_its_name_with_a_slash() {
    let idp = Idp::builder().registers().under("/").start();
    idp.always(At::McpMetadata, Fault::Status(404, vec![], ""));
    let world = World::bare();
    world.with_person(&["login", &format!("{}mcp", idp.issuer)]).expect(0);
    assert!(world.config_text().contains(&format!("issuer = \"{}\"", idp.issuer)), "{}", world.config_text());
    assert!(idp.issuer.ends_with('/') && idp.live_access_token(world.run(&["get"]).expect(0).out.trim_end()));
}

/// The resource speaks for another: neither is believed.
#[test]
fn a_resource_speaks_for_itself_alone() {
    let idp = Idp::builder().registers().start();
    let world = World::bare();
    let place = format!("{}/mcp", idp.issuer);
    for (body, code) in [
        (r#"{"resource":"https://bank.example/","authorization_servers":["https://id.example"]}"#, 9),
        (r#"{"resource":"MCP","authorization_servers":["http://id.example"]}"#, 9),
        (r#"{"resource":"MCP/other","authorization_servers":["https://id.example"]}"#, 9),
    ] {
        let body: &'static str = body.replace("MCP", &place).leak();
        idp.always(At::McpMetadata, Fault::Status(200, vec![], body));
        world.with_person(&["login", &place]).refused(&[code], &[]);
        assert!(!world.config_file().exists() && world.opened().is_empty());
    }
    // Nothing to be made of it: the origin itself is asked, which is an authorization server here.
    for body in ["<html>", "{}", "[]"] {
        let (idp, world) = (Idp::builder().registers().start(), World::bare());
        idp.always(At::McpMetadata, Fault::Status(200, vec![], body));
        world.with_person(&["login", &format!("{}/mcp", idp.issuer)]).expect(0);
    }
    world.with_person(&["login", "http://127.0.0.1:9/mcp"]).refused(&[10], &["--issuer"]);
}
