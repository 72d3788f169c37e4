//! The soak: sixteen tools ask all the time, tokens live for a minute, the network goes away and the clock jumps

use std::fs::File;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::callers::{self, Caller, DOORS};
use super::dice::Dice;
use super::scene::Scene;
use super::{GRACE, is_full, print};
use crate::answers::{At, Fault};
use crate::grants::now;
use crate::idp::Idp;
use crate::runs::Done;

const CALLERS: u64 = 16;

/// The life of a token and the length of the soak, in seconds.
fn length() -> (i64, u64) {
    if is_full() { (60, 600) } else { (10, 26) }
}

#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn sixteen_tools_refresh_as_often_as_arithmetic_says() {
    let (life, seconds) = length();
    let period = life - life / 5; // the leeway is at most a fifth
    let scene = Scene::plain(Idp::builder().lifetime(life).grace(GRACE).start());
    callers::prepare(&scene.world);
    scene.begin(0);
    let (began, ends) = (Instant::now(), Mutex::new((0, Vec::new())));
    let over = || began.elapsed().as_secs() >= seconds;
    let (mut jumped, mut cuts) = (0, 0);
    thread::scope(|threads| {
        for seed in 1..=CALLERS {
            let (scene, ends) = (&scene, &ends);
            threads.spawn(move || {
                let mut dice = Dice::new(seed);
                while !over() {
                    let done = Caller::at(&scene.world, dice.below(DOORS.len())).end();
                    let mut ends = ends.lock().unwrap();
                    ends.0 += 1;
                    ends.1.extend((!served(scene, &done)).then_some(done));
                    drop(ends);
                    thread::sleep(dice.millis(250));
                }
            });
        }
        let (mut next_cut, mut next_jump) = (life / 2, life / 4);
        while !over() {
            let at = began.elapsed().as_secs() as i64;
            if at >= next_cut {
                scene.idp.always(At::Token, Fault::CloseBeforeReading);
                thread::sleep(Duration::from_millis(life as u64 * 50));
                scene.idp.heal();
                (cuts, next_cut) = (cuts + 1, at + life * 8 / 5);
            }
            if at >= next_jump {
                jumped += jump(&scene, period, if (at / life) % 3 == 2 { -life / 10 } else { life / 5 });
                next_jump = at + life * 7 / 10;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (answers, bad) = ends.into_inner().unwrap();
    let expected = (seconds as i64 + jumped) / period;
    let (rotations, _) = scene.idp.rotations();
    let pages = scene.world.opened().len() - 1; // one is of the scene's own sign-in
    print(&format!(
        "soak: {CALLERS} callers, {seconds} s, tokens of {life} s, {cuts} network cuts, clock moved by {jumped} s in all: \
         {rotations} refreshes, arithmetic says {expected}; {answers} answers, {} failures, {} reuses, {pages} sign-ins",
        bad.len(),
        scene.idp.reuses()
    ));
    assert!(bad.is_empty(), "{:?}", bad.first());
    assert!((rotations as i64 - expected).abs() <= 1, "{rotations} refreshes, not {expected}");
    assert_eq!((scene.idp.reuses(), pages), (0, 0));
}

fn served(scene: &Scene, done: &Done) -> bool {
    done.code == Some(0) && callers::token(&done.out).is_some_and(|token| scene.idp.live_access_token(token))
}

/// The clock moves, as far as the record can tell; by how much. Not over the end of a token's time: what is left of a
/// jump beyond it would not come out in the count.
fn jump(scene: &Scene, period: i64, seconds: i64) -> i64 {
    let lock = File::options().create(true).append(true).open(scene.world.data("work.lock")).unwrap();
    lock.lock().unwrap();
    let obtained_at = scene.obtained_at();
    if now() - obtained_at + seconds >= period - 1 {
        return 0;
    }
    scene.shift(seconds);
    seconds
}
