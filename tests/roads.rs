//! All roads of a sign-in at once, on a real terminal: each alone is enough, the others are closed, and the terminal is
//! as it was.

use std::net::TcpStream;

use crate::answers::At;
use crate::callback::{approve, get, listener};
use crate::device::scene;
use crate::device_grants::{Device, GRANT, Poll, USER_CODE};
use crate::forms::{field, query, with};
use crate::idp::Idp;
use crate::runs::{Done, has, until};
use crate::terminal::Terminal;
use crate::world::World;

/// A shell that outlives Ctrl-C, looks at what is left of its terminal, and reads what is left of the keys.
const LOGIN: &str = "trap : INT; stty -g >before; \"$HALLPASS\" login work; echo \"rc=$?.\"; stty -g >after; \
     cmp before after && echo same.; stty -icanon min 0 time 5; printf 'left=%s.\\n' \"$(dd bs=4096 count=1 2>dd.err)\"";
/// No browser here.
pub const BARE: &str = "unset BROWSER DISPLAY WAYLAND_DISPLAY WSL_DISTRO_NAME; ";

fn pending() -> Device {
    Device::script(&[Poll::Pending])
}

/// Begins a sign-in; its terminal, and the address that a browser would come back to.
pub fn begin(idp: &Idp, world: &World, snippet: &str) -> (Terminal, String) {
    let terminal = Terminal::run(world, snippet);
    let callback = approve(&terminal.url(&idp.issuer));
    until("the question", || terminal.screen().contains("address or code: ").then_some(()));
    (terminal, callback)
}

#[track_caller]
fn ended(terminal: Terminal, code: i32) -> Done {
    let done = terminal.end().expect(0);
    for words in [&format!("rc={code}."), "same.", "left=."] {
        assert!(done.out.contains(words), "no {words}: {done:?}");
    }
    done
}

fn is_open(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Whatever arrived is traded for so long that a look is possible: nothing else is open, and nobody polls.
#[track_caller]
fn others_are_closed(idp: &Idp, world: &World, address: &str, arrive: impl FnOnce()) {
    idp.set_latency(2000);
    let before = idp.calls(At::Token).len();
    arrive();
    until("the trade", || (idp.calls(At::Token).len() > before).then_some(()));
    until("the closed port", || (!is_open(address)).then_some(()));
    assert!(!world.has_record(), "it was not closed before the end");
    idp.set_latency(0);
}

fn kept_as(world: &World) -> String {
    until("a record", || world.has_record().then_some(()));
    world.record()["how"].as_str().unwrap().to_owned()
}

#[test]
fn the_browser_comes_back_while_the_question_stands() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(pending());
    let (mut terminal, callback) = begin(&idp, &world, LOGIN);
    let address = listener(&terminal.url(&idp.issuer));
    terminal.keys("half a word");
    until("what was typed", || terminal.screen().contains("[11 characters]").then_some(()));
    let page = std::thread::spawn(move || get(&callback));
    others_are_closed(&idp, &world, &address, || {});
    assert_eq!(page.join().unwrap().status, 200);
    let done = ended(terminal, 0);
    assert!(!done.out.contains("half a word"), "{done:?}");
    assert_eq!((kept_as(&world).as_str(), idp.calls(At::Device).len()), ("browser", 0), "nobody wanted a code");
    assert_eq!(idp.complaints(), [""; 0]);
}

#[test]
fn the_answer_is_pasted_while_the_listener_waits() {
    if !has("setsid") {
        return;
    }
    for form in ["address", "code"] {
        let (idp, world) = scene(pending());
        let (mut terminal, callback) = begin(&idp, &world, LOGIN);
        let address = listener(&terminal.url(&idp.issuer));
        assert!(is_open(&address), "the listener waits too");
        let code = field(&query(&callback), "code").unwrap().to_owned();
        match form {
            "address" => others_are_closed(&idp, &world, &address, || terminal.keys(&format!("{callback}\n"))),
            _ => terminal.keys(&format!("{code}\n")),
        }
        let done = ended(terminal, 0);
        assert!(!done.out.contains(&code), "it was shown: {done:?}");
        assert_eq!(kept_as(&world), "paste");
        assert!(idp.live_access_token(&world.token()) && !is_open(&address));
        assert_eq!((world.opened().len(), idp.complaints().len()), (1, 0));
    }
}

#[test]
fn a_key_brings_a_code_for_another_device() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(pending());
    let (mut terminal, _) = begin(&idp, &world, LOGIN);
    let address = listener(&terminal.url(&idp.issuer));
    assert!(!terminal.screen().contains(USER_CODE));
    terminal.keys("d\n");
    until("the code", || terminal.screen().contains(USER_CODE).then_some(()));
    until("a poll", || (idp.count(GRANT) > 0).then_some(()));
    assert!(is_open(&address), "the others are still open");
    idp.decide(Poll::Granted);
    ended(terminal, 0);
    assert_eq!(kept_as(&world), "device");
    assert_eq!((idp.calls(At::Device).len(), idp.count("authorization_code")), (1, 0));
    assert!(!is_open(&address));
    assert_eq!((world.opened().len(), idp.complaints().len()), (1, 0), "the page of the code opens elsewhere");
}

#[test]
fn where_no_browser_is_the_code_is_there_at_once_and_every_road_is_open() {
    if !has("setsid") {
        return;
    }
    for road in ["browser", "paste", "device"] {
        let (idp, world) = scene(pending());
        let (mut terminal, callback) = begin(&idp, &world, &format!("{BARE}{LOGIN}"));
        let address = listener(&terminal.url(&idp.issuer));
        until("the code", || terminal.screen().contains(USER_CODE).then_some(()));
        until("a poll", || (idp.count(GRANT) > 0).then_some(()));
        let port = address.rsplit(':').next().unwrap();
        let screen = terminal.screen();
        assert!(screen.contains(&format!("ssh -L {port}:localhost:{port} THIS_MACHINE")), "{screen}");
        match road {
            "browser" => drop(get(&callback)),
            "paste" => others_are_closed(&idp, &world, &address, || terminal.keys(&format!("{callback}\n"))),
            _ => idp.decide(Poll::Granted),
        }
        ended(terminal, 0);
        assert_eq!((kept_as(&world).as_str(), world.opened().len()), (road, 0));
        let polls = idp.count(GRANT);
        std::thread::sleep(std::time::Duration::from_millis(1500));
        assert_eq!((idp.count(GRANT), idp.complaints().len()), (polls, 0), "{road}: polled on");
    }
}

#[test]
fn a_code_that_is_over_leaves_the_others_open_and_a_no_does_not() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(Device::script(&[Poll::Expired]));
    let (mut terminal, callback) = begin(&idp, &world, &format!("{BARE}{LOGIN}"));
    until("its end", || terminal.screen().contains("no code for another device any more").then_some(()));
    terminal.keys(&format!("{callback}\n"));
    ended(terminal, 0);
    let (idp, world) = scene(Device::script(&[Poll::Denied]));
    let (terminal, _) = begin(&idp, &world, &format!("{BARE}{LOGIN}"));
    assert!(ended(terminal, 5).out.contains("the sign-in was refused"));
    assert!(!world.has_record());
}

#[test]
fn a_server_without_device_codes_has_no_key_for_them() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(crate::world::Behaviour::Ignore);
    let (mut terminal, callback) = begin(&idp, &world, LOGIN);
    assert!(!terminal.screen().contains("`d` and Enter"), "{}", terminal.screen());
    terminal.keys(&format!("{callback}\n"));
    ended(terminal, 0);
}

#[test]
fn control_c_closes_every_road() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(pending());
    let (mut terminal, _) = begin(&idp, &world, &format!("{BARE}{LOGIN}"));
    let address = listener(&terminal.url(&idp.issuer));
    until("a poll", || (idp.count(GRANT) > 0).then_some(()));
    terminal.keys("a word that is never ended");
    until("what was typed", || terminal.screen().contains("[26 characters]").then_some(()));
    terminal.keys("\u{3}");
    let done = ended(terminal, 130);
    assert!(done.out.contains("cancelled") && !done.out.contains("a word that"), "{done:?}");
    let polls = idp.count(GRANT);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!((idp.count(GRANT), is_open(&address)), (polls, false), "something goes on");
    assert!(!world.has_record() && !world.data("work.next").exists());
}

#[test]
fn wrong_answers_are_asked_again_and_then_no_more_while_the_browser_still_counts() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(pending());
    let (mut terminal, callback) = begin(&idp, &world, LOGIN);
    terminal.keys("\n\n"); // Enter by itself is no answer
    terminal.keys(&format!("{}\n", with(&callback, "state", Some("some-other-state"))));
    terminal.keys("not-a-code-of-this-server\n");
    until("what the server says", || terminal.screen().contains("does not take that code").then_some(()));
    assert_eq!(terminal.screen().matches("try again").count(), 2, "{}", terminal.screen());
    terminal.keys("https://elsewhere.example/?what=this\n");
    until("the last word", || terminal.screen().contains("no other is read").then_some(()));
    terminal.keys(&format!("{callback}\n"));
    assert!(!world.has_record());
    assert_eq!(get(&callback).status, 200);
    ended(terminal, 0);
    assert_eq!(kept_as(&world), "browser");
}

#[test]
fn a_hostile_paste_is_refused_without_being_shown() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(pending());
    let (mut terminal, callback) = begin(&idp, &world, LOGIN);
    terminal.keys(&format!("\u{1b}]0;evil-title\u{7}\u{1b}[2J{callback}\u{13}\u{0}\u{9b}\n"));
    until("a refusal", || terminal.screen().contains("try again").then_some(()));
    terminal.keys(&format!("code=evil{}\n", "-evil-paste".repeat(6000)));
    until("another", || (terminal.screen().matches("try again").count() == 2).then_some(()));
    assert_eq!(idp.count("authorization_code"), 0, "it went to the server");
    terminal.keys(&format!("{callback}\n"));
    let done = ended(terminal, 0);
    for shown in ["evil", "\u{1b}[2J", "\u{1b}]0;", "\u{7}"] {
        assert!(!done.out.contains(shown), "{shown:?} is on the screen");
    }
}

#[test]
fn only_who_sees_the_question_is_asked() {
    if !has("setsid") {
        return;
    }
    // Words caught in a file, the address taken by a program, a group in the background, keys that another program has
    // (a pager): as without a terminal.
    let cases = [
        "stty -icanon -echo; \"$HALLPASS\" login work",
        "\"$HALLPASS\" login work 2>err",
        "\"$HALLPASS\" login work --no-open | { read -r page; curl -qsL \"$page\"; } >page",
        "set -m; \"$HALLPASS\" login work & wait $!",
    ];
    for snippet in cases {
        let idp = Idp::start();
        let world = World::new(&idp);
        let done = Terminal::run(&world, snippet).end().expect(0);
        assert!(!done.out.contains("address or code"), "{snippet}: {done:?}");
        assert!(idp.live_access_token(&world.token()), "{snippet}");
    }
}

#[test]
fn stdin_is_never_read() {
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    for run in ["\"$HALLPASS\" login work", "setsid --wait \"$HALLPASS\" login work"] {
        let world = World::new(&idp);
        let snippet = format!("printf 'code=planted\\n' | {{ {run}; cat >rest; }}");
        Terminal::run(&world, &snippet).end().expect(0);
        assert_eq!(std::fs::read_to_string(world.path("home/rest")).unwrap(), "code=planted\n", "{run}");
        assert!(idp.live_access_token(&world.token()), "{run}");
    }
}
