//! The stampede: a thousand callers find an expired token, twenty times; each time the server hears of one

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use super::callers::{self, Caller, DOORS};
use super::scene::Scene;
use super::{is_full, print};
use crate::idp::Idp;
use crate::world::World;

/// How long the server takes for one token request: as one far away, so that the callers meet.
const LATENCY: u64 = 150;

fn size() -> (usize, usize) {
    if is_full() { (20, 1000) } else { (3, 200) }
}

/// The rounds: token requests, failures, and the slowest round beside the time of as many hits.
fn stampede(name: &str, scene: &Scene, start: impl Fn(&World, usize) -> Caller) {
    let ((rounds, callers), world, idp) = (size(), &scene.world, &scene.idp);
    callers::prepare(world);
    let round = || {
        let began = Instant::now();
        let callers: Vec<_> = (0..callers).map(|at| start(world, at)).collect();
        let ends: Vec<_> = callers.into_iter().map(Caller::end).collect();
        (ends, began.elapsed())
    };
    scene.begin(0);
    let (_, hits) = round();
    let (before, mut failures, mut slowest) = (idp.count("refresh_token"), Vec::new(), Duration::ZERO);
    for _ in 0..rounds {
        scene.shift(4000);
        let (ends, took) = round();
        let newest = scene.held().unwrap().access;
        slowest = slowest.max(took);
        failures.extend(ends.into_iter().filter(|done| {
            done.code != Some(0) || callers::token(&done.out) != Some(&newest) || !idp.live_access_token(&newest)
        }));
    }
    let requests = idp.count("refresh_token") - before;
    print(&format!(
        "stampede, {name}: {callers} callers x {rounds} rounds: {requests} token requests, {} failures, {} reuses; slowest \
         round {:.2} s with {LATENCY} ms at the server, as many hits {:.2} s",
        failures.len(),
        idp.reuses(),
        slowest.as_secs_f64(),
        hits.as_secs_f64()
    ));
    assert!(failures.is_empty(), "{:?}", failures.first());
    assert_eq!((requests, idp.reuses()), (rounds, 0));
    assert_eq!(world.opened().len(), 1, "a page was opened"); // the one of the scene's own sign-in
}

fn strict() -> Idp {
    Idp::builder().latency(LATENCY).start()
}

#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn a_thousand_callers_make_one_request_a_round() {
    stampede("one door", &Scene::plain(strict()), |world, _| Caller::at(world, 0));
}

#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn a_thousand_callers_of_many_doors_make_one_request_a_round() {
    stampede("mixed doors", &Scene::plain(strict()), |world, at| Caller::at(world, at % DOORS.len()));
}

#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn a_thousand_callers_with_a_keychain_make_one_request_a_round() {
    let Some(scene) = Scene::sealed(strict()) else { return };
    stampede("sealed", &scene, |world, at| Caller::at(world, at % DOORS.len()));
}

/// Shells, editors and services spell the same folders in many ways.
#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn a_thousand_callers_who_spell_the_folders_differently_make_one_request_a_round() {
    let scene = Scene::plain(strict());
    let world = &scene.world;
    fs::create_dir(world.path("home/.local")).unwrap();
    symlink(world.path("home/.data"), world.path("home/.local/share")).unwrap();
    symlink(world.path("home"), world.path("moved")).unwrap();
    symlink(world.path("home/.data"), world.path("data")).unwrap();
    let spell = |world: &World, command: &mut Command, at: usize| {
        match at % 6 {
            0 => command.env("XDG_STATE_HOME", world.path(&format!("state-{at}"))),
            1 => command.env("XDG_RUNTIME_DIR", world.path(&format!("run-{at}"))).env("TMPDIR", "/nowhere"),
            2 => command.env("XDG_DATA_HOME", world.path("data")),
            3 => command.env("HOME", world.path("moved")).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME"),
            4 => command.env_remove("XDG_DATA_HOME").env_remove("XDG_STATE_HOME").env("XDG_CACHE_HOME", "/nowhere"),
            _ => command.env("XDG_DATA_HOME", world.path("moved/.data/../.data")).current_dir("/"),
        };
    };
    stampede("other XDG variables", &scene, |world, at| {
        Caller::dressed(world, at % DOORS.len(), |command| spell(world, command, at))
    });
}
