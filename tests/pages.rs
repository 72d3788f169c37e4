//! How a page gets in front of a person: what opens it, how its address is shown, and what a server may post back.

use std::fs;
use std::process::Stdio;

use crate::callback::{approve, get, listener, opened, raw};
use crate::device::scene;
use crate::device_grants::{Device, Poll, USER_CODE};
use crate::forms::{field, query};
use crate::idp::Idp;
use crate::runs::{Running, has, until};
use crate::terminal::Terminal;
use crate::world::{Behaviour, World};

/// What each launcher was started with, an argument a line, an empty line after each.
fn note(world: &World, name: &str) -> String {
    let notes = world.path("browser/notes").display().to_string();
    let file = world.path("browser/run").display().to_string();
    let text = format!("#!/bin/sh\nprintf '%s\\n' {name} \"$@\" '' >>{notes}\nexec {file} \"$@\"\n");
    world.script(&format!("browser/{name}"), &text).display().to_string()
}

fn notes(world: &World) -> Vec<Vec<String>> {
    let text = fs::read_to_string(world.path("browser/notes")).unwrap_or_default();
    text.trim_end().split("\n\n").map(|part| part.lines().map(str::to_owned).collect()).collect()
}

#[test]
fn an_account_has_a_browser_of_its_own() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let own = note(&world, "own");
    world.add(&format!("browser = [\"{own}\", \"-P\", \"my work\", \"--private-window\", \"%s\"]"));
    world.sign_in();
    let url = opened(&world);
    assert_eq!(notes(&world), [["own", "-P", "my work", "--private-window", &url]]);
    let shown = world.run(&["doctor", "work"]).expect(0).out;
    assert!(shown.contains(&format!("account `work`: browser: `{own}`")), "{shown}");
    // One that is gone is named, and the usual one does its work.
    fs::remove_file(&own).unwrap();
    world.sign_in();
    assert_eq!(world.opened().len(), 2);
    let shown = world.run(&["doctor", "work"]).expect(10).out;
    assert!(shown.contains(&own), "{shown}");
    for (odd, words) in [("[]", "names no program"), ("\"firefox\"", "list of texts"), ("[\"\"]", "names no program")] {
        let world = World::new(&idp);
        world.add(&format!("browser = {odd}"));
        world.run(&["status"]).refused(&[10], &["config.toml", words]);
    }
}

/// Runs the command with these programs before the others, and without $BROWSER.
fn dressed(world: &World, args: &[&str], environment: &[(&str, &str)]) -> std::process::Command {
    let mut command = world.command(args);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", world.path("browser").display());
    command.env("PATH", path).env_remove("BROWSER").env("HALLPASS_INTERACTIVE", "always");
    command.envs(environment.iter().copied());
    command
}

#[test]
fn inside_windows_its_browser_gets_the_address_in_one_piece() {
    for launcher in ["wslview", "rundll32.exe"] {
        let idp = Idp::start();
        let world = World::new(&idp);
        note(&world, launcher);
        note(&world, "xdg-open"); // there too, and not what is wanted
        let environment = [("WSL_DISTRO_NAME", "Debian")];
        Running::start(dressed(&world, &["login", "work"], &environment)).end().expect(0);
        let url = opened(&world);
        assert!(url.contains('&'), "what a shell would cut: {url}");
        let more = (launcher != "wslview").then_some("url.dll,FileProtocolHandler");
        let words: Vec<&str> = [launcher].into_iter().chain(more).chain([url.as_str()]).collect();
        assert_eq!(notes(&world), [words]);
        let shown = Running::start(dressed(&world, &["doctor", "work"], &environment)).end().expect(0).out;
        assert!(shown.contains("this is Linux inside Windows (WSL), without a terminal; pages open with `"), "{shown}");
    }
}

#[test]
fn doctor_says_where_we_are() {
    let world = World::signed_in(&Idp::start());
    let ssh = ("SSH_CONNECTION", "192.0.2.9 50000 192.0.2.5 22");
    for (environment, words) in [
        ([("CI", "true"), ssh].as_slice(), "this is CI, without a terminal; "),
        (&[ssh], "this is an SSH session, without a terminal; no browser can be opened here, for there is no display"),
        (&[("DISPLAY", ":0")], "this is a desktop, without a terminal; "),
        (&[("container", "podman")], "this is a container, without a terminal; no browser can be opened here"),
        (&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], "this is a container, "),
        // In a container one may sit at a desktop's terminal, and a browser that is named is there wherever we are.
        (&[("container", "toolbox"), ("DISPLAY", ":0")], "this is a desktop, "),
        (&[ssh, ("BROWSER", "/bin/true")], "this is an SSH session, without a terminal; pages open with `/bin/true`"),
        (&[("CI", "false"), ("DISPLAY", ":0")], "this is a desktop, "),
    ] {
        let shown = Running::start(dressed(&world, &["doctor"], environment)).end().out;
        assert!(shown.lines().any(|line| line.starts_with("ok    ") && line.contains(words)), "{words}: {shown}");
    }
}

#[test]
fn over_ssh_the_whole_command_for_the_tunnel_is_shown() {
    if !has("setsid") {
        return;
    }
    for (connection, user, destination) in [
        ("192.0.2.9 50000 192.0.2.5 22", "hal", "hal@192.0.2.5"),
        ("2001:db8::9 50000 2001:db8::5 2222", "hal", "-p 2222 hal@2001:db8::5"),
        ("192.0.2.9 50000 `id` 22", "hal", "THIS_MACHINE"),
        ("192.0.2.9 50000 192.0.2.5 22", "$(id)", "192.0.2.5"),
    ] {
        let idp = Idp::start();
        for browser in ["-u BROWSER", "-u NOTHING"] {
            let world = World::new(&idp);
            world.browser(Behaviour::Ignore);
            let variables = format!("{browser} SSH_CONNECTION='{connection}' USER='{user}'");
            let terminal = Terminal::run(&world, &format!("exec env {variables} \"$HALLPASS\" login work"));
            let url = terminal.url(&idp.issuer);
            let address = listener(&url);
            let port = address.rsplit(':').next().unwrap();
            let line = format!("`ssh -L {port}:localhost:{port} {destination}`");
            until("the tunnel", || terminal.screen().contains(&line).then_some(()));
            assert_eq!(get(&approve(&url)).status, 200);
            terminal.end().expect(0);
        }
    }
}

#[test]
fn a_terminal_that_can_gets_one_link_and_the_clipboard() {
    use base64::Engine;
    if !has("setsid") {
        return;
    }
    let idp = Idp::start();
    for (variables, link, clipboard) in [
        ("TERM=xterm-kitty", true, false), // a browser opens: nobody has to carry the address
        ("TERM=xterm-kitty -u BROWSER", true, true),
        ("TERM=xterm-256color VTE_VERSION=7600 -u BROWSER", true, false),
        ("TERM=xterm-256color -u BROWSER", false, false),
        ("TERM=dumb VTE_VERSION=7600 -u BROWSER", false, false),
    ] {
        let world = World::new(&idp);
        world.browser(Behaviour::Ignore);
        // `env` takes its options first.
        let (set, unset) = variables.split_once(" -u").map_or((variables, ""), |(set, _)| (set, "-u BROWSER"));
        let command = format!("stty cols 40; exec env {unset} {set} \"$HALLPASS\" login work");
        let terminal = Terminal::run(&world, &command);
        let url = terminal.url(&idp.issuer);
        until("the question", || terminal.screen().contains("address or code").then_some(()));
        assert_eq!(get(&approve(&url)).status, 200);
        let screen = terminal.end().expect(0).out;
        let whole = format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\");
        let copied = format!("\u{1b}]52;c;{}\u{1b}\\", base64::engine::general_purpose::STANDARD.encode(&url));
        assert_eq!((screen.contains(&whole), screen.contains(&copied)), (link, clipboard), "{variables}: {screen:?}");
        assert!(!variables.contains("dumb") || !screen.contains('\u{1b}'), "{screen:?}");
        assert_eq!((screen.matches("\u{1b}]").count() > 0, screen.contains(&url)), (link, true), "{variables}");
    }
}

#[test]
fn an_address_that_a_server_made_odd_is_no_link() {
    if !has("setsid") {
        return;
    }
    for odd in ["https://h.example/\u{1b}\\\u{1b}]52;c;ZXZpbA==\u{1b}\\", "https://h.example/\u{9c}\u{7}|\"<x>"] {
        let device = Device::script(&[Poll::Granted]).with("verification_uri", odd);
        let (_idp, world) = scene(device.with("verification_uri_complete", serde_json::Value::Null));
        let command = "exec env TERM=xterm-kitty \"$HALLPASS\" login work --device";
        let screen = Terminal::run(&world, command).end().expect(0).out;
        assert!(screen.contains("https://h.example/") && screen.contains(USER_CODE), "{screen:?}");
        assert!(!screen.contains("\u{1b}]52") && !screen.contains(['\u{9c}', '\u{7}']), "{screen:?}");
    }
}

#[test]
fn an_address_that_nobody_can_read_ends_it_at_once() {
    for flags in [["login", "work", "--no-open"].as_slice(), &["login", "work", "--device", "--no-open"]] {
        for reader in ["full", "gone"] {
            let (idp, world) = scene(Device::script(&[Poll::Pending]));
            let mut command = world.command(flags);
            let (read, write) = std::io::pipe().unwrap();
            drop(read);
            match reader {
                "full" => command.stdout(fs::File::options().write(true).open("/dev/full").unwrap()),
                _ => command.stdout(write),
            };
            command.stdin(Stdio::null()).stderr(Stdio::piped());
            let done = Running::start_as_is(command).end().expect(7);
            done.says(&[
                "hallpass: error: account `work`: the page's address cannot be written to stdout",
                "--no-open",
            ]);
            assert!(!world.has_record() && idp.pauses().is_empty());
        }
    }
}

#[test]
fn the_answer_may_come_as_a_form() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let login = world.start(&["login", "work"]);
    let url = opened(&world);
    let (address, callback) = (listener(&url), approve(&url));
    let form = callback.split_once('?').unwrap().1.to_owned();
    let kind = "application/x-www-form-urlencoded";
    let post = |kind: &str, more: &str, form: &str| {
        let length = form.len();
        let head = format!("POST /callback HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n{more}");
        raw(&address, format!("{head}Content-Length: {length}\r\n\r\n{form}").as_bytes())
    };
    assert_eq!(post("text/plain", "", &form).status, 415);
    assert_eq!(post(kind, "Sec-Fetch-Mode: cors\r\n", &form).status, 403);
    assert_eq!(post(kind, "", "code=planted&state=wrong").status, 400);
    assert_eq!(post(kind, "", &format!("{form}&code=planted")).status, 400);
    assert_eq!(post(kind, "", &"a".repeat((64 << 10) + 1)).status, 413);
    assert_eq!(raw(&address, b"POST /callback HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n").status, 413);
    assert_eq!(idp.count("authorization_code"), 0);
    let page = post(kind, &format!("Origin: {}\r\nSec-Fetch-Mode: navigate\r\n", idp.issuer), &form);
    assert_eq!(page.status, 200, "{page:?}");
    page.is_sealed();
    assert!(world.has_record());
    login.end().expect(0);
    assert!(field(&query(&callback), "code").is_some() && idp.live_access_token(&world.token()));
}

#[test]
fn where_no_launcher_works_the_code_is_there_without_a_key() {
    if !has("setsid") {
        return;
    }
    let (idp, world) = scene(Device::script(&[Poll::Pending]));
    world.browser(Behaviour::Broken);
    let terminal = Terminal::run(&world, "exec \"$HALLPASS\" login work");
    until("the code", || terminal.screen().contains(USER_CODE).then_some(()));
    assert!(terminal.screen().contains("no browser could be started"), "{}", terminal.screen());
    idp.decide(Poll::Granted);
    terminal.end().expect(0);
}
