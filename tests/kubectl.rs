//! kubectl's exec credential: one JSON document out, the right kind of token in it.

use serde_json::{Value, json};

use crate::answers::{At, Fault};
use crate::idp::Idp;
use crate::runs::{Done, done};
use crate::world::World;

const V1: &str = "client.authentication.k8s.io/v1";

fn info(version: &str, spec: Value) -> String {
    json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec}).to_string()
}

fn ask_with(world: &World, args: &[&str], info: &str) -> Done {
    done(world.hallpass(args).env("HALLPASS_INTERACTIVE", "always").env("KUBERNETES_EXEC_INFO", info))
}

fn ask(world: &World, info: &str) -> Done {
    ask_with(world, &["kubectl"], info)
}

/// The one document on stdout.
#[track_caller]
fn document(done: &Done) -> Value {
    assert!(done.out.ends_with('\n') && done.out.lines().count() == 1, "{done:?}");
    assert_eq!(done.err, "", "silent on success");
    let document: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(document["kind"], "ExecCredential");
    document
}

/// Seconds since 1970 as RFC 3339 with whole seconds.
pub fn rfc3339(time: i64) -> String {
    let (days, seconds) = (time.div_euclid(86_400) + 719_468, time.rem_euclid(86_400));
    let era_day = days.rem_euclid(146_097);
    let year = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let day = era_day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[test]
fn the_version_that_came_goes_back() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token");
    for version in [V1, "client.authentication.k8s.io/v1beta1"] {
        let document = document(&ask(&world, &info(version, json!({"interactive": false}))).expect(0));
        assert_eq!(document["apiVersion"], version);
        assert_eq!(document["status"]["token"], token["secret"]);
        let end = rfc3339(token["expires_at"].as_i64().unwrap() - 60);
        assert_eq!(document["status"]["expirationTimestamp"], end, "the true end less the leeway");
    }
    assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
}

#[test]
fn an_unknown_version_or_garbage_fails_loudly() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let two = format!("{0}{0}", info(V1, json!({})));
    for bad in [
        info("client.authentication.k8s.io/v1alpha1", json!({})).as_str(),
        &info("client.authentication.k8s.io/v2", json!({})),
        &info("v1", json!({})),
        "not json",
        "[]",
        "null",
        "{}",
        "{\"apiVersion\":",
        &two,
    ] {
        let done = ask(&world, bad);
        assert!(done.code != Some(0) && done.out.is_empty(), "{bad}: {done:?}");
        assert!(done.err.starts_with("hallpass: error:"), "{bad}: {done:?}");
        assert_eq!(done.code, Some(2), "{bad}: {done:?}");
    }
}

#[test]
fn by_hand_it_is_v1() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    for document in [document(&world.run(&["kubectl"]).expect(0)), document(&ask(&world, "").expect(0))] {
        assert_eq!(document["apiVersion"], V1);
        assert_eq!(document["status"]["token"], world.token());
    }
}

#[test]
fn interactive_false_never_opens_a_page() {
    let idp = Idp::start();
    let world = World::new(&idp);
    ask(&world, &info(V1, json!({"interactive": false}))).refused(&[4], &["hallpass login work"]);
    assert_eq!(world.opened(), [""; 0]);
    let answer = document(&ask(&world, &info(V1, json!({"interactive": true}))).expect(0).without_stderr());
    assert!(idp.live_access_token(answer["status"]["token"].as_str().unwrap()));
    assert_eq!(world.opened().len(), 1);
}

#[test]
fn an_id_token_is_given_where_the_session_has_one() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let id = world.kept("id_token")["secret"].clone();
    let spec = json!({"interactive": false});
    assert_eq!(document(&ask(&world, &info(V1, spec.clone())).expect(0))["status"]["token"], id);
    let access = world.token();
    assert_ne!(json!(access), id, "the shell gets the access token");
    world.add("hand_out = \"access_token\"");
    assert_eq!(document(&ask(&world, &info(V1, spec)).expect(0))["status"]["token"], json!(access));
    let git = world.ask(&["git", "get"], "protocol=https\nhost=git.example.com\n\n").expect(0);
    assert!(git.out.contains(&access), "{git:?}");
}

#[test]
fn an_expired_id_token_is_refreshed_and_never_replaced_by_another_kind() {
    let idp = Idp::builder().id_tokens().start();
    let world = World::signed_in(&idp);
    let old = world.kept("id_token")["secret"].clone();
    world.shift(4000);
    let spec = info(V1, json!({"interactive": false}));
    let new = document(&ask(&world, &spec).expect(0))["status"]["token"].clone();
    assert_ne!(new, old);
    assert_eq!(new.as_str().unwrap().matches('.').count(), 2, "not an id_token: {new}");
    idp.always(At::Token, Fault::NoIdTokenOnRefresh);
    world.shift(4000);
    ask(&world, &spec).refused(&[4], &["work", "hallpass login work"]);
    let count = idp.count("refresh_token");
    assert!(idp.live_access_token(&world.token()), "the access token of that refresh is good");
    assert_eq!(idp.count("refresh_token"), count);
    ask(&world, &spec).refused(&[4], &["work"]);
    assert!(idp.count("refresh_token") <= count + 1, "a refresh for every call");
}

#[test]
fn a_cluster_that_nobody_serves_gets_nothing() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let cluster = |server: &str| info(V1, json!({"interactive": false, "cluster": {"server": server}}));
    let good = document(&ask(&world, &cluster("https://k8s.example.com:6443")).expect(0));
    assert_eq!(good["status"]["token"], world.token());
    document(&ask(&world, &cluster("https://K8S.example.com:6443/")).expect(0));
    let bad = [
        "https://evil.example:6443",
        "https://k8s.example.com",
        "https://k8s.example.com:6444",
        "http://k8s.example.com:6443",
        "https://k8s.example.com:6443@evil.example",
        "https://evil.example/k8s.example.com:6443",
        "k8s.example.com:6443",
        "https://",
        "\n",
    ];
    for server in bad {
        for args in [["kubectl"].as_slice(), &["kubectl", "--account", "work"]] {
            let done = ask_with(&world, args, &cluster(server));
            assert!(done.code != Some(0) && done.out.is_empty(), "{args:?} {server}: {done:?}");
        }
    }
    assert_eq!(world.opened().len(), 1);
    document(&ask_with(&world, &["kubectl", "--account", "work"], &info(V1, json!({"interactive": false}))).expect(0));
    ask_with(&world, &["kubectl", "--account", "nosuch"], &info(V1, json!({}))).refused(&[3], &["nosuch"]);
}

#[test]
fn the_clusters_config_names_the_audience() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let plain = world.token();
    let spec = json!({"interactive": false, "cluster": {"server": "https://k8s.example.com:6443", "config": {"audience": "hall-aud", "nested": {"k": 1}}}});
    let question = info(V1, spec);
    let first = document(&ask(&world, &question).expect(0));
    let asked = idp.calls(At::Token).last().unwrap().form.clone();
    assert!(asked.iter().any(|(_, value)| value == "hall-aud"), "the audience was not asked for: {asked:?}");
    assert_ne!(first["status"]["token"], json!(plain));
    let calls = idp.every_call();
    assert_eq!(document(&ask(&world, &question).expect(0)), first, "kept beside the other");
    assert_eq!(world.token(), plain, "one audience put another out");
    assert_eq!(idp.every_call(), calls);
}

#[cfg(unix)]
#[test]
fn twelve_at_once_after_the_end_make_one_request() {
    let idp = Idp::builder().latency(100).start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    let snippet = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do \"$HALLPASS\" kubectl & done; wait";
    let done = world.sh(snippet).expect(0);
    assert_eq!(done.out.lines().count(), 12, "{done:?}");
    assert_eq!(idp.count("refresh_token"), 1);
}

#[cfg(unix)]
#[test]
fn a_long_cluster_description_is_no_obstacle() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let bundle = "QUJD".repeat(25_000);
    let cluster = json!({"server": "https://k8s.example.com:6443", "certificate-authority-data": bundle});
    document(&ask(&world, &info(V1, json!({"interactive": false, "cluster": cluster}))).expect(0));
}
