//! A hundred callers at once: one request, one page, one outcome.

use std::collections::BTreeSet;

use crate::answers::{At, Fault};
use crate::callback::{approve, get, opened};
use crate::idp::Idp;
use crate::runs::{Done, Running, until};
use crate::world::{Behaviour, World};

fn crowd(world: &World, size: usize) -> Vec<Running> {
    (0..size).map(|_| world.start(&["get"])).collect()
}

fn all_served(crowd: Vec<Running>) -> BTreeSet<String> {
    crowd.into_iter().map(|caller| caller.end().expect(0).out).collect()
}

/// Until everybody in the crowd waits; where that cannot be seen, a moment must do.
fn gathered(crowd: &[Running]) {
    if !cfg!(target_os = "linux") {
        return std::thread::sleep(std::time::Duration::from_secs(3));
    }
    until("the crowd to wait", || crowd.iter().all(|one| one.sleeps() >= 10).then_some(()));
}

#[test]
fn a_hundred_callers_make_one_refresh() {
    let idp = Idp::builder().latency(150).start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    let tokens = all_served(crowd(&world, 100));
    assert_eq!(idp.count("refresh_token"), 1);
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(idp.live_access_token(tokens.first().unwrap().trim_end()));
    assert!(idp.family_alive() && idp.reuses() == 0);
    assert_eq!(world.opened().len(), 1);
}

#[test]
fn a_hundred_callers_of_many_doors_make_one_refresh() {
    let idp = Idp::builder().latency(150).lifetime(30).start();
    let world = World::signed_in(&idp);
    world.shift(40);
    let question = world.path("home/question");
    std::fs::write(&question, "protocol=https\nhost=git.example.com\n\n").unwrap();
    let doors = [["get"].as_slice(), &["header"], &["git", "get"], &["kubectl"]];
    let crowd: Vec<_> = (0..40)
        .map(|n| {
            let mut command = world.command(doors[n % doors.len()]);
            command.stdin(std::fs::File::open(&question).unwrap());
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            Running::start_as_is(command)
        })
        .collect();
    for caller in crowd {
        let done = caller.end().expect(0);
        assert!(!done.out.is_empty(), "{done:?}");
    }
    assert_eq!(idp.count("refresh_token"), 1, "tokens of half a minute make no storm");
    assert!(idp.family_alive() && idp.reuses() == 0);
}

#[test]
fn a_hundred_callers_without_a_session_open_one_page() {
    let idp = Idp::builder().latency(150).start();
    let world = World::new(&idp);
    let tokens = all_served(crowd(&world, 100));
    assert_eq!((world.opened().len(), idp.authorize_calls(), idp.count("authorization_code")), (1, 1, 1));
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert_eq!(idp.count("refresh_token"), 0);
}

#[test]
fn a_killed_leader_has_exactly_one_successor() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let leader = world.start(&["get"]);
    opened(&world);
    let waiters = crowd(&world, 20);
    gathered(&waiters);
    assert_eq!(world.opened().len(), 1, "a waiter opened a page of its own");
    world.browser(Behaviour::Follow);
    leader.kill();
    let tokens = all_served(waiters);
    assert_ne!(leader.end().code, Some(0));
    assert_eq!(world.opened().len(), 2, "exactly one successor");
    assert_eq!((tokens.len(), idp.count("authorization_code")), (1, 1));
}

#[test]
fn waiters_share_a_denial() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let leader = world.start(&["get"]);
    let url = opened(&world);
    let waiters = crowd(&world, 20);
    gathered(&waiters);
    world.browser(Behaviour::Follow);
    idp.always(At::Authorize, Fault::Deny);
    get(&approve(&url));
    let ends: Vec<Done> = waiters.into_iter().map(Running::end).collect();
    leader.end().refused(&[5], &["work"]);
    for done in ends {
        done.refused(&[5], &["work"]);
    }
    assert_eq!(world.opened().len(), 1, "a second page after a denial");
}

#[test]
fn a_waiting_login_takes_the_first_ones_outcome() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let leader = world.start(&["get"]);
    let url = opened(&world);
    let waiters = crowd(&world, 5);
    gathered(&waiters);
    get(&approve(&url));
    let tokens = all_served(waiters);
    assert_eq!(tokens.len(), 1);
    assert_eq!(&leader.end().expect(0).out, tokens.first().unwrap());
    assert_eq!((world.opened().len(), idp.count("authorization_code")), (1, 1));
}

#[test]
fn a_person_thinking_does_not_block_a_live_session() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work"]);
    until("the second page", || (world.opened().len() == 2).then_some(()));
    world.shift(4000);
    let token = world.run(&["get"]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    assert_eq!(idp.count("refresh_token"), 1);
    login.kill();
    login.end();
    assert_eq!(world.run(&["get"]).expect(0).out, token, "a cancelled sign-in cost the session");
}

#[test]
fn a_killed_holder_of_the_record_lock_is_no_obstacle() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    idp.once(At::Token, Fault::Status(500, vec![], "before anything was spent"));
    idp.once(At::Token, Fault::Hang);
    let holder = world.start(&["get"]);
    until("a request", || (idp.count("refresh_token") >= 1).then_some(()));
    holder.kill();
    holder.end();
    idp.heal();
    // A strict server: the next caller may replay, and either way it ends with an answer or a reason.
    world.run(&["get"]).expect_any(&[0, 4, 6]);
    assert!(idp.count("refresh_token") <= 4);
}

/// Everybody's first act is to write the routes: nobody may read from a folder that is half there.
#[test]
fn a_hundred_first_callers_find_their_account() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    // A configuration younger than two seconds is not indexed.
    world.settle();
    for _ in 0..5 {
        let _ = std::fs::remove_dir_all(world.data("routes"));
        let tokens = all_served(crowd(&world, 100));
        assert_eq!(tokens.iter().map(|token| token.trim_end()).collect::<Vec<_>>(), [token.as_str()]);
    }
}
