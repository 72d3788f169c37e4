//! Signing in by a code that is confirmed on another device (RFC 8628): the flow, its pace and its ends.

use std::time::Duration;

#[cfg(unix)]
use rustix::process::Signal;
use serde_json::Value;

use crate::answers::{At, Fault};
use crate::device_grants::{Device, GRANT, Poll, USER_CODE};
use crate::forms::field;
use crate::idp::Idp;
use crate::runs::{Done, Running, until};
use crate::world::{Behaviour, World};

const LOGIN: &[&str] = &["login", "work", "--device"];

/// A server with this device flow, and a person who looks at no page.
pub fn scene(device: Device) -> (Idp, World) {
    let idp = Idp::builder().id_tokens().device(device).start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    (idp, world)
}

/// The page, and the page with the code in it.
pub fn pages(idp: &Idp) -> (String, String) {
    (format!("{}/device", idp.issuer), format!("{}/device?user_code={USER_CODE}", idp.issuer))
}

/// Tries all of these at the same time: most of what a device does is wait.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || test(case));
        }
    });
}

#[track_caller]
fn signed_in(idp: &Idp, world: &World) {
    assert!(idp.live_access_token(&world.token()));
    assert_eq!(idp.complaints(), [""; 0]);
}

#[test]
fn a_code_confirmed_elsewhere_is_a_session() {
    let (idp, world) = scene(Device::script(&[Poll::Pending, Poll::Granted]));
    let done = world.run(LOGIN).expect(0);
    let (page, complete) = pages(&idp);
    assert_eq!(done.out, "", "{done:?}");
    assert_eq!(done.err.lines().filter(|line| line.trim() == USER_CODE).count(), 1, "a line of its own: {done:?}");
    assert!(done.err.lines().any(|line| line.split(' ').any(|word| word == page)), "no address: {done:?}");
    assert!(done.err.contains("hal@example.com") && done.err.contains("`work`"), "{done:?}");
    assert!(!done.err.contains(['\u{1b}', '\r', '█', '▀', '▄']), "nobody looks: {done:?}");
    assert_eq!(until("a browser", || world.opened().pop()), complete);
    assert_eq!((world.opened().len(), idp.authorize_calls(), idp.pauses().len()), (1, 0, 2));
    assert!(idp.pauses().into_iter().all(|pause| pause >= Duration::from_secs(1)), "{:?}", idp.pauses());

    let asked = idp.calls(At::Device);
    assert_eq!((field(&asked[0].form, "client_id"), asked.len()), (Some("cli"), 1));
    assert_eq!(field(&asked[0].form, "scope"), Some("openid offline_access"));
    let poll = idp.calls(At::Token).pop().unwrap();
    let keys: Vec<_> = poll.form.iter().map(|(key, _)| key.as_str()).collect();
    assert!(keys.iter().all(|key| ["grant_type", "device_code", "client_id"].contains(key)), "{keys:?}");
    for secret in idp.secrets() {
        assert!(!done.err.contains(&secret), "a secret on the screen: {done:?}");
    }

    signed_in(&idp, &world);
    world.shift(4000);
    signed_in(&idp, &world);
    assert_eq!((idp.count("refresh_token"), idp.count(GRANT)), (1, 2), "a session like any other");
}

#[test]
fn the_page_with_the_code_in_it_is_all_a_person_needs() {
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    world.browser(Behaviour::Follow);
    world.run(LOGIN).expect(0);
    signed_in(&idp, &world);
}

#[test]
fn with_no_open_the_address_alone_is_on_stdout() {
    let (idp, world) = scene(Device::script(&[Poll::Granted]));
    let done = world.run(&["login", "work", "--device", "--no-open"]).expect(0);
    assert_eq!(done.out, format!("{}\n", pages(&idp).0), "{done:?}");
    assert!(done.err.lines().any(|line| line.trim() == USER_CODE), "{done:?}");
    assert_eq!(world.opened(), [""; 0]);
    signed_in(&idp, &world);
}

#[test]
fn the_configuration_or_a_server_without_pages_chooses_it_too() {
    let device = || Device::script(&[Poll::Granted]).with("verification_uri_complete", Value::Null);
    let (configured, by_flow) = scene(device());
    by_flow.add("flow = \"device\"");
    let (alone, by_server) = scene(device().only_way());
    let (named, by_endpoints) = scene(device());
    by_endpoints.config(&format!(
        "[account.work]\ntoken_endpoint = \"{0}/token\"\ndevice_authorization_endpoint = \"{0}/device/authorize\"\n\
         client_id = \"cli\"\nserves = [\"https://git.example.com\"]\nflow = \"device\"\n",
        named.issuer
    ));
    at_once([(configured, by_flow), (alone, by_server), (named, by_endpoints)], |(idp, world)| {
        let done = world.with_person(&["get"]).expect(0).says(&[USER_CODE, &pages(&idp).0]);
        assert!(idp.live_access_token(done.out.trim_end()) && done.out.lines().count() == 1, "{done:?}");
        assert_eq!(until("a browser", || world.opened().pop()), pages(&idp).0, "there is no complete one");
        assert_eq!((idp.authorize_calls(), idp.calls(At::Metadata).len() > 1), (0, false));
        signed_in(&idp, &world);
    });
}

/// Pauses that must be at least so long; a slower client is no fault.
#[test]
fn nobody_is_polled_faster_than_they_said() {
    let granted = || Device::script(&[Poll::Granted]);
    let cases = [
        (Device::script(&[Poll::SlowDown, Poll::Pending, Poll::Granted]), vec![1, 6, 6]),
        (Device::script(&[Poll::SlowDownTo(7), Poll::Granted]).github(), vec![1, 7]),
        (Device::script(&[Poll::SlowDownTo(1), Poll::Granted]).with("interval", 2), vec![2, 7]),
        (granted().with("interval", Value::Null), vec![5]),
        (granted().with("interval", "2").with("expires_in", "900"), vec![2]),
        (granted().with("interval", 0), vec![1]),
        (granted().with("interval", -3), vec![1]),
    ];
    at_once(cases, |(device, least)| {
        let (idp, world) = scene(device);
        world.run(LOGIN).expect(0);
        let pauses = idp.pauses();
        assert_eq!(pauses.len(), least.len(), "{pauses:?} but {least:?}");
        for (pause, least) in pauses.iter().zip(&least) {
            assert!(*pause >= Duration::from_secs(*least), "{pauses:?} but {least:?}");
        }
        assert!(idp.live_access_token(&world.token()));
    });
}

#[test]
fn a_denied_or_forgotten_code_is_5_and_nothing_is_kept() {
    let denied = || Device::script(&[Poll::Pending, Poll::Denied]);
    let expired = || Device::script(&[Poll::Expired]);
    let late = Device::script(&[Poll::Pending]).with("expires_in", 6); // with time for a question on a busy machine
    at_once([denied(), denied().github(), expired(), expired().github(), late], |device| {
        let (idp, world) = scene(device);
        let done = world.start(LOGIN).end().refused(&[5], &["work", "hallpass login work"]);
        assert!(!world.has_record() && !world.data("work.next").exists(), "{done:?}");
        assert!(idp.count(GRANT) >= 1 && idp.complaints() == [""; 0], "{:?}", idp.complaints());
    });
}

#[test]
fn the_time_a_person_has_ends_it() {
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    world.start(&["login", "work", "--device", "--timeout", "2s"]).end().refused(&[5], &["work"]);
    assert!(!world.has_record());
    assert_eq!(idp.complaints(), [""; 0]);
}

#[test]
fn a_failed_attempt_leaves_the_older_session_alone() {
    let (idp, world) = scene(Device::script(&[Poll::Granted]));
    world.run(LOGIN).expect(0);
    let token = world.token();
    idp.decide(Poll::Denied);
    world.run(LOGIN).refused(&[5], &["work"]);
    assert_eq!(world.token(), token);
}

#[test]
fn faults_while_polling_do_not_end_it() {
    let faults = [
        Fault::CloseBeforeAnswer,
        Fault::Status(503, vec![], "<html>try later</html>"),
        Fault::Status(429, vec![("Retry-After", "1")], ""),
        Fault::Html200,
    ];
    // The code is still pending when the connection drops: what was granted and lost is lost.
    let device = || Device::script(&[Poll::Pending, Poll::Granted]).with("verification_uri_complete", Value::Null);
    at_once(faults, |fault| {
        let (idp, world) = scene(device());
        idp.once(At::Token, fault.clone());
        let done = world.run(LOGIN).expect(0);
        assert!(world.has_record(), "{fault:?}: {done:?}");
        assert!(idp.pauses()[1] >= Duration::from_secs(2), "in haste after {fault:?}: {:?}", idp.pauses());
        signed_in(&idp, &world);
    });
}

#[test]
fn silence_to_the_end_is_the_networks_fault() {
    let (idp, world) = scene(Device::script(&[Poll::Granted]));
    idp.always(At::Token, Fault::Status(503, vec![], ""));
    world.run(&["login", "work", "--device", "--timeout", "6"]).refused(&[6], &["work"]);
    assert!(!world.has_record());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_with_its_code_and_nothing_is_kept() {
    at_once([(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)], |(signal, code)| {
        let (idp, world) = scene(Device::script(&[Poll::Pending]));
        let login = world.start(LOGIN);
        until("a poll", || (!idp.pauses().is_empty()).then_some(()));
        login.signal(signal);
        let done = login.end();
        assert!(done.code.is_none() || done.code == Some(code), "{done:?}");
        assert!(!world.has_record() && !world.data("work.next").exists(), "{done:?}");
    });
}

fn callers(world: &World, count: usize) -> Vec<Running> {
    (0..count).map(|_| world.start(&["get"])).collect()
}

/// One caller that shows a code, and others that have been waiting for it to be confirmed.
fn crowd() -> (Idp, World, Vec<Running>) {
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    world.add("flow = \"device\"");
    let mut all = callers(&world, 1);
    until("the first poll", || (!idp.pauses().is_empty()).then_some(()));
    let waiters = callers(&world, 10);
    match cfg!(target_os = "linux") {
        true => until("the crowd to wait", || waiters.iter().all(|one| one.sleeps() >= 10).then_some(())),
        false => std::thread::sleep(Duration::from_secs(3)),
    }
    all.extend(waiters);
    (idp, world, all)
}

#[test]
fn waiters_share_the_token() {
    let (idp, world, all) = crowd();
    idp.decide(Poll::Granted);
    let mut tokens: Vec<_> = all.into_iter().map(|caller| caller.end().expect(0).out).collect();
    tokens.dedup();
    assert_eq!((tokens.len(), idp.calls(At::Device).len(), world.opened().len()), (1, 1, 1));
    signed_in(&idp, &world);
}

#[test]
fn waiters_share_the_denial() {
    let (idp, world, all) = crowd();
    idp.decide(Poll::Denied);
    let ends: Vec<Done> = all.into_iter().map(Running::end).collect();
    for done in ends {
        done.refused(&[5], &["work"]);
    }
    assert_eq!((idp.calls(At::Device).len(), world.opened().len()), (1, 1), "a second code after a denial");
}

#[test]
fn a_killed_leader_has_one_successor_with_a_code_of_its_own() {
    let (idp, world, mut all) = crowd();
    let leader = all.remove(0);
    leader.kill();
    leader.end();
    until("another code", || (idp.calls(At::Device).len() == 2).then_some(()));
    idp.decide(Poll::Granted);
    all.into_iter().for_each(|caller| drop(caller.end().expect(0)));
    assert_eq!((idp.calls(At::Device).len(), world.opened().len()), (2, 2));
}
