//! The kill sweep: every flow is killed at every system call, and every file call of it fails in four ways

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::flows::{self, Flow, Promise};
use super::scene::{Held, Scene};
use super::strace::{self, Fault, Ran};
use super::{GRACE, is_full, print};
use crate::grants::State;
use crate::idp::Idp;
use crate::runs::has;

/// Faults of one flow in the short form.
const SAMPLE: usize = 24;

/// A request that was sent before its sender was killed has reached the server by then.
const IN_FLIGHT: Duration = Duration::from_millis(20);

/// The codes of the contract that a fault of the machine may end in (2: stdin, 10: config.toml cannot be read): never 1,
/// never a panic's, never "no account" or "sign in", which would send a person to do what is not needed.
const CODES: [i32; 6] = [0, 2, 6, 7, 8, 10];

/// Rust's standard library panics when a folder that was read cannot be closed, which no file system of Linux brings
/// about. strace does: counted by itself, and as good as killed.
const CLOSEDIR: &str = "unexpected error during closedir";

/// What came of many faults.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    errors: usize,
    /// Faults whose call did not come this time.
    missed: usize,
    /// A strict server had answered, and the answer died with the process.
    lost_replies: usize,
    closedir: usize,
    codes: BTreeMap<String, usize>,
    broken: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    flow: Flow,
    sealed: bool,
    strict: bool,
}

#[test]
#[ignore = "minutes: integrations/crash/check runs it"]
fn nothing_is_lost_wherever_it_is_killed() {
    if !has("strace") {
        return;
    }
    let began = Instant::now();
    let mut jobs = VecDeque::new();
    for sealed in [false, true] {
        let more = if sealed { flows::SEALED } else { &[] };
        for flow in flows::FLOWS.iter().chain(more) {
            jobs.push_back(Job { flow: *flow, sealed, strict: false });
            if flow.spends() {
                jobs.push_back(Job { flow: *flow, sealed, strict: true });
            }
        }
    }
    if let Ok(only) = std::env::var("HALLPASS_PROOF_FLOW") {
        jobs.retain(|job| job.flow.name == only);
    }
    print(&format!(
        "{:28} {:6} {:6} {:>6} {:>6} {:>6} {:>6}",
        "flow", "store", "server", "kills", "errors", "missed", "lost"
    ));
    let (jobs, sum) = (Mutex::new(jobs), Mutex::new(Tally::default()));
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap().pop_front();
                    let Some(job) = job else { return };
                    let Some(tally) = job.run() else { continue };
                    print(&job.line(&tally));
                    sum.lock().unwrap().add(tally);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    print(&format!(
        "kill sweep: {} kills, {} errors, {} calls that did not come again; {} replies lost at a strict server, {} panics \
         of the standard library at closedir; {:.1} min",
        sum.kills,
        sum.errors,
        sum.missed,
        sum.lost_replies,
        sum.closedir,
        began.elapsed().as_secs_f64() / 60.0
    ));
    print(&format!("kill sweep: ended in {:?}", sum.codes));
    print(&format!("kill sweep: {} promises broken", sum.broken.len()));
    assert!(sum.broken.is_empty(), "{:#?}", sum.broken);
}

impl Job {
    fn line(&self, tally: &Tally) -> String {
        let store = if self.sealed { "sealed" } else { "plain" };
        let server = if self.strict { "strict" } else { "grace" };
        let Tally { kills, errors, missed, lost_replies, .. } = tally;
        format!("{:28} {store:6} {server:6} {kills:6} {errors:6} {missed:6} {lost_replies:6}", self.flow.name)
    }

    fn run(&self) -> Option<Tally> {
        let idp = if self.strict { Idp::builder() } else { Idp::builder().grace(GRACE) }.start();
        let mut scene = if self.sealed { Scene::sealed(idp)? } else { Scene::plain(idp) };
        if matches!(self.flow.promise, Promise::Kept | Promise::Dropped) {
            flows::keep_old(&scene);
        }
        scene.keep();
        let held = self.flow.begin(&scene);
        let (ran, log) = strace::trace(&scene.world, self.flow.args, &self.flow.stdin(held.as_ref()));
        assert_eq!(ran.code, Some(0), "{} without a fault: {ran:?}", self.flow.name);
        let faults = strace::faults(&log);
        let step = if is_full() { 1 } else { faults.len().div_ceil(SAMPLE) };
        let mut tally = Tally::default();
        for fault in faults.iter().skip(step / 2).step_by(step) {
            self.meet(&scene, fault, &mut tally);
        }
        Some(tally)
    }

    fn meet(&self, scene: &Scene, fault: &Fault, tally: &mut Tally) {
        let before = self.flow.begin(scene);
        let ran = strace::with_fault(&scene.world, fault, self.flow.args, &self.flow.stdin(before.as_ref()));
        match (ran.met, fault.error) {
            (false, _) => tally.missed += 1,
            (true, None) => tally.kills += 1,
            (true, Some(_)) => tally.errors += 1,
        }
        let code = ran.code.map_or("killed".to_owned(), |code| code.to_string());
        *tally.codes.entry(code).or_default() += 1;
        tally.closedir += usize::from(ran.err.contains(CLOSEDIR));
        let after = After { job: *self, fault, scene, ran: &ran, before: before.as_ref() };
        match after.check() {
            Ok(lost) => tally.lost_replies += usize::from(lost),
            Err(why) => {
                let store = if self.sealed { "sealed" } else { "plain" };
                let words = format!("{} ({store}), {fault}: {why}; it ended {ran:?}", self.flow.name);
                print(&words);
                tally.broken.push(words);
            }
        }
    }
}

/// The world after a fault.
struct After<'a> {
    job: Job,
    fault: &'a Fault,
    scene: &'a Scene,
    ran: &'a Ran,
    before: Option<&'a Held>,
}

impl After<'_> {
    /// Whether a reply was lost that a strict server does not repeat; an error if a promise was broken.
    fn check(&self) -> Result<bool, String> {
        let Self { scene, ran, .. } = self;
        ensure(!ran.stuck, "stuck")?;
        let closedir = ran.err.contains(CLOSEDIR);
        ensure(!ran.err.contains("panicked") || closedir, "a panic")?;
        // 5: where the address of a sign-in's page cannot be printed, nobody comes.
        let signs_in = self.job.flow.promise == Promise::SignedIn;
        let documented = |code| CODES.contains(&code) || (code == 5 && signs_in);
        ensure(closedir || ran.code.is_none_or(documented), "an exit code that this may not have")?;
        ensure(scene.locks_are_free(), "a lock is still held")?;
        if self.job.strict && self.fault.error.is_none() {
            thread::sleep(IN_FLIGHT);
        }
        let kept = scene.look()?;
        // git is told of a failure by an empty answer.
        let well = ran.code == Some(0) && !(self.job.flow.args[0] == "git" && ran.err.contains("error:"));
        match self.job.flow.promise {
            Promise::Answer => {
                let shown: Vec<_> = scene.idp.secrets().into_iter().filter(|secret| ran.out.contains(secret)).collect();
                ensure(!well || shown.len() == 1, "no token in the answer")?;
                ensure(well || ran.code.is_none() || shown.is_empty(), "a token in a failure")?;
                ensure(shown.iter().all(|token| scene.idp.live_access_token(token)), "a dead token in the answer")?;
            }
            Promise::SignedIn => {
                ensure(!well || kept != self.before.cloned(), "signed in, and nothing new is kept")?;
                if self.before.is_none() && kept.is_none() {
                    self.again(0)?;
                }
            }
            Promise::SignedOut => return self.signed_out(well).map(|()| false),
            Promise::Kept => self.password(flows::NEW, well)?,
            Promise::Dropped => self.password("", well)?,
            Promise::Refused => {}
        }
        self.lives_on()
    }

    /// The session is there, is newer or the same, answers now, and can be refreshed.
    fn lives_on(&self) -> Result<bool, String> {
        let scene = self.scene;
        let kept = scene.look()?.ok_or("the session is gone")?;
        ensure(self.before.is_none_or(|before| kept.generation >= before.generation), "an older generation")?;
        let lost = scene.answer_was_lost();
        self.answers()?;
        scene.shift(4000);
        let next = scene.world.run(&["get"]);
        if lost && self.job.strict {
            ensure(self.fault.error.is_none(), "the answer came and was not kept")?;
            // Nobody can help it: one clear word, and no more requests.
            ensure(next.code == Some(4), "a lost reply is not said to be a matter of signing in")?;
            let calls = scene.idp.every_call();
            ensure(scene.world.run(&["get"]).code == Some(4), "the second word differs")?;
            ensure(scene.idp.every_call() == calls, "a session that has ended is asked for again")?;
            return Ok(true);
        }
        ensure(next.code == Some(0), &format!("no refresh afterwards: {next:?}"))?;
        ensure(scene.idp.live_access_token(next.out.trim_end()), "a refreshed token that is dead")?;
        let now = scene.look()?.ok_or("the refresh lost the session")?;
        let newest = now.refresh.is_some_and(|refresh| scene.idp.state(&refresh) == State::Newest);
        ensure(newest, "the refresh token that is kept is not the newest")?;
        ensure(scene.strays().is_empty(), &format!("left behind: {:?}", scene.strays()))?;
        Ok(false)
    }

    /// The next call, whatever the fault was, is answered; where the token was good, with no word to the server.
    fn answers(&self) -> Result<(), String> {
        let scene = self.scene;
        let lost = scene.answer_was_lost() && self.job.strict;
        let next = scene.world.run(&["get"]);
        if lost && next.code != Some(0) {
            return Ok(()); // `lives_on` looks closer
        }
        ensure(next.code == Some(0), &format!("the next call is not answered: {next:?}"))?;
        ensure(scene.idp.live_access_token(next.out.trim_end()), "the next call is answered with a dead token")
    }

    /// The same command once more, undisturbed.
    fn again(&self, code: i32) -> Result<(), String> {
        let flow = &self.job.flow;
        let ran = strace::to_its_end(self.scene.world.command(flow.args), &flow.stdin(self.before));
        ensure(ran.code == Some(code), &format!("once more: {ran:?}"))
    }

    fn signed_out(&self, well: bool) -> Result<(), String> {
        let scene = self.scene;
        if well {
            ensure(scene.look()?.is_none(), "signed out, and the record is there")?;
        }
        self.again(0)?;
        ensure(scene.look()?.is_none() && !scene.next_file().exists(), "the record cannot be removed")?;
        let refresh = self.before.and_then(|before| before.refresh.as_ref()).ok_or("no session to end")?;
        // A record that cannot be read goes all the same, and the words do not claim more.
        let claimed = !well || self.ran.err.contains("at the server");
        ensure(!claimed || scene.idp.state(refresh) == State::Ended, "the server was not told")?;
        ensure(scene.world.run(&["get"]).code == Some(4), "signed out, and answered")?; // it also writes the routes
        ensure(scene.strays().is_empty(), &format!("left behind: {:?}", scene.strays()))
    }

    /// The password is what it was or what it was to be, and what it was to be after another try.
    fn password(&self, wanted: &str, well: bool) -> Result<(), String> {
        let kept = || Ok::<_, String>(flows::kept(self.scene)?.unwrap_or_default());
        let now = kept()?;
        ensure(now == wanted || (now == flows::OLD && !well), "another password is kept")?;
        self.again(0)?;
        ensure(kept()? == wanted, "it cannot be kept")
    }
}

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.kills += other.kills;
        self.errors += other.errors;
        self.missed += other.missed;
        self.lost_replies += other.lost_replies;
        self.closedir += other.closedir;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.broken.extend(other.broken);
    }
}
