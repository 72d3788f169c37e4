//! docker-credential-hallpass: get, store, erase, list, version, byte by byte.

use serde_json::{Value, json};

use crate::idp::Idp;
use crate::runs::Done;
use crate::tools::{Link, keeping};
use crate::world::{SERVES, World};

const NOT_FOUND: &str = "credentials not found in native keychain\n";

fn docker(world: &World, verb: &str, stdin: &str) -> Done {
    Link::new(world, "docker-credential-hallpass").ask(&[verb], stdin)
}

/// On stdout, with code 1, and in words that the client quotes.
#[track_caller]
fn refused(done: &Done, words: &[&str]) {
    assert_eq!((done.code, done.err.as_str()), (Some(1), ""), "{done:?}");
    for word in words {
        assert!(done.out.contains(word), "{word:?} is not in {done:?}");
    }
}

#[test]
fn get_answers_for_served_places_alone() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for server in ["git.example.com", "git.example.com\n", "GIT.example.com\r\n", "https://git.example.com/v2/"] {
        let done = docker(&world, "get", server).expect(0);
        let answer: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(answer, json!({"ServerURL": server.trim(), "Username": "oauth2", "Secret": token}), "{server:?}");
        assert_eq!(done.err, "", "silent on success");
    }
    let here = docker(&world, "get", "127.0.0.1:9").expect(0);
    assert!(here.out.contains(&token), "plain http on this machine: {here:?}");
    for server in
        ["evil.example", "git.example.com.evil.example", "git.example.com:444", "index.docker.io", "127.0.0.1:10"]
    {
        let done = docker(&world, "get", server);
        assert_eq!((done.code, done.out.as_str()), (Some(1), NOT_FOUND), "{server}: {done:?}");
    }
    // Only some paths are served there, and no path came: anonymous is fine, the person hears why.
    let done = docker(&world, "get", "git.example.com:8443");
    assert_eq!((done.code, done.out.as_str()), (Some(1), NOT_FOUND), "{done:?}");
}

#[test]
fn failures_are_on_stdout() {
    let idp = Idp::start();
    let world = World::new(&idp);
    refused(&docker(&world, "get", "git.example.com"), &["hallpass login work"]);
    refused(&docker(&world, "get", ""), &["no credentials server URL"]);
    refused(&docker(&world, "frobnicate", ""), &["unknown operation"]);
    refused(&docker(&world, "store", "{\"Secret\":\"canary\""), &["not the JSON"]);
    assert!(!docker(&world, "store", "{\"Secret\":\"canary\"").out.contains("canary"));
    world.ask(&["docker"], "").expect(2);
    world.ask(&["docker", "get", "x"], "").expect(2);
    assert!(docker(&world, "version", "").expect(0).out.starts_with("docker-credential-hallpass "));
    let odd = Link::new(&world, "docker-credential-hallpass").ask(&["get"], vec![0xff, 0xfe, b'\n']);
    refused(&odd, &["not UTF-8"]);
}

#[test]
fn our_own_token_comes_back_in_silence_and_a_password_is_refused() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let before = std::fs::read(world.data("work")).unwrap();
    let brought =
        |secret: &str| json!({"ServerURL": "git.example.com", "Username": "oauth2", "Secret": secret}).to_string();
    docker(&world, "store", &brought(&world.token())).silent();
    refused(&docker(&world, "store", &brought("typed")), &["work", "hallpass login work"]);
    // `docker logout`: the session stays, and the person reads so.
    let erased = docker(&world, "erase", "git.example.com").expect(0);
    assert_eq!(erased.out, "");
    erased.says(&["work", "stays signed in", "hallpass logout work"]);
    docker(&world, "erase", "unknown.example").silent();
    assert_eq!(std::fs::read(world.data("work")).unwrap(), before);
    assert_eq!(world.holdings(), ["work"]);
}

#[test]
fn other_registries_are_kept_for_docker_alone() {
    let world = keeping();
    let hub = "https://index.docker.io/v1/";
    for (server, user) in [(hub, "me"), ("reg.example.org", "<token>")] {
        let brought = json!({"ServerURL": server, "Username": user, "Secret": "p\"ä"}).to_string();
        docker(&world, "store", &brought).silent();
        let answer: Value = serde_json::from_str(&docker(&world, "get", server).expect(0).out).unwrap();
        assert_eq!(answer, json!({"ServerURL": server, "Username": user, "Secret": "p\"ä"}));
    }
    let git = world.ask(&["git", "get"], "protocol=https\nhost=reg.example.org\n\n").expect(0);
    assert_eq!(git.out, "", "a registry's password is nothing for git");
    let list: Value = serde_json::from_str(&docker(&world, "list", "unused").expect(0).out).unwrap();
    assert_eq!(list, json!({hub: "me", "reg.example.org": "<token>"}));
    docker(&world, "erase", hub).silent();
    assert_eq!(docker(&world, "get", hub).out, NOT_FOUND);
    docker(&world, "erase", "reg.example.org").silent();
    assert_eq!(docker(&world, "list", "unused").expect(0).out, "{}\n");
}

#[test]
fn what_cannot_be_kept_is_said() {
    let world = World::bare();
    let brought = json!({"ServerURL": "reg.example.org", "Username": "u", "Secret": "p"}).to_string();
    refused(&docker(&world, "store", &brought), &["not kept", "keep = \"always\""]);
    assert_eq!(world.holdings(), [""; 0]);
}

#[test]
fn a_list_names_whole_hosts_of_who_is_signed_in() {
    let idp = Idp::start();
    let world = World::new(&idp);
    assert_eq!(docker(&world, "list", "").expect(0).out, "{}\n");
    world.sign_in();
    let list: Value = serde_json::from_str(&docker(&world, "list", "unused").expect(0).out).unwrap();
    let hosts: Vec<_> = list.as_object().unwrap().keys().collect();
    assert_eq!(hosts, ["127.0.0.1:9", "git.example.com", "k8s.example.com:6443"], "of {SERVES}");
}

#[cfg(unix)]
#[test]
fn two_at_once_make_one_refresh() {
    let idp = Idp::builder().latency(100).start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    let done =
        world.sh("for i in 1 2 3 4; do printf git.example.com | \"$HALLPASS\" docker get & done; wait").expect(0);
    assert_eq!((done.out.lines().count(), idp.count("refresh_token")), (4, 1), "{done:?}");
}

#[test]
fn the_programs_name_may_name_the_account() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.add(&World::account("other", &idp, r#"["https://git.example.com"]"#));
    world.with_person(&["login", "work"]).expect(0);
    world.with_person(&["login", "other"]).expect(0);
    for account in ["work", "other"] {
        let name = format!("docker-credential-hallpass-{account}");
        let done = Link::new(&world, &name).ask(&["get"], "git.example.com").expect(0);
        assert!(done.out.contains(&world.token_of(account)), "{account}: {done:?}");
    }
    let stranger = Link::new(&world, "docker-credential-hallpass-nosuch").ask(&["get"], "git.example.com");
    assert_eq!((stranger.code, stranger.out.as_str()), (Some(1), NOT_FOUND), "{stranger:?}");
}
