//! The same race side by side: parallel callers on an expired token at a server that rotates and forgives nothing
//!
//! `ortie` (crates.io) is a program of the same kind: a command line that prints a token and refreshes an expired one. It
//! keeps the token through commands of the user's; here they are a file that is replaced in one step.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::callers::{self, Caller};
use super::print;
use super::scene::Scene;
use crate::grants::{State, now};
use crate::idp::Idp;
use crate::runs::{Done, has};
use crate::world::World;

const ROUNDS: usize = 10;
/// As of a server that is not on this machine.
const LATENCY: u64 = 50;

/// What one program did in all rounds with so many callers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    requests: usize,
    reuses: usize,
    failures: usize,
    /// Rounds after which the refresh token that was kept is no good.
    lost: usize,
}

#[test]
#[ignore = "needs another program: integrations/crash/check --full runs it"]
fn the_same_race_run_by_two_programs() {
    let mut others = Vec::new();
    if has("ortie") {
        others.push("ortie");
    }
    print(&format!(
        "race, {ROUNDS} rounds: {:9} {:>7} {:>9} {:>7} {:>9} {:>6}",
        "program", "callers", "requests", "reuses", "failures", "lost"
    ));
    for callers in [1, 2, 8, 32] {
        for program in ["hallpass"].iter().chain(&others) {
            let row = if *program == "ortie" { ortie(callers) } else { hallpass(callers) };
            let Row { requests, reuses, failures, lost } = row;
            print(&format!(
                "race, {ROUNDS} rounds: {program:9} {callers:7} {requests:9} {reuses:7} {failures:9} {lost:6}"
            ));
            if *program == "hallpass" {
                assert_eq!(row, Row { requests: ROUNDS, ..Row::default() });
            }
        }
    }
}

fn strict() -> Idp {
    Idp::builder().latency(LATENCY).start()
}

fn hallpass(callers: usize) -> Row {
    let scene = Scene::plain(strict());
    callers::prepare(&scene.world);
    let kept = || scene.held().and_then(|held| held.refresh);
    race(&scene.idp, callers, || drop(scene.begin(4000)), || Caller::at(&scene.world, 0), kept)
}

fn ortie(callers: usize) -> Row {
    let idp = strict();
    let world = World::bare();
    let (file, config) = (world.path("token.json"), world.path("ortie.toml"));
    let write = world.script("write", "#!/bin/sh\ncat >\"$1.$$\" && mv \"$1.$$\" \"$1\"\n");
    let (file_name, issuer) = (file.display(), &idp.issuer);
    let text = format!(
        "[accounts.work]\ndefault = true\nclient-id = \"cli\"\nendpoints.authorization = \"{issuer}/authorize\"\n\
         endpoints.token = \"{issuer}/token\"\nscopes = [\"openid\"]\nauto-refresh = true\n\
         storage.read.command = [\"cat\", \"{file_name}\"]\nstorage.write.command = [\"{}\", \"{file_name}\"]\n",
        write.display()
    );
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let begin = || {
        let mut tokens = idp.begin();
        tokens["issued_at"] = json!(now() - 4000);
        fs::write(&file, tokens.to_string()).unwrap();
    };
    let start = || {
        let mut command = world.program("ortie", &["--config", config.to_str().unwrap(), "token", "show"]);
        command.stdin(Stdio::null());
        Caller::start(command)
    };
    let kept = || {
        let tokens: Value = serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()?;
        tokens["refresh_token"].as_str().map(str::to_owned)
    };
    race(&idp, callers, begin, start, kept)
}

/// Each round is a new session whose token has expired, and this many callers at once.
fn race(
    idp: &Idp,
    callers: usize,
    begin: impl Fn(),
    start: impl Fn() -> Caller,
    kept: impl Fn() -> Option<String>,
) -> Row {
    let (mut row, before) = (Row::default(), idp.count("refresh_token"));
    for _ in 0..ROUNDS {
        begin();
        let crowd: Vec<_> = (0..callers).map(|_| start()).collect();
        let ends: Vec<Done> = crowd.into_iter().map(Caller::end).collect();
        let well = |done: &&Done| done.code == Some(0) && callers::token(&done.out).is_some();
        row.failures += callers - ends.iter().filter(well).count();
        row.lost += usize::from(kept().is_none_or(|refresh| idp.state(&refresh) != State::Newest));
    }
    row.requests = idp.count("refresh_token") - before;
    row.reuses = idp.reuses();
    row
}
