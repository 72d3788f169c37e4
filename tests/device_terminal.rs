//! The device flow on a real terminal: what is drawn there, and Ctrl-C.

use crate::answers::{At, Fault};
use crate::device::{pages, scene};
use crate::device_grants::{Device, Poll, USER_CODE};
use crate::runs::{has, until};
use crate::terminal::Terminal;

const BLOCKS: [char; 3] = ['█', '▀', '▄'];

/// The lines of a screen, without what a terminal's own line end adds.
fn lines(screen: &str) -> Vec<&str> {
    screen.split('\n').map(|line| line.trim_end_matches('\r')).collect()
}

/// Signs in on a terminal of this width.
fn screen(device: Device, columns: usize) -> (String, (String, String)) {
    let (idp, world) = scene(device);
    let snippet = format!("stty rows 24 cols {columns}; exec \"$HALLPASS\" login work --device");
    let done = Terminal::run(&world, &snippet).end().expect(0);
    assert!(idp.live_access_token(&world.token()), "{done:?}");
    (done.out, pages(&idp))
}

fn granted() -> Device {
    Device::script(&[Poll::Granted])
}

#[test]
fn code_address_and_picture_are_on_the_screen() {
    if !has("setsid") {
        return;
    }
    let (shown, (page, _)) = screen(granted(), 100);
    let lines = lines(&shown);
    assert_eq!(lines.iter().filter(|line| line.trim() == USER_CODE).count(), 1, "{shown}");
    assert!(lines.iter().any(|line| line.split(' ').any(|word| word == page)), "{shown}");
    let picture: Vec<_> = lines.iter().filter(|line| line.contains(BLOCKS)).collect();
    let width = picture.first().map_or(0, |line| line.chars().count());
    assert!(width >= 25 && picture.len().abs_diff(width / 2) <= 1, "a square of two modules a character: {shown}");
    assert!(picture.iter().all(|line| line.chars().count() == width), "{shown}");
    assert!(picture[0].chars().all(|letter| letter == '█'), "a quiet zone around it: {shown}");
    // What counts the time down is taken away before the last words.
    assert!(shown.contains(" left ") && shown.contains("\u{1b}[K"), "{shown}");
    assert!(
        lines.iter().any(|line| line.ends_with("\u{1b}[K") || line.contains("\u{1b}[Khallpass: signed in")),
        "{shown}"
    );
}

#[test]
fn nothing_is_broken_on_a_narrow_terminal() {
    if !has("setsid") {
        return;
    }
    let long = format!("https://id.example.com/{}", "device/".repeat(40));
    for device in [granted(), granted().with("verification_uri_complete", long)] {
        let (shown, _) = screen(device, 40);
        let lines = lines(&shown);
        let code = lines.iter().find(|line| line.contains(USER_CODE)).unwrap();
        assert!(code.trim() == USER_CODE && code.chars().count() <= 40, "{shown}");
        let picture: Vec<_> = lines.iter().filter(|line| line.contains(BLOCKS)).collect();
        assert!(picture.iter().all(|line| line.chars().count() <= 40), "a picture that does not fit: {shown}");
    }
}

#[test]
fn with_the_address_caught_by_a_script_the_rest_is_still_on_the_screen() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(granted());
    let snippet = "PAGE=$(\"$HALLPASS\" login work --device --no-open) && echo \"got=$PAGE.\"";
    let done = Terminal::run(&world, snippet).end().expect(0);
    assert!(done.out.contains(&format!("got={}.", pages(&idp).0)), "{done:?}");
    assert!(lines(&done.out).iter().any(|line| line.trim() == USER_CODE), "{done:?}");
    assert_eq!(world.opened(), [""; 0]);
}

#[test]
fn without_a_complete_address_there_is_no_picture() {
    if !has("setsid") {
        return;
    }
    let (shown, _) = screen(granted().with("verification_uri_complete", serde_json::Value::Null), 100);
    assert!(shown.contains(USER_CODE) && !shown.contains(BLOCKS), "{shown}");
}

/// A shell that outlives Ctrl-C and looks at what is left of its terminal.
const CANCELLED: &str = "trap : INT; stty -g >before; \"$HALLPASS\" login work --device; echo \"rc=$?.\"; \
     stty -g >after; cmp before after && echo same.";

#[test]
fn control_c_ends_it_and_the_terminal_is_as_before() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    let mut terminal = Terminal::run(&world, CANCELLED);
    until("a poll", || (!idp.pauses().is_empty()).then_some(()));
    terminal.keys("\u{3}");
    let done = terminal.end().expect(0);
    for words in ["cancelled", "rc=130.", "same."] {
        assert!(done.out.contains(words), "no {words}: {done:?}");
    }
    assert!(!world.has_record() && !world.data("work.next").exists());
    assert_eq!(idp.calls(At::Token).len(), idp.pauses().len(), "nothing else was asked for");
}

#[test]
fn control_c_does_not_wait_for_a_server_that_hangs() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    idp.always(At::Token, Fault::Hang);
    let mut terminal = Terminal::run(&world, CANCELLED);
    until("a poll", || (!idp.pauses().is_empty()).then_some(()));
    let pressed = std::time::Instant::now();
    terminal.keys("\u{3}");
    let done = terminal.end().expect(0);
    assert!(done.out.contains("rc=130.") && done.out.contains("same."), "{done:?}");
    assert!(pressed.elapsed().as_secs() < 10, "ended {} s after Ctrl-C", pressed.elapsed().as_secs());
    assert!(!world.has_record());
}
