//! `HALLPASS_LOG`: what was done, for whoever looks for the reason. Not a byte of it on a tool's streams, none of a hit,
//! and no secret.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::answers::{At, Fault};
use crate::device::scene;
use crate::device_grants::{Device, Poll, USER_CODE};
use crate::forms::field;
use crate::idp::Idp;
use crate::runs::{Done, done};
use crate::world::World;

fn logged(world: &World, log: &str, args: &[&str]) -> Done {
    done(world.hallpass(args).env("HALLPASS_LOG", log).env("HALLPASS_INTERACTIVE", "always"))
}

#[test]
fn each_step_is_a_line_and_a_hit_is_none() {
    let idp = Idp::start();
    let host = idp.issuer.strip_prefix("http://").unwrap();
    let world = World::new(&idp);
    let own = world.path("own.log");
    for (log, file) in [("1", world.path("home/.state/hallpass/log")), (own.to_str().unwrap(), own.clone())] {
        let text = || fs::read_to_string(&file).unwrap_or_default();
        logged(&world, log, &["login", "work"]).expect(0);
        let begun = text();
        for words in [
            "signing in to account `work` by browser",
            &format!("starts `{}`", world.path("browser/run").display()),
            &format!("GET {host}/.well-known/openid-configuration: 200 in "),
            &format!("POST {host}/token: 200 in "),
        ] {
            assert!(begun.contains(words), "no {words}: {begun}");
        }
        let is_stamped = |line: &str| {
            let mut words = line.split(' ');
            hallpass_protocol::time::from_rfc3339(words.next().unwrap()).is_some()
                && words.next().is_some_and(|pid| pid.parse::<u32>().is_ok())
        };
        assert!(begun.lines().all(is_stamped), "{begun}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // A hit asks nobody, and says nothing.
        let hit = logged(&world, log, &["get"]).expect(0);
        assert_eq!((text(), hit.err.as_str()), (begun.clone(), ""));
        // A refresh that fails, and one that does not.
        world.shift(4000);
        idp.once(At::Token, Fault::Status(503, vec![], ""));
        let failed = logged(&world, log, &["get"]).refused(&[6], &["503"]);
        let later = text();
        let later = later.strip_prefix(&begun).unwrap();
        for words in [
            "get: account `work` needs another token",
            "/token: 503 in ",
            &failed.err.lines().next().unwrap()["hallpass: ".len()..],
        ] {
            assert!(later.contains(words), "no {words}: {later}");
        }
        let refreshed = logged(&world, log, &["get"]).expect(0);
        assert_eq!(refreshed.err, "");
        for secret in idp.secrets() {
            assert!(!text().contains(&secret), "a secret in {}", text());
        }
        for call in [idp.calls(At::Token), idp.calls(At::Authorize)].concat() {
            for (name, value) in call.form.iter().filter(|(_, value)| value.len() >= 20) {
                let is_known = name == "grant_type" || name == "redirect_uri";
                assert!(is_known || !text().contains(value.as_str()), "{name} in {}", text());
            }
        }
    }
}

#[test]
fn without_it_nothing_is_written_and_where_it_cannot_be_nothing_fails() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    for off in ["", "0"] {
        logged(&world, off, &["refresh"]).expect_any(&[0, 4]);
    }
    assert!(!world.path("home/.state/hallpass").exists());
    let nowhere = world.path("no/such/folder/log");
    world.shift(4000);
    let got = logged(&world, nowhere.to_str().unwrap(), &["get"]).expect(0);
    assert_eq!(got.err, "");
    let pipe = world.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    world.shift(4000);
    logged(&world, pipe.to_str().unwrap(), &["get"]).expect(0);
    let told = logged(&world, nowhere.to_str().unwrap(), &["doctor"]).expect(7);
    assert!(told.out.contains(nowhere.to_str().unwrap()) && told.out.contains("HALLPASS_LOG"), "{told:?}");
    let told = logged(&world, "1", &["doctor", "work"]).expect(0);
    assert!(told.out.contains("home/.state/hallpass/log"), "{told:?}");
}

/// A code that somebody could confirm in another's place is for the screen alone.
#[test]
fn a_devices_code_is_not_noted() {
    let (idp, world) = scene(Device::script(&[Poll::Pending, Poll::Granted]));
    logged(&world, "1", &["login", "work", "--device"]).expect(0);
    let text = fs::read_to_string(world.path("home/.state/hallpass/log")).unwrap();
    assert!(text.contains("/device/authorize: 200 in ") && text.contains("/token: 400 in "), "{text}");
    let code = field(&idp.calls(At::Token)[0].form, "device_code").unwrap().to_owned();
    assert!(!text.contains(USER_CODE) && !text.contains(&code), "{text}");
}
