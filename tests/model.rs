//! A model of what may be: random interleavings of callers, kills, lost replies, erasures, sign-outs and sign-ins
//!
//! The real binary, a real server with a minute's grace. Nothing of the algorithm is repeated here: the model knows only
//! whether somebody is signed in, what the server gave out, and what may never be seen in the record.
//!
//! `HALLPASS_MODEL_SEED` repeats the decisions of a run that failed, `HALLPASS_MODEL_STEPS` makes it longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::answers::{At, Fault};
use crate::crash::callers::{self, Caller, DOORS};
use crate::crash::dice::Dice;
use crate::crash::scene::{Held, Scene};
use crate::crash::strace::to_its_end;
use crate::grants::State;
use crate::idp::Idp;
use crate::runs::Done;

/// A server that forgives for longer than a run takes to come back to a session.
const GRACE: u64 = 60;
const STEPS: usize = 70;

const LOGIN: [&str; 3] = ["login", "work", "--no-open"];

struct Model {
    scene: Scene,
    dice: Dice,
    signed_in: bool,
    /// The session (the server's number of it) that was seen last, and its generation: by the watcher, and by us. Each
    /// goes by its own eyes: what the watcher read may be noted down after we have looked.
    last_seen: [Option<(usize, u64)>; 2],
    pages: usize,
    sightings: Arc<Mutex<Vec<Held>>>,
    history: Vec<String>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn whatever_happens_the_record_goes_forward() {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    let seed = number("HALLPASS_MODEL_SEED").unwrap_or_else(clock);
    let steps = number("HALLPASS_MODEL_STEPS").map_or(STEPS, |steps| steps as usize);
    let scene = Scene::plain(Idp::builder().grace(GRACE).latency(4).start());
    callers::prepare(&scene.world);
    let mut model = Model {
        pages: scene.world.opened().len(),
        scene,
        dice: Dice::new(seed),
        signed_in: true,
        last_seen: [None; 2],
        sightings: Arc::default(),
        history: Vec::new(),
    };
    let file = model.scene.record_file();
    let (over, sightings) = (Arc::new(AtomicBool::new(false)), model.sightings.clone());
    let watcher = thread::spawn({
        let over = over.clone();
        move || watch(&file, &over, &sightings)
    });
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..steps).for_each(|_| model.step())));
    over.store(true, Ordering::SeqCst);
    let torn = watcher.join().unwrap();
    let last: Vec<_> = model.history.iter().rev().take(6).collect();
    assert!(
        ended.is_ok(),
        "HALLPASS_MODEL_SEED={seed}: step {} of {steps}; the last ones first: {last:#?}",
        model.history.len()
    );
    assert_eq!(torn, None, "HALLPASS_MODEL_SEED={seed}");
}

/// Reads the record all the time; whatever is there at any moment must be whole.
fn watch(file: &std::path::Path, over: &AtomicBool, sightings: &Mutex<Vec<Held>>) -> Option<String> {
    while !over.load(Ordering::SeqCst) {
        if let Ok(bytes) = std::fs::read(file) {
            let held = match crate::record::parse(&bytes) {
                Ok(json) => Held::of(&json),
                Err(why) => return Some(format!("a torn record: {why}")),
            };
            let mut sightings = sightings.lock().unwrap();
            if sightings.last() != Some(&held) {
                sightings.push(held);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

impl Model {
    fn step(&mut self) {
        let what = match (self.signed_in, self.dice.below(20)) {
            (false, 0..=11) => self.sign_in(),
            (_, 0..=8) => self.crowd(None),
            (_, 9..=11) => self.crowd(Some(Fault::CloseBeforeAnswer)),
            (_, 12) => self.crowd(Some(Fault::Status(503, vec![], "not now"))),
            (true, 13..=15) => self.erase(),
            (true, 16) => self.sign_in(),
            (_, 17..) => self.sign_out(),
            _ => self.crowd(None),
        };
        self.history.push(what);
        self.scene.idp.heal();
        self.check();
    }

    /// Several callers on a token of some age, some of them killed, perhaps with trouble on the way to the server.
    fn crowd(&mut self, fault: Option<Fault>) -> String {
        let age = [0, 3000, 4000][self.dice.below(3).max(usize::from(fault.is_some()) * 2)];
        if self.signed_in {
            self.scene.shift(age);
        }
        let words = format!("crowd, {age} s older, {fault:?}");
        let lost = matches!(fault, Some(Fault::CloseBeforeAnswer));
        if let Some(fault) = fault {
            self.scene.idp.once(At::Token, fault);
        }
        let size = 1 + self.dice.below(5);
        let ends = self.run_callers(size, || None);
        for done in &ends {
            self.expect(done, self.signed_in, lost);
        }
        format!("{words}: {:?}", ends.iter().map(|done| done.code).collect::<Vec<_>>())
    }

    /// Starts callers, and `beside` them one other program; kills some.
    fn run_callers(&mut self, size: usize, beside: impl FnOnce() -> Option<Caller>) -> Vec<Done> {
        let world = &self.scene.world;
        let mut callers: Vec<_> = (0..size).map(|_| Caller::at(world, self.dice.below(DOORS.len()))).collect();
        callers.splice(0..0, beside());
        let mut kills = Vec::new();
        for at in 0..callers.len() {
            if self.dice.one_in(3) {
                kills.push((self.dice.millis(16), at));
            }
        }
        kills.sort();
        let began = Instant::now();
        for (when, at) in kills {
            thread::sleep(when.saturating_sub(began.elapsed()));
            callers[at].kill();
        }
        callers.into_iter().map(Caller::end).collect()
    }

    /// What a caller may say, if it lived to say it. `lost`: one answer is lost on the way.
    fn expect(&self, done: &Done, signed_in: bool, lost: bool) {
        assert!(!done.err.contains("panicked"), "{done:?}");
        let is_git = done.code == Some(0) && done.out.is_empty();
        match done.code {
            None => {}
            Some(0) if signed_in && !is_git => {
                let token = callers::token(&done.out).unwrap_or_else(|| panic!("no token: {done:?}"));
                assert!(self.scene.idp.live_access_token(token), "a dead token: {done:?}");
            }
            // Three of its predecessors were killed within ten seconds, each with the request on its way; or two were, and
            // the answer that is lost is the third.
            Some(0 | 6) if signed_in => {
                let third = lost && done.err.contains("disconnected");
                let has = |words| done.err.contains(words);
                assert!(has("not answered three times") || has("503") || third, "{done:?}")
            }
            Some(0 | 4) if !signed_in => assert!(done.err.contains("not signed in"), "{done:?}"),
            _ => panic!("signed in: {signed_in}; {done:?}"),
        }
    }

    /// git's word that the token was refused.
    fn erase(&mut self) -> String {
        self.scene.shift(120);
        let token = self.scene.held().unwrap().access;
        let question = format!("protocol=https\nhost=git.example.com\nusername=oauth2\npassword={token}\n\n");
        let file = self.scene.world.path("refused");
        std::fs::write(&file, question).unwrap();
        let mut command = self.scene.world.command(&["git", "erase"]);
        command.stdin(std::fs::File::open(file).unwrap());
        let size = self.dice.below(3);
        let ends = self.run_callers(size, || Some(Caller::start(command)));
        for done in &ends[1..] {
            self.expect(done, true, false);
        }
        format!("erase: {:?}", ends.iter().map(|done| done.code).collect::<Vec<_>>())
    }

    /// A sign-out beside callers; one that was killed is done again. It wins.
    fn sign_out(&mut self) -> String {
        if self.signed_in && self.dice.one_in(2) {
            self.scene.shift(4000);
        }
        let mut logout = self.scene.world.command(&["logout", "work"]);
        logout.stdin(std::process::Stdio::null());
        let size = self.dice.below(4);
        let ends = self.run_callers(size, || Some(Caller::start(logout)));
        if ends[0].code.is_none() {
            self.scene.world.run(&["logout", "work"]).expect(0);
        } else {
            assert_eq!(ends[0].code, Some(0), "{:?}", ends[0]);
        }
        assert!(self.scene.held().is_none(), "a record came back after the sign-out");
        self.signed_in = false;
        format!("logout: {:?}", ends.iter().map(|done| done.code).collect::<Vec<_>>())
    }

    fn sign_in(&mut self) -> String {
        if self.dice.one_in(3) {
            let world = &self.scene.world;
            let mut command = world.command(&LOGIN);
            command.stdin(std::process::Stdio::null());
            let mut login = Caller::start(command);
            thread::sleep(self.dice.millis(30));
            login.kill();
            login.end();
            self.signed_in = self.scene.held().is_some();
            return "login, killed".to_owned();
        }
        let ran = to_its_end(self.scene.world.command(&LOGIN), "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self.signed_in = true;
        "login".to_owned()
    }

    /// What must hold after every step.
    fn check(&mut self) {
        let idp = &self.scene.idp;
        let watched = std::mem::take(&mut *self.sightings.lock().unwrap());
        let seen = [watched, self.scene.held().into_iter().collect()];
        for (last_seen, seen) in self.last_seen.iter_mut().zip(seen) {
            for held in seen {
                let session = idp.session_of(&held.access).expect("a token of this server");
                let (last, floor) = last_seen.unwrap_or((session, 0));
                assert!(session >= last, "an older session came back: {held:?}");
                assert!(session > last || held.generation >= floor, "the generation went down to {}", held.generation);
                *last_seen = Some((session, held.generation));
            }
        }
        assert_eq!(idp.reuses(), 0, "a refresh token was used twice");
        assert_eq!(self.scene.world.opened().len(), self.pages, "somebody opened a page");
        assert!(self.scene.locks_are_free(), "a lock is held by nobody");
        let Some(held) = self.scene.going_on() else {
            return assert!(!self.signed_in, "the session is gone");
        };
        assert!(self.signed_in, "a session nobody signed in to");
        let refresh = held.refresh.expect("a refresh token");
        let state = idp.state(&refresh);
        let newest_or_before = state == State::Newest || idp.is_predecessor(&refresh);
        assert!(newest_or_before, "the refresh token is {state:?}");
        self.answers();
    }

    /// Whoever comes next is served.
    fn answers(&self) {
        let mut next = self.scene.world.run(&["get"]);
        if next.code == Some(6) && next.err.contains("not answered three times") {
            self.scene.shift(20); // the ten seconds are over
            next = self.scene.world.run(&["get"]);
        }
        assert_eq!(next.code, Some(0), "{next:?}");
        assert!(self.scene.idp.live_access_token(next.out.trim_end()), "a dead token: {next:?}");
    }
}
