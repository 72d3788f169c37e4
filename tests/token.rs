//! A token piped in by a person: checked, kept, never repeated.

use std::fs;

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::{Done, done};
use crate::world::World;

const PAT: &str = "glpat-0123456789abcdefghijklmnopqrstuvwxyz";

fn pipe(world: &World, flag: &str, stdin: &str) -> Done {
    done(world.hallpass(&["login", "work", flag]).env("HALLPASS_INTERACTIVE", "always").write_stdin(stdin))
}

#[test]
fn a_good_token_is_checked_and_kept() {
    for flag in ["--with-token", "--token-stdin"] {
        let idp = Idp::start();
        idp.add_pat(PAT);
        let world = World::new(&idp);
        pipe(&world, flag, &format!("{PAT}\n")).expect(0);
        let checks = idp.calls(At::Userinfo);
        assert_eq!(checks.len(), 1, "{flag}");
        assert_eq!(checks[0].bearer.as_deref(), Some(PAT));
        assert_eq!(world.token(), PAT);
        assert_eq!(world.opened(), [""; 0]);
        assert_eq!(world.run(&["header"]).expect(0).out, format!("Authorization: Bearer {PAT}\n"));
    }
}

#[test]
fn a_bad_token_is_4_and_an_older_session_is_untouched() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let done = pipe(&world, "--with-token", PAT).refused(&[4], &["work"]);
    assert!(!done.err.contains(PAT));
    assert!(!world.has_record());
    world.sign_in();
    let before = fs::read(world.data("work")).unwrap();
    pipe(&world, "--with-token", PAT).refused(&[4], &[]);
    idp.once(At::Userinfo, Fault::Status(403, vec![], "no"));
    pipe(&world, "--with-token", PAT).refused(&[4], &[]);
    assert_eq!(fs::read(world.data("work")).unwrap(), before);
}

#[test]
fn a_token_that_cannot_be_checked_is_not_kept() {
    for fault in [Fault::Status(503, vec![], "later"), Fault::Html200, Fault::CloseBeforeAnswer] {
        let idp = Idp::start();
        idp.add_pat(PAT);
        let world = World::new(&idp);
        idp.always(At::Userinfo, fault);
        pipe(&world, "--with-token", PAT).refused(&[6], &["work"]);
        assert!(!world.has_record());
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    drop(idp);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.config(&format!(
        "[account.work]\nissuer = \"http://{gone}\"\nclient_id = \"cli\"\nserves = [\"https://g.example.com\"]\n"
    ));
    pipe(&world, "--with-token", PAT).refused(&[6], &[]);
    assert!(!world.has_record());
}

#[test]
fn what_cannot_be_a_token_is_refused_before_anybody_is_asked() {
    let idp = Idp::start();
    let world = World::new(&idp);
    for text in ["", "\n", "two words\n", "first\nsecond\n", "nul\0nul\n", "bell\u{7}\n"] {
        pipe(&world, "--with-token", text).refused(&[2, 4], &[]);
        assert!(!world.has_record(), "{text:?}");
    }
    assert_eq!(idp.calls(At::Userinfo).len(), 0);
    let long = "x".repeat(2 << 20);
    pipe(&world, "--with-token", &long).refused(&[2, 4], &[]);
}

#[test]
fn what_follows_with_token_is_never_repeated() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let secret = "s3cr3t-typed-by-mistake-0123456789";
    for args in [["login", "--with-token", secret].as_slice(), &["login", "work", "--with-token", secret]] {
        let done = done(world.hallpass(args).write_stdin(""));
        assert_ne!(done.code, Some(0), "{done:?}");
        assert!(!format!("{done:?}").contains(secret), "{done:?}");
        assert!(!world.data(secret).exists());
    }
}

#[test]
fn a_piped_token_is_never_refreshed() {
    let idp = Idp::start();
    idp.add_pat(PAT);
    let world = World::new(&idp);
    pipe(&world, "--with-token", PAT).expect(0);
    world.shift(86_400);
    assert_eq!(world.token(), PAT, "a token without a known end stays");
    assert_eq!(idp.count("refresh_token"), 0);
}
