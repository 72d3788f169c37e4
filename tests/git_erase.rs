//! git's `erase`: that access token was refused; never a logout.

use std::fs;

use crate::answer::git;
use crate::idp::Idp;
use crate::world::World;

const PLACE: &str = "protocol=https\nhost=git.example.com\n";

fn erase(world: &World, rest: &str) {
    world.ask(&["git", "erase"], format!("{PLACE}{rest}")).silent();
}

#[test]
fn a_refused_token_is_marked_dead_and_the_next_get_refreshes() {
    for form in ["password", "credential"] {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        world.shift(120);
        let (old, refresh) = (world.token(), world.record()["refresh_token"].clone());
        let named = match form {
            "password" => format!("username=oauth2\npassword={old}\nwwwauth[]=Basic\n"),
            _ => format!("capability[]=authtype\nauthtype=Bearer\ncredential={old}\n"),
        };
        erase(&world, &named);
        assert_eq!(world.kept("access_token")["dead"], true, "{form}");
        assert_eq!(world.record()["refresh_token"], refresh, "erase is never a logout");
        assert_eq!(idp.count("refresh_token"), 0, "erase itself asks nobody");
        let new = git(&world, PLACE);
        assert_ne!(new.secret(), old);
        assert!(idp.live_access_token(new.secret()));
        assert_eq!(idp.count("refresh_token"), 1);
    }
}

#[test]
fn a_token_younger_than_a_minute_stays() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    world.ask(&["git", "erase"], format!("{PLACE}username=oauth2\npassword={token}\n")).expect(0);
    assert_ne!(world.kept("access_token")["dead"], true);
    assert_eq!(world.token(), token);
    assert_eq!(idp.count("refresh_token"), 0);
}

#[test]
fn forced_refreshes_come_once_a_minute() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for _ in 0..5 {
        let token = world.token();
        world.ask(&["git", "erase"], format!("{PLACE}username=oauth2\npassword={token}\n")).expect(0);
        world.shift(61);
        let token = world.token();
        world.ask(&["git", "erase"], format!("{PLACE}username=oauth2\npassword={token}\n")).expect(0);
    }
    world.token();
    assert!(idp.count("refresh_token") <= 1, "{} forced refreshes in a minute", idp.count("refresh_token"));
}

#[test]
fn another_password_or_none_erases_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(120);
    let token = world.token();
    let before = fs::read(world.data("work")).unwrap();
    let refresh = world.record()["refresh_token"].as_str().unwrap().to_owned();
    for rest in [
        "username=oauth2\npassword=another\n".to_owned(),
        String::new(),
        "username=oauth2\n".to_owned(),
        "password=\n".to_owned(),
        format!("password={}\n", &token[..63]),
        format!("password={refresh}\n"),
        "authtype=Bearer\ncredential=another\n".to_owned(),
    ] {
        erase(&world, &rest);
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{rest:?}");
    }
    world.ask(&["git", "erase"], format!("protocol=https\nhost=evil.example\npassword={token}\n")).silent();
    assert_eq!(fs::read(world.data("work")).unwrap(), before, "erased through a place that is not served");
    assert_eq!(world.token(), token);
}

#[test]
fn an_older_token_than_ours_erases_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let old = world.token();
    world.shift(4000);
    let new = world.token();
    world.shift(120);
    erase(&world, &format!("username=oauth2\npassword={old}\n"));
    assert_eq!((world.token(), idp.count("refresh_token")), (new, 1));
}

#[cfg(unix)]
#[test]
fn many_erases_and_gets_at_once_make_one_refresh() {
    let idp = Idp::builder().latency(100).start();
    let world = World::signed_in(&idp);
    world.shift(120);
    let token = world.token();
    let question = world.path("home/question");
    fs::write(&question, format!("{PLACE}username=oauth2\npassword={token}\n")).unwrap();
    fs::write(world.path("home/place"), PLACE).unwrap();
    let snippet = "for i in 1 2 3 4 5 6 7 8 9 10; do \
        { \"$HALLPASS\" git erase <question; \"$HALLPASS\" git get <place; } & done; wait";
    let done = world.sh(snippet).expect(0);
    assert_eq!(idp.count("refresh_token"), 1, "{done:?}");
    assert_eq!(done.out.matches("password=").count(), 10);
    assert!(idp.family_alive() && idp.reuses() == 0);
}
