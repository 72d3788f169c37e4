//! The helpers that are asked for a host or a URL: terraform, bazel, vault, goauth, kubelet.

use serde_json::{Value, json};

use crate::answers::At;
use crate::forms::field;
use crate::idp::Idp;
use crate::tools::{Link, keeping};
use crate::world::World;

fn end_of(token: &Value, leeway: i64) -> i64 {
    token["expires_at"].as_i64().unwrap() - leeway
}

#[test]
fn terraform_gets_a_token_or_an_empty_object() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let terraform = Link::new(&world, "terraform-credentials-hallpass");
    let done = terraform.run(&["get", "git.example.com"]).expect(0);
    assert_eq!((done.out, done.err), (format!("{{\"token\":\"{}\"}}\n", world.token()), String::new()));
    let done = terraform.run(&["--account", "work", "get", "git.example.com"]).expect(0);
    assert!(done.out.contains(&world.token()), "options stand before the verb: {done:?}");
    for host in ["evil.example", "git.example.com:444", "xn--bcher-kva.example", "localhost:8443"] {
        let done = terraform.run(&["get", host]).expect(0);
        assert_eq!((done.out.as_str(), done.err.as_str()), ("{}\n", ""), "{host}");
    }
    terraform.ask(&["store", "git.example.com"], "{\"token\":\"typed\"}").refused(&[3], &["hallpass login work"]);
    terraform.ask(&["store", "git.example.com"], format!("{{\"token\":\"{}\"}}", world.token())).silent();
    terraform.run(&["forget", "git.example.com"]).refused(&[3], &["hallpass logout work"]);
    terraform.run(&["forget", "unknown.example"]).silent();
    terraform.run(&["frobnicate", "git.example.com"]).refused(&[2], &[]);
    terraform.run(&["get", "a/b"]).refused(&[2], &[]);
}

#[test]
fn terraform_keeps_what_nobody_serves() {
    let world = keeping();
    let terraform = Link::new(&world, "terraform-credentials-hallpass");
    terraform.ask(&["store", "app.example.org:8443"], "{\"token\":\"regtok\"}").silent();
    assert_eq!(terraform.run(&["get", "app.example.org:8443"]).expect(0).out, "{\"token\":\"regtok\"}\n");
    assert_eq!(terraform.run(&["get", "app.example.org"]).expect(0).out, "{}\n");
    terraform.run(&["forget", "app.example.org:8443"]).silent();
    assert_eq!(terraform.run(&["get", "app.example.org:8443"]).expect(0).out, "{}\n");
    let odd = terraform.ask(&["store", "app.example.org"], "{\"token\":\"canary\",\"more\":1}").refused(&[2], &[]);
    assert!(!odd.err.contains("canary"), "{odd:?}");
}

#[test]
fn terraform_without_a_session_fails_in_words() {
    let idp = Idp::start();
    let world = World::new(&idp);
    Link::new(&world, "terraform-credentials-hallpass")
        .run(&["get", "git.example.com"])
        .refused(&[4], &["hallpass login work"]);
}

#[test]
fn bazel_gets_lists_of_values_and_whole_seconds() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token");
    let bazel = Link::new(&world, "hallpass-bazel");
    let ask = |uri: &str| bazel.ask(&["get"], json!({"uri": uri}).to_string());
    let answer: Value = serde_json::from_str(&ask("https://git.example.com/a.tgz").expect(0).out).unwrap();
    assert_eq!(answer["headers"], json!({"Authorization": [format!("Bearer {}", token["secret"].as_str().unwrap())]}));
    let expires = answer["expires"].as_str().unwrap();
    assert!(expires.len() == "2026-11-22T12:34:56Z".len() && expires.ends_with('Z'), "{expires}");
    assert!(ask("grpcs://git.example.com").expect(0).out.contains(&world.token()));
    for uri in ["https://evil.example/a", "http://git.example.com/a", "https://git.example.com:444/"] {
        let done = ask(uri).expect(0);
        assert_eq!((done.out.as_str(), done.err.as_str()), ("{}\n", ""), "{uri}");
    }
    ask("https://u@git.example.com/").refused(&[2], &[]);
    bazel.ask(&["get"], "{\"uri\":\"https://git.example.com\",\"later\":{}}").expect(0);
    bazel.ask(&["get"], "").refused(&[2], &[]);
    bazel.ask(&[], "").refused(&[2], &[]);
    let world = World::new(&idp);
    let signed_out = Link::new(&world, "hallpass-bazel").ask(&["get"], "{\"uri\":\"https://git.example.com\"}");
    signed_out.refused(&[4], &["hallpass login work"]);
}

#[cfg(unix)]
#[test]
fn fifty_bazels_make_one_refresh() {
    let idp = Idp::builder().latency(100).start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    let snippet = "for i in $(seq 50); do printf '{\"uri\":\"https://git.example.com/%s\"}' $i | \"$HALLPASS\" bazel get & done; wait";
    let done = world.sh(snippet).expect(0);
    assert_eq!((done.out.lines().count(), idp.count("refresh_token")), (50, 1), "{:.300}", done.err);
}

#[test]
fn vault_gets_no_newline() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let vault = |address: &str| Link::new(&world, "hallpass-vault").env("VAULT_ADDR", address);
    let done = vault("https://git.example.com").run(&["get"]).expect(0);
    assert_eq!((done.out, done.err), (world.token(), String::new()));
    vault("https://evil.example:8200").run(&["get"]).silent();
    vault("https://evil.example:8200").run(&["erase"]).silent();
    vault("https://git.example.com").run(&["erase"]).silent();
    vault("https://git.example.com").ask(&["store"], "hvs.typed").refused(&[3], &["hallpass login work"]);
    vault("not a url").run(&["get"]).refused(&[2], &["VAULT_ADDR"]);
    Link::new(&world, "hallpass-vault").run(&["frobnicate"]).refused(&[2], &[]);
    assert_eq!(world.token().len(), world.kept("access_token")["secret"].as_str().unwrap().len(), "still there");
}

#[test]
fn vault_keeps_a_token_for_each_address() {
    let world = keeping();
    let at = |address: &str| Link::new(&world, "hallpass-vault").env("BAO_ADDR", address);
    for (address, token) in [("https://one.example:8200", "hvs.one"), ("https://two.example:8200/", "hvs.two")] {
        at(address).ask(&["store"], token).silent();
    }
    assert_eq!(at("https://one.example:8200").run(&["get"]).expect(0).out, "hvs.one");
    assert_eq!(at("https://two.example:8200").run(&["get"]).expect(0).out, "hvs.two");
    Link::new(&world, "hallpass-vault").run(&["get"]).silent(); // https://127.0.0.1:8200
    at("https://one.example:8200").run(&["erase"]).silent();
    at("https://one.example:8200").run(&["get"]).silent();
    assert_eq!(at("https://two.example:8200").run(&["get"]).expect(0).out, "hvs.two");
}

#[test]
fn go_hears_nothing_before_it_was_refused() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(4000); // the first call must not refresh either
    world.run(&["goauth"]).silent();
    assert_eq!(idp.count("refresh_token"), 0);
    let ask = |url: &str, status: &str| world.ask(&["goauth", url], format!("HTTP/1.1 {status}\nDate: now\n\n"));
    let done = ask("https://git.example.com/mod/@v/list", "401 Unauthorized").expect(0);
    let want = format!("https://git.example.com\n\nAuthorization: Bearer {}\n\n", world.token());
    assert_eq!((done.out, done.err.as_str()), (want, ""));
    let path = ask("https://git.example.com:8443/team/mod?go-get=1", "404 Not Found").expect(0);
    assert!(path.out.starts_with("https://git.example.com:8443/team\n\n"), "no wider than the rule: {path:?}");
    for url in ["https://evil.example/mod", "https://git.example.com:8443/other", "http://127.0.0.1:9/mod"] {
        let done = ask(url, "401 Unauthorized").expect(0);
        assert_eq!(done.out, "", "{url}");
    }
    assert_eq!(idp.count("refresh_token"), 1);
}

#[test]
fn a_404_opens_no_page_for_go() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let ask = |status: &str| {
        let mut command = world.hallpass(&["goauth", "https://git.example.com/mod"]);
        command.env("HALLPASS_INTERACTIVE", "always").write_stdin(format!("HTTP/1.1 {status}\n\n"));
        crate::runs::done(&mut command)
    };
    ask("404 Not Found").refused(&[4], &["hallpass login work"]);
    ask("410 Gone").refused(&[4], &[]);
    assert_eq!(world.opened(), [""; 0]);
    let done = ask("401 Unauthorized").expect(0);
    assert!(done.out.contains("Authorization: Bearer ") && world.opened().len() == 1, "{done:?}");
}

#[test]
fn the_kubelet_gets_a_registrys_user_and_password() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.kept("access_token");
    let group = "credentialprovider.kubelet.k8s.io/v1";
    let ask = |image: &str| {
        let question = json!({"apiVersion": group, "kind": "CredentialProviderRequest", "image": image});
        let done = Link::new(&world, "hallpass-kubelet").ask(&[], question.to_string()).expect(0);
        assert_eq!(done.err, "");
        serde_json::from_str::<Value>(&done.out).unwrap()
    };
    let answer = ask("git.example.com/team/app:1@sha256:00");
    let auth = json!({"git.example.com": {"username": "oauth2", "password": token["secret"]}});
    assert_eq!((&answer["auth"], &answer["cacheKeyType"]), (&auth, &json!("Registry")));
    let left: i64 = answer["cacheDuration"].as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    let full = end_of(&token, 60) - token["obtained_at"].as_i64().unwrap();
    assert!((full - 60..=full).contains(&left), "{left} of {full}");
    let path = ask("git.example.com:8443/team/app");
    assert_eq!(path["cacheKeyType"], "Image");
    assert!(path["auth"]["git.example.com:8443/team"].is_object(), "{path}");
    for image in ["evil.example/app", "app", "team/app", "git.example.com:8443/other/app"] {
        assert_eq!(ask(image)["auth"], Value::Null, "{image}");
    }
    let link = Link::new(&world, "hallpass-kubelet");
    link.ask(&[], "{}").refused(&[2], &[]);
}

/// Kubernetes 1.33: what one pod's service account gets in exchange is nobody else's, and stays nowhere.
#[test]
fn the_kubelets_token_is_exchanged_and_nothing_is_kept() {
    let idp = Idp::start();
    let world = World::bare();
    world.config(&format!(
        "[account.reg]\nissuer = \"{}\"\nclient_id = \"robot\"\nserves = [\"https://reg.example.com\"]\n\
         flow = \"token_exchange\"\nsubject_token = \"caller\"\n",
        idp.issuer
    ));
    let link = Link::new(&world, "hallpass-kubelet");
    let ask = |token: Option<&str>| {
        let mut question = json!({
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest",
            "image": "reg.example.com/team/app:1"
        });
        question["serviceAccountToken"] = json!(token);
        link.ask(&[], question.to_string())
    };
    let mut passwords = std::collections::BTreeSet::new();
    for pod in ["pod-1", "pod-2", "pod-1"] {
        idp.add_pat(pod);
        let done = ask(Some(pod)).expect(0);
        assert_eq!(done.err, "");
        let answer: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(
            (&answer["serviceAccountTokenCacheType"], &answer["cacheKeyType"]),
            (&json!("Pod"), &json!("Registry"))
        );
        let password = answer["auth"]["reg.example.com"]["password"].as_str().unwrap().to_owned();
        assert!(idp.live_access_token(&password) && passwords.insert(password), "{pod} got another's: {answer}");
        let form = idp.calls(At::Token).pop().unwrap().form;
        assert_eq!(field(&form, "subject_token"), Some(pod));
        assert_eq!(field(&form, "subject_token_type"), Some("urn:ietf:params:oauth:token-type:jwt"));
    }
    assert_eq!(world.holdings(), [""; 0]);
    let refused = ask(Some("canary-of-a-stranger")).expect_any(&[5, 10]);
    assert!(refused.out.is_empty() && !refused.err.contains("canary"), "{refused:?}");
    ask(None).refused(&[10], &["reg", "tokenAttributes"]);
    world.run(&["get", "reg"]).refused(&[10], &["reg"]);
    // An account that exchanges nothing answers with its own, and still says for whom that may be kept.
    let world = World::signed_in(&idp);
    let question = json!({
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest",
        "image": "git.example.com/app", "serviceAccountToken": "pod-1"
    });
    let done = Link::new(&world, "hallpass-kubelet").ask(&[], question.to_string()).expect(0);
    assert!(
        done.out.contains(&world.token()) && done.out.contains("\"serviceAccountTokenCacheType\":\"Pod\""),
        "{done:?}"
    );
}
