//! Logging out: revoked at the server where it can be, forgotten here in any case.

use crate::answers::{At, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::runs::done;
use crate::world::World;

const HOME: &str = r#"["https://home.example.com"]"#;

fn revoked(idp: &Idp) -> Vec<String> {
    idp.calls(At::Revoke).iter().map(|call| field(&call.form, "token").unwrap_or("").to_owned()).collect()
}

#[test]
fn the_refresh_token_is_revoked_first_and_then_forgotten() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (record, token) = (world.record(), world.token());
    world.run(&["logout"]).expect(0);
    let calls = idp.calls(At::Revoke);
    assert_eq!(revoked(&idp)[0], record["refresh_token"].as_str().unwrap());
    assert_eq!(field(&calls[0].form, "client_id"), Some("cli"));
    assert!(!idp.family_alive() && !idp.live_access_token(&token));
    assert_eq!(world.holdings(), [""; 0]);
    world.run(&["get"]).refused(&[4], &["hallpass login work"]);
    world.sign_in();
    assert!(idp.live_access_token(&world.token()));
}

/// Others may use a token that was pasted in.
#[test]
fn a_pasted_token_is_revoked_only_when_that_is_asked_for() {
    const PAT: &str = "glpat-0123456789abcdefghijklmnopqrstuvwxyz";
    for (args, told) in [(["logout", "work"].as_slice(), [""; 0].as_slice()), (&["logout", "work", "--revoke"], &[PAT])]
    {
        let idp = Idp::start();
        idp.add_pat(PAT);
        let world = World::new(&idp);
        done(world.hallpass(&["login", "work", "--token-stdin"]).write_stdin(PAT)).expect(0);
        world.run(args).expect(0);
        assert_eq!(revoked(&idp), told, "{args:?}");
        assert_eq!(world.holdings(), [""; 0]);
    }
}

#[test]
fn local_asks_nobody() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let calls = idp.every_call();
    world.run(&["logout", "work", "--local"]).expect(0);
    assert_eq!(idp.every_call(), calls);
    assert!(idp.family_alive());
    assert_eq!(world.holdings(), [""; 0]);
}

#[test]
fn one_account_leaves_the_other_and_all_leaves_none() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add(&World::account("home", &idp, HOME));
    world.sign_in();
    world.with_person(&["login", "home"]).expect(0);
    assert_eq!(world.holdings(), ["home", "work"]);
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(world.holdings(), ["home"]);
    world.run(&["get", "home"]).expect(0);
    world.sign_in();
    world.run(&["logout", "--all"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
}

#[test]
fn a_server_that_cannot_revoke_does_not_keep_us_signed_in() {
    for fault in [Fault::Status(503, vec![], ""), Fault::CloseBeforeAnswer, Fault::Html200] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        idp.always(At::Revoke, fault.clone());
        world.run(&["logout", "work"]).expect_any(&[0, 6]);
        assert_eq!(world.holdings(), [""; 0], "{fault:?}");
    }
}

#[test]
fn a_damaged_record_can_be_logged_out_of() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    std::fs::write(world.data("work"), "nonsense").unwrap();
    world.run(&["logout", "work"]).expect_any(&[0, 7]);
    assert_eq!(world.holdings(), [""; 0]);
    world.sign_in();
    world.token();
}

#[test]
fn an_account_nobody_knows_is_3() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.run(&["logout", "nosuch"]).refused(&[3], &["nosuch"]);
    assert!(world.has_record());
}

#[test]
fn a_name_is_never_a_path() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    std::fs::write(world.path("home/victim"), "precious").unwrap();
    for name in ["../../victim", "/etc/passwd", "work.lock", "Work", "-x", "a/b", "..", "", "w\u{f6}rk"] {
        for verb in ["logout", "get", "refresh", "login"] {
            let done = world.run(&[verb, name]);
            assert!(done.code != Some(0), "{verb} {name:?}: {done:?}");
            assert_eq!(done.out, "");
        }
    }
    assert_eq!(std::fs::read_to_string(world.path("home/victim")).unwrap(), "precious");
    assert!(world.has_record());
}
