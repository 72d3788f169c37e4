//! git's helper protocol, byte by byte: get, store, capability.

use std::fs;

use crate::answer::{Answer, git};
use crate::idp::Idp;
use crate::runs::done;
#[cfg(unix)]
use crate::runs::has;
use crate::world::World;

const PLACE: &str = "protocol=https\nhost=git.example.com\n";
const BOTH: &str = "capability[]=authtype\ncapability[]=state\n";

#[test]
fn an_old_git_gets_the_password_form() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token");
    let answer = git(&world, PLACE);
    assert_eq!(answer.get("username"), Some("oauth2"));
    assert_eq!(answer.get("password"), token["secret"].as_str());
    let expiry: i64 = answer.get("password_expiry_utc").unwrap().parse().unwrap();
    assert_eq!(expiry, token["expires_at"].as_i64().unwrap() - 60, "the true end less the leeway");
    for key in ["capability[]", "authtype", "credential", "state[]", "continue", "quit", "ephemeral"] {
        assert_eq!(answer.all(key), [""; 0], "{key} was not announced");
    }
    assert_eq!(answer.err, "", "silent on success");
}

#[test]
fn basic_is_preferred_and_bearer_given_where_it_alone_is_offered() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let both = git(&world, format!("{BOTH}{PLACE}wwwauth[]=Bearer realm=\"x\"\nwwwauth[]=Basic realm=\"x\"\n"));
    assert_eq!((both.get("username"), both.get("password")), (Some("oauth2"), Some(token.as_str())));
    assert_eq!(both.get("credential"), None);
    let bearer = git(&world, format!("{BOTH}{PLACE}wwwauth[]=Bearer realm=\"x\"\n"));
    assert_eq!((bearer.get("authtype"), bearer.get("credential")), (Some("Bearer"), Some(token.as_str())));
    assert_eq!((bearer.get("password"), bearer.get("username")), (None, None));
    let place = |key: &str| bearer.lines.iter().position(|(k, v)| format!("{k}={v}").starts_with(key)).unwrap();
    assert!(place("capability[]=authtype") < place("authtype="), "the capability comes first: {bearer:?}");
    let capless = git(&world, format!("{PLACE}wwwauth[]=Bearer realm=\"x\"\n"));
    assert_eq!(capless.get("password"), Some(token.as_str()), "without the capability only the old form is legal");
    let authtype = git(&world, format!("capability[]=authtype\n{PLACE}wwwauth[]=Bearer\n"));
    assert_eq!(authtype.get("credential"), Some(token.as_str()));
    assert_eq!((authtype.all("state[]").len(), authtype.get("continue")), (0, None));
}

#[test]
fn round_one_carries_state_and_continue_and_round_two_heals() {
    let idp = Idp::start();
    for challenge in ["Basic realm=\"x\"", "Bearer realm=\"x\""] {
        let world = World::signed_in(&idp);
        world.shift(120);
        idp.revoke_access_tokens();
        let question = format!("{BOTH}{PLACE}wwwauth[]={challenge}\n");
        let one = git(&world, question.clone());
        assert_eq!(one.get("continue"), Some("1"));
        let state = one.get("state[]").unwrap().to_owned();
        assert!(state.starts_with("hallpass:") && !state.contains(one.secret()), "{state}");
        assert!(one.all("capability[]").contains(&"state"), "only what is echoed counts: {one:?}");
        let count = idp.count("refresh_token");
        let two = git(&world, format!("{question}state[]={state}\n"));
        assert_eq!(two.get("continue"), None, "`continue` in round two loops for ever");
        assert_ne!(two.secret(), one.secret());
        assert!(idp.live_access_token(two.secret()));
        assert_eq!(idp.count("refresh_token"), count + 1);
    }
}

#[test]
fn a_second_round_without_state_is_known_by_its_authtype() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(120);
    let old = world.token();
    let two = git(&world, format!("{BOTH}authtype=Bearer\n{PLACE}wwwauth[]=Bearer\n"));
    assert_eq!(two.get("continue"), None);
    assert_ne!(two.secret(), old);
    assert_eq!(idp.count("refresh_token"), 1);
}

#[test]
fn a_young_token_is_not_thrown_away() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let one = git(&world, format!("{BOTH}{PLACE}wwwauth[]=Bearer\n"));
    let state = one.get("state[]").unwrap();
    let two = git(&world, format!("{BOTH}{PLACE}wwwauth[]=Bearer\nstate[]={state}\n"));
    assert_eq!(two.get("continue"), None);
    assert_eq!(idp.count("refresh_token"), 0, "a refused token of this minute is an access problem");
    assert_eq!(world.token(), token);
}

#[test]
fn a_refusal_of_a_token_we_no_longer_hold_refreshes_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let question = format!("{BOTH}{PLACE}wwwauth[]=Bearer\n");
    let state = git(&world, question.clone()).get("state[]").unwrap().to_owned();
    world.shift(4000);
    let newer = world.token();
    world.shift(120);
    let two = git(&world, format!("{question}state[]={state}\n"));
    assert_eq!((two.secret(), idp.count("refresh_token")), (newer.as_str(), 1));
    let foreign = git(&world, format!("{question}state[]=other:1\n"));
    assert_eq!((foreign.secret(), foreign.get("continue")), (newer.as_str(), Some("1")), "not our state: round one");
}

#[test]
fn continue_never_comes_in_a_second_round() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let state = git(&world, format!("{BOTH}{PLACE}")).get("state[]").unwrap().to_owned();
    let signs = [
        format!("state[]={state}"),
        "authtype=Bearer".into(),
        format!("state[]=x:y\nstate[]={state}"),
        "state[]=hallpass:".into(),
    ];
    for sign in signs {
        for challenge in ["", "wwwauth[]=Basic\n", "wwwauth[]=Bearer\n"] {
            for question in [format!("{BOTH}{sign}\n{PLACE}{challenge}"), format!("{BOTH}{PLACE}{challenge}{sign}\n")] {
                assert_eq!(git(&world, question.clone()).get("continue"), None, "{question:?}");
            }
        }
    }
}

#[test]
fn mail_gets_a_password() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for place in ["protocol=smtp\nhost=mail.example.com:465\n", "protocol=imaps\nhost=mail.example.com\n"] {
        let answer = git(&world, format!("{BOTH}{place}"));
        assert_eq!(answer.get("password"), Some(token.as_str()), "{place}");
        assert!(answer.get("username").is_some());
        assert_eq!((answer.get("authtype"), answer.get("credential")), (None, None), "imap-send would crash");
    }
    for place in ["protocol=cert\nhost=\npath=key.pem\nusername=\n", "protocol=ftp\nhost=git.example.com\n"] {
        assert!(git(&world, place).is_empty(), "{place}");
    }
}

#[test]
fn another_username_is_never_put_in_its_place() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let same = git(&world, format!("{PLACE}username=oauth2\n"));
    assert_eq!(same.get("username"), Some("oauth2"));
    let other = git(&world, format!("{PLACE}username=alice\n"));
    assert!(other.is_empty() || other.get("username") == Some("alice"), "{other:?}");
}

#[test]
fn capability_says_what_git_says() {
    let world = World::bare();
    let done = world.ask(&["git", "capability"], "").expect(0);
    assert_eq!(done.out, "version 0\ncapability authtype\ncapability state\n");
}

#[test]
fn an_unknown_operation_is_silent_and_none_is_usage() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for operation in ["frobnicate", "list", "approve"] {
        world.ask(&["git", operation], format!("{PLACE}password=x\n")).silent();
    }
    world.ask(&["git"], "").expect(2);
    world.ask(&["git", "get"], "").silent();
}

#[test]
fn store_of_our_own_token_changes_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (before, token) = (fs::read(world.data("work")).unwrap(), world.token());
    let changed = fs::metadata(world.data("work")).unwrap().modified().unwrap();
    let stores = [
        format!("{PLACE}username=oauth2\npassword={token}\npassword_expiry_utc=9999999999\n"),
        format!("{BOTH}authtype=Bearer\ncredential={token}\nephemeral=1\n{PLACE}continue=1\nstate[]=hallpass:1:2\n"),
        format!("{PLACE}username=u\npassword=typed-in-a-url\n"),
        PLACE.to_owned(),
        String::new(),
    ];
    for store in stores {
        world.ask(&["git", "store"], store.clone()).silent();
        assert_eq!(fs::read(world.data("work")).unwrap(), before, "{store:?}");
    }
    assert_eq!(fs::metadata(world.data("work")).unwrap().modified().unwrap(), changed);
    assert_eq!(world.holdings(), ["work"]);
    assert_eq!(git(&world, PLACE).secret(), token);
}

#[test]
fn a_managed_place_without_a_token_ends_the_chain_only_when_the_server_asked() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let asked = git(&world, format!("{BOTH}{PLACE}wwwauth[]=Basic realm=\"x\"\n"));
    assert_eq!(asked.text, "quit=1\n\n");
    assert!(asked.err.contains("hallpass login work"), "{asked:?}");
    let proactive = git(&world, format!("{BOTH}{PLACE}"));
    assert_eq!(proactive.text, "", "a repository may be public");
    assert_eq!(world.opened(), [""; 0]);
}

#[test]
fn git_with_a_person_signs_in_and_gits_own_no_wins() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let question = format!("{BOTH}{PLACE}wwwauth[]=Basic\n");
    let ask = |key: &str, value: &str| {
        let mut command = world.hallpass(&["git", "get"]);
        command.env("HALLPASS_INTERACTIVE", "always").env(key, value).write_stdin(question.clone());
        done(&mut command)
    };
    let refused = ask("GIT_TERMINAL_PROMPT", "0");
    assert_eq!((refused.out.as_str(), world.opened().len()), ("quit=1\n\n", 0), "{refused:?}");
    let answer = Answer::of(ask("GIT_TERMINAL_PROMPT", "1"));
    assert!(idp.live_access_token(answer.secret()));
    assert_eq!(world.opened().len(), 1);
}

#[cfg(unix)]
#[test]
fn gits_configuration_can_say_no() {
    if !has("git") {
        return;
    }
    let idp = Idp::start();
    let world = World::new(&idp);
    let helper = format!("credential.helper=!'{}' git", crate::world::BIN);
    let no = "credential.interactive=false";
    let mut command =
        world.program("git", &["-c", "credential.helper=", "-c", &helper, "-c", no, "credential", "fill"]);
    command.env("HALLPASS_INTERACTIVE", "always").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ASKPASS", "true");
    let mut command = assert_cmd::Command::from_std(command);
    let done = done(command.write_stdin(PLACE).timeout(std::time::Duration::from_secs(60)));
    assert_eq!((world.opened().len(), idp.every_call()), (0, 0), "{done:?}");
}
