//! Which places git may ask for: look-alikes, injections, lines without end.

use std::io::Write as _;
use std::process::Stdio;

use crate::answer::git;
use crate::idp::Idp;
use crate::runs::Running;
use crate::world::World;

fn place(protocol: &str, host: &str) -> String {
    format!("protocol={protocol}\nhost={host}\n")
}

#[test]
fn the_places_of_the_account_are_answered() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for (protocol, host, path) in [
        ("https", "git.example.com", ""),
        ("https", "GIT.Example.COM", ""),
        ("https", "git.example.com:443", ""),
        ("HTTPS", "git.example.com", ""),
        ("https", "git.example.com", "path=any/where.git\n"),
        ("https", "git.example.com:8443", "path=team\n"),
        ("https", "git.example.com:8443", "path=team/repo.git\n"),
        ("http", "127.0.0.1:9", ""),
    ] {
        let answer = git(&world, format!("{}{path}", place(protocol, host)));
        assert_eq!(answer.secret(), token, "{protocol} {host} {path}");
    }
}

#[test]
fn look_alikes_get_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for (protocol, host) in [
        ("https", "evil-git.example.com"),
        ("https", "evilgit.example.com"),
        ("https", "git.example.com.evil.example"),
        ("https", "git.example.comevil.example"),
        ("https", "gitXexample.com"),
        ("https", "example.com"),
        ("https", "sub.git.example.com"),
        ("https", "git.example.com."),
        ("https", ".git.example.com"),
        ("https", "git..example.com"),
        ("https", "git.example.com:8444"),
        ("https", "git.example.com:80"),
        ("https", "git.example.com:4430"),
        ("https", "git.example.com:443:443"),
        ("https", "git.example.com:99999"),
        ("https", "git.example.com:-443"),
        ("https", "git.example.com:+443"),
        ("https", "git.example.com@evil.example"),
        ("https", "evil.example@git.example.com"),
        ("https", "evil.example#git.example.com"),
        ("https", "evil.example?git.example.com"),
        ("https", "evil.example/git.example.com"),
        ("https", "git.example.com/"),
        ("https", "git.example.com/@evil.example"),
        ("https", "git.example.com\\evil.example"),
        ("https", " git.example.com"),
        ("https", "git.example.com "),
        ("https", "git.example.com\t"),
        ("https", "git.example.com%00.evil.example"),
        ("https", "git%2eexample.com"),
        ("https", "\u{ff47}it.example.com"),
        ("https", "git\u{3002}example.com"),
        ("https", "g\u{131}t.example.com"),
        ("https", "git.example.com\u{200b}"),
        ("https", "xn--git-.example.com"),
        ("https", "[git.example.com]"),
        ("https", "*"),
        ("https", "*.example.com"),
        ("https", ""),
        ("", "git.example.com"),
        ("http", "git.example.com"),
        ("http", "git.example.com:443"),
        ("httpss", "git.example.com"),
        ("https ", "git.example.com"),
        ("ssh", "git.example.com"),
        ("http", "127.0.0.1:10"),
        ("http", "127.0.0.1"),
        ("https", "127.0.0.1:9"),
        ("http", "127.0.0.2:9"),
        ("http", "localhost:9"),
        ("http", "[::1]:9"),
        ("https", "git.example.com:8443"),
        ("smtp", "mail.example.com"),
        ("imap", "mail.example.com"),
    ] {
        let answer = git(&world, place(protocol, host));
        assert!(answer.is_empty(), "{protocol} {host:?}: {answer:?}");
    }
    for path in ["teams", "team2/x", "tea", "other/team", "../team", "TEAM/x", "team/../other", "team%2f..%2fother", ""]
    {
        let answer = git(&world, format!("{}path={path}\n", place("https", "git.example.com:8443")));
        assert!(answer.is_empty(), "{path:?}: {answer:?}");
    }
}

#[test]
fn a_narrowing_word_never_widens() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.config(&format!("default = \"work\"\n{}", world.config_text()));
    let evil = place("https", "evil.example");
    for args in [["--account", "work", "git", "get"].as_slice(), &["git", "--account", "work", "get"]] {
        let done = world.ask(args, evil.clone());
        assert!(!done.out.contains(&token), "{args:?}: {done:?}");
    }
    let done = crate::runs::done(world.hallpass(&["git", "get"]).env("HALLPASS_ACCOUNT", "work").write_stdin(evil));
    assert_eq!(done.out, "");
    let good = place("https", "git.example.com");
    for args in [["git", "--account", "work", "get"].as_slice(), &["--account", "work", "git", "get"]] {
        assert!(world.ask(args, good.clone()).expect(0).out.contains(&token), "{args:?}");
    }
    let done = crate::runs::done(world.hallpass(&["git", "get"]).env("HALLPASS_ACCOUNT", "nosuch").write_stdin(good));
    assert!(!done.out.contains(&token), "{done:?}");
}

#[test]
fn missing_pieces_match_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for question in [
        "protocol=https\n",
        "host=git.example.com\n",
        "path=x\n",
        "username=oauth2\n",
        "\nprotocol=https\nhost=git.example.com\n",
        "protocol=https\n\nhost=git.example.com\n",
        "url=/x\n",
        "url=https:///x\n",
        "url=https:git.example.com\n",
        "url=https:/\\git.example.com\n",
        "url=https://git.example.com@evil.example/\n",
        "url=https://evil.example#@git.example.com/\n",
        "url=https://evil.example\\@git.example.com/\n",
        "url=https://evil%0ahost=git.example.com/\n",
        "protocol=https\nhost=git.example.com\nurl=https://evil.example/\n",
        "protocol https\nhost git.example.com\n",
        " protocol=https\nhost=git.example.com\n",
        "protocol=https\nhost =git.example.com\n",
        "protocol=https\nHOST=git.example.com\n",
        "protocol=https\nhost=git.example.com\nhost=evil.example\n",
    ] {
        let answer = git(&world, question);
        assert!(answer.is_empty(), "{question:?}: {answer:?}");
    }
}

#[test]
fn control_bytes_are_refused() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for question in [
        "protocol=https\nhost=evil.example\rhost=git.example.com\n",
        "protocol=https\nhost=git.example.com\rhost=evil.example\n",
        "protocol=https\nhost=git.example.com\0.evil.example\n",
        "protocol=https\nhost=git.example.com\0\n",
        "protocol=https\0x\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com\nusername=a\rb\n",
        "protocol=https\nhost=git.example.com\nusername=a\0b\n",
        "protocol=https\nhost=git.example.com\npath=a\rb\n",
        "protocol=https\nhost=git.example.com\u{b}\n",
        "protocol=https\nhost=git.example.com\u{1b}[0m\n",
        "protocol=https\nhost=git.example.com\u{2028}\n",
        "protocol=https\nhost=git.example.com\u{85}\n",
        "\u{feff}protocol=https\nhost=git.example.com\n",
    ] {
        let answer = git(&world, question);
        assert!(answer.is_empty(), "{question:?}: {answer:?}");
        assert!(!answer.err.contains(['\r', '\0', '\u{1b}']), "{answer:?}");
    }
}

#[test]
fn harmless_shapes_are_understood() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for question in [
        "protocol=https\r\nhost=git.example.com\r\n\r\n",
        "protocol=https\nhost=git.example.com",
        "protocol=https\nhost=git.example.com\n\nhost=evil.example\n",
        "host=git.example.com\nprotocol=https\nunknown=1\nfoo[]=2\n",
        "protocol=https\nhost=evil.example\nhost=git.example.com\n",
        "wwwauth[]=a=b==\nprotocol=https\nhost=git.example.com\npath=a=b\n",
        "url=https://git.example.com/x.git\n",
    ] {
        assert_eq!(git(&world, question).secret(), token, "{question:?}");
    }
    // Bytes that are no text: answered or refused, never guessed at.
    let odd = [b"protocol=https\nhost=git.example.com\npath=".as_slice(), &[0xff, 0xfe], b"\n"].concat();
    let answer = git(&world, odd);
    assert!(answer.is_empty() || answer.secret() == token, "{answer:?}");
}

#[test]
fn long_lines_are_bounded() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let line = |key: &str, size: usize| format!("{key}={}\n", "a".repeat(size - key.len() - 2));
    let good = place("https", "git.example.com");
    assert_eq!(git(&world, format!("{good}{}", line("path", 65_535))).secret(), token);
    for question in [
        format!("{good}{}", line("path", 1 << 20)),
        format!("{}{good}", line("wwwauth[]", 1 << 20)),
        format!("protocol=https\nhost={}git.example.com\n", "a.".repeat(1 << 19)),
        "x".repeat(1 << 21),
        "wwwauth[]=Basic\n".repeat(200_000) + &good,
    ] {
        let done = world.ask(&["git", "get"], question);
        assert!(done.out.is_empty() && done.code.is_some_and(|code| code != 1 && code != 101), "{done:?}");
    }
}

#[test]
fn a_blank_line_ends_the_question_though_the_caller_never_hangs_up() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (read, mut write) = std::io::pipe().unwrap();
    let mut command = world.command(&["git", "get"]);
    command.stdin(read).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::start_as_is(command);
    write.write_all(format!("{}\n", place("https", "git.example.com")).as_bytes()).unwrap();
    assert!(running.end().expect(0).out.contains("password="));
}
