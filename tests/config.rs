//! The configuration: what it accepts, and how it says what it does not.

use std::fs;

use crate::idp::Idp;
use crate::runs::done;
use crate::world::{SERVES, World};

#[test]
fn an_unknown_key_is_named_with_its_file_line_and_neighbour() {
    let idp = Idp::start();
    for (wrong, near) in [
        ("isuer = \"https://id.example.com\"", "issuer"),
        ("client_di = \"x\"", "client_id"),
        ("usernam = \"x\"", "username"),
    ] {
        let world = World::new(&idp);
        world.add(wrong);
        let text = world.config_text();
        let at = text.lines().position(|found| found == wrong).unwrap() + 1;
        let key = wrong.split(' ').next().unwrap();
        let done = world.run(&["get"]).refused(&[10], &["config.toml", key, near]);
        assert!(done.err.contains(&at.to_string()), "no line {at}: {done:?}");
    }
    let world = World::bare();
    world.config("defualt = \"work\"\n");
    world.run(&["get"]).refused(&[10], &["config.toml", "defualt", "default", "1"]);
}

#[test]
fn what_cannot_be_read_is_10() {
    let idp = Idp::start();
    let table = World::account("work", &idp, SERVES);
    let cases = [
        ("[account.work\n".to_owned(), "config.toml"),
        (table.replace(&idp.issuer, "http://id.example.com"), "issuer"),
        (format!("{table}token_endpoint = \"http://id.example.com/token\"\n"), "token_endpoint"),
        (format!("{table}token_endpoint = \"ftp://id.example.com/token\"\n"), "token_endpoint"),
        (format!("{table}timeout = \"soon\"\n"), "timeout"),
        (table.replace("[\"openid\", \"offline_access\"]", "7"), "scope"),
        (format!("{table}flow = \"magic\"\n"), "flow"),
        (table.replace("https://git.example.com\"", "git.example.com\""), "serves"),
        (table.replace("https://git.example.com\"", "https://u:p@git.example.com\""), "serves"),
        (table.replace("https://git.example.com\"", "https://*\""), "serves"),
        (table.replace("[account.work]", "[account.\"../work\"]"), "../work"),
        (table.replace("[account.work]", "[account.Work]"), "Work"),
        (format!("default = \"nosuch\"\n{table}"), "nosuch"),
        (format!("keep = \"perhaps\"\n{table}"), "keep"),
        (table.replace("\"cli\"", "\"cl\\ni\""), "client_id"),
    ];
    for (text, word) in cases {
        let world = World::bare();
        world.config(&text);
        world.with_person(&["login", "work"]).refused(&[10], &[word]);
        let done = world.run(&["get"]).refused(&[10], &[word]);
        assert!(done.err.contains("config.toml"), "{done:?}");
        assert_eq!(world.opened(), [""; 0]);
        assert_eq!(idp.every_call(), 0, "{text}");
    }
}

#[test]
fn the_file_may_be_named() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let other = world.path("home/other.toml");
    fs::rename(world.config_file(), &other).unwrap();
    world.run(&["get"]).refused(&[3], &[]);
    let other = other.to_str().unwrap();
    assert_eq!(world.run(&["--config", other, "get"]).expect(0).out.trim_end(), token);
    assert_eq!(done(world.hallpass(&["get"]).env("HALLPASS_CONFIG", other)).expect(0).out.trim_end(), token);
    world.run(&["--config", "/nowhere/config.toml", "get"]).refused(&[10], &["nowhere", "config.toml"]);
    done(world.hallpass(&["get"]).env("HALLPASS_CONFIG", "/nowhere")).refused(&[10], &["nowhere"]);
}

#[test]
fn the_working_directory_says_nothing() {
    let idp = Idp::start();
    let world = World::bare();
    let table = World::account("work", &idp, SERVES);
    for name in ["config.toml", "hallpass.toml", ".hallpass.toml", ".env"] {
        fs::write(world.path("home").join(name), &table).unwrap();
    }
    world.with_person(&["get"]).refused(&[3], &[]);
    assert_eq!((world.opened().len(), idp.every_call()), (0, 0));
}

#[test]
fn a_change_counts_at_once() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let ask = |host: &str| world.ask(&["git", "get"], format!("protocol=https\nhost={host}\n\n")).expect(0).out;
    assert!(!ask("git.example.com").is_empty());
    let good = world.config_text();
    // The same length, within the same moment.
    world.config(&good.replace("https://git.example.com\"", "https://got.example.com\""));
    assert_eq!(ask("git.example.com"), "", "a place taken out is still served");
    world.config(&good);
    assert!(!ask("git.example.com").is_empty());
    fs::remove_file(world.config_file()).unwrap();
    assert_eq!(ask("git.example.com"), "", "an account without a configuration is still served");
}

#[cfg(unix)]
#[test]
fn without_a_home_it_says_so() {
    let world = World::bare();
    let mut command = world.command(&["get"]);
    command.env_clear().env("HALLPASS_INTERACTIVE", "never").env("HOME", "relative/path");
    let done = done(&mut assert_cmd::Command::from_std(command));
    assert!(done.code.is_some_and(|code| [3, 10].contains(&code)), "{done:?}");
    assert!(!world.path("home/relative").exists());
}
