//! WarmHub: a hosted sign-in by device flow, a variable that goes before the session, and tokens for machines.

use crate::device_grants::{Device, Poll};
use crate::idp::Idp;
use crate::pats::Pats;
use crate::runs::done;
use crate::world::{Behaviour, World};

fn scene() -> (Idp, Pats, World) {
    let idp = Idp::builder().device(Device::script(&[Poll::Granted])).start();
    let hub = Pats::start(&idp);
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    world.config(&format!("[account.warmhub]\nprovider = \"warmhub\"\napi_url = \"{}\"\n", hub.url));
    (idp, hub, world)
}

fn with(world: &World, variable: (&str, &str), args: &[&str]) -> crate::runs::Done {
    done(world.hallpass(args).env(variable.0, variable.1))
}

#[test]
fn the_row_and_a_client_id_are_enough_to_sign_in() {
    let (idp, hub, world) = scene();
    world.run(&["login", "warmhub"]).refused(&[10], &["warmhub", "client_id", "WH_CLIENT_ID", "--client-id"]);
    let signed_in = with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    assert!(signed_in.err.contains("WDJB-MJHT"), "the code is shown: {signed_in:?}");
    let token = world.run(&["get", "warmhub"]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    let place = format!("{}/repos/x", hub.url);
    assert_eq!(world.run(&["get", &place]).expect(0).out, token, "it serves its own origin");
    world.run(&["get", "https://elsewhere.example/"]).refused(&[3], &["elsewhere.example"]);
    let status = world.run(&["status"]).expect(0).out;
    for words in ["device flow", "hal@example.com", &hub.url, "expires"] {
        assert!(status.contains(words), "no {words}: {status}");
    }
}

#[test]
fn the_variable_goes_before_the_session_on_every_door() {
    let (_idp, hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let record = std::fs::read(world.data("warmhub")).unwrap();
    let own = world.run(&["get", "warmhub"]).expect(0).out;
    let question = format!("protocol=http\nhost={}\n\n", hub.url.trim_start_matches("http://"));
    let git = |value: &str| done(world.hallpass(&["git", "get"]).env("WH_TOKEN", value).write_stdin(question.as_str()));
    for value in ["wh_pat_one", "wh_pat_two"] {
        let variable = ("WH_TOKEN", value);
        assert_eq!(with(&world, variable, &["get", "warmhub"]).expect(0).out, format!("{value}\n"));
        assert_eq!(
            with(&world, variable, &["header", "warmhub"]).expect(0).out,
            format!("Authorization: Bearer {value}\n")
        );
        assert!(git(value).expect(0).out.contains(&format!("password={value}\n")));
        assert!(with(&world, variable, &["status"]).expect(0).out.contains("WH_TOKEN, in place of the session"));
        // Another place than the account's own never sees it.
        with(&world, variable, &["get", "https://elsewhere.example/"]).refused(&[3], &[]);
    }
    assert_eq!(with(&world, ("WH_TOKEN", ""), &["get", "warmhub"]).expect(0).out, own, "empty is unset");
    assert_eq!(std::fs::read(world.data("warmhub")).unwrap(), record, "nothing of it is kept");
    let out = with(&world, ("WH_TOKEN", "wh_pat_one"), &["logout", "warmhub"]).expect(0);
    assert!(out.err.contains("WH_TOKEN is still set"), "{out:?}");
}

#[test]
fn an_expired_jwt_in_the_variable_is_4_and_names_it() {
    let (_idp, _hub, world) = scene();
    // {"exp":1000000000}
    let jwt = "e30.eyJleHAiOjEwMDAwMDAwMDB9.c2ln";
    with(&world, ("WH_TOKEN", jwt), &["get", "warmhub"]).refused(&[4], &["warmhub", "WH_TOKEN", "expired"]);
}

#[test]
fn tokens_for_machines_are_made_listed_and_revoked() {
    let (_idp, hub, world) = scene();
    with(&world, ("WH_CLIENT_ID", "cli"), &["login", "warmhub"]).expect(0);
    let token = world.run(&["get", "warmhub"]).expect(0).out.trim_end().to_owned();

    let made = world.run(&["token", "create", "ci", "--scope", "repo:read", "--scope", "repo:write"]).expect(0);
    assert_eq!(made.out, "wh_pat_new\n");
    assert!(made.err.contains("fewer scopes"), "a narrower answer is said: {made:?}");
    let (method, path, bearer, body) = hub.asked().pop().unwrap();
    assert_eq!((method.as_str(), path.as_str(), bearer), ("POST", "/api/pats", format!("Bearer {token}")));
    assert_eq!(body["expires_in_days"], 30, "a month by itself");
    assert_eq!(body["scopes"], serde_json::json!(["repo:read", "repo:write"]));

    let asked = hub.asked().len();
    for days in ["0", "366"] {
        world.run(&["token", "create", "ci", "--days", days]).refused(&[2], &["365"]);
    }
    assert_eq!(hub.asked().len(), asked, "refused before anything is asked");

    let list = world.run(&["token", "list"]).expect(0).out;
    assert!(list.contains("ci?[2J") && list.contains("2027-01-01") && !list.contains("canary"), "{list:?}");
    assert!(world.run(&["token", "revoke", "7"]).expect(0).err.contains("is revoked"));
    assert!(world.run(&["token", "revoke", "8"]).expect(0).err.contains("gone already"));
    world.run(&["token", "revoke", "../../users/1"]).refused(&[2], &["no token's identifier"]);
    assert!(!hub.asked().iter().any(|(_, path, ..)| path.contains("users")));
}

#[test]
fn without_a_person_it_says_which_variable_would_do() {
    let (_idp, _hub, world) = scene();
    let failed = done(world.hallpass(&["get", "warmhub"]).env("CI", "true")).refused(&[4], &["hallpass login warmhub"]);
    assert!(failed.err.contains("WH_TOKEN"), "{failed:?}");
}
