//! Many at once: one refresh, no page, and a holder that dies costs no more than its own try.

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::idp::Idp;
use crate::runs::{Running, until};
use crate::world::World;

use super::wire::Wire;
use super::{expired, sound};

/// F119: nobody is signed in and nobody can be asked.
#[test]
fn a_crowd_without_a_session_opens_no_page() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let crowd: Vec<_> = (0..100).map(|_| Running::start(world.command(&["get"]))).collect();
    for caller in crowd {
        caller.end().refused(&[4], &["work", "hallpass login work"]);
    }
    assert_eq!((world.opened().len(), idp.every_call()), (0, 0));
    assert_eq!(world.holdings(), [""; 0]);
}

/// F120: a crowd whose holders are killed one after the other. Each death costs at most its own request, and the last
/// one's answer is everybody's. The server of the first ones never answers and spends nothing.
#[test]
fn a_crowd_whose_holders_die() {
    let idp = Idp::start();
    let world = expired(&idp);
    let wire = Wire::start(|stream| {
        std::thread::sleep(std::time::Duration::from_secs(60));
        drop(stream);
    });
    let mut detour = Some(wire.takes_over(&world));
    let crowd: Vec<_> = (0..100).map(|_| world.start(&["get"])).collect();
    for death in 1..=2 {
        let pid = until("a holder at work", || {
            let text = std::fs::read_to_string(world.data("work.next")).ok()?;
            let intent: Value = serde_json::from_str(text.get(16..256)?.trim()).ok()?;
            let holder = || i32::try_from(intent["pid"].as_i64()?).ok();
            (wire.requests() == death && intent["attempt"] == death).then(holder).flatten()
        });
        if death == 2 {
            detour = None; // the next holder asks the real server
        }
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    drop(detour);
    let ends: Vec<_> = crowd.into_iter().map(Running::end).collect();
    let (killed, served): (Vec<_>, Vec<_>) = ends.into_iter().partition(|done| done.code.is_none());
    assert_eq!(killed.len(), 2);
    let tokens: BTreeSet<_> = served.into_iter().map(|done| done.expect(0).out).collect();
    assert_eq!((tokens.len(), idp.count("refresh_token")), (1, 1), "{tokens:?}");
    sound(&idp, &world);
}
