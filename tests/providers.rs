//! The rows of `integrations/providers/`: each signs in at a server of its kind, moved to this machine.

use crate::answers::{At, Fault};
use crate::device_grants::{Device, Poll};
use crate::forms::{field, query};
use crate::idp::{Builder, Idp};
use crate::runs::{Done, ECHO_T, done};
use crate::world::{Behaviour, World};

const GITLAB: &[(&str, At)] = &[
    ("/oauth/authorize", At::Authorize),
    ("/oauth/token", At::Token),
    ("/oauth/authorize_device", At::Device),
    ("/oauth/revoke", At::Revoke),
    ("/api/v4/user", At::Userinfo),
];
const GITEA: &[(&str, At)] = &[
    ("/login/oauth/authorize", At::Authorize),
    ("/login/oauth/access_token", At::Token),
    ("/api/v1/user", At::Userinfo),
];
const GITHUB: &[(&str, At)] = &[
    ("/login/device/code", At::Device),
    ("/login/oauth/access_token", At::Token),
    ("/login/oauth/authorize", At::Authorize),
    ("/api/v3/user", At::Userinfo),
];
const BITBUCKET: &[(&str, At)] =
    &[("/rest/oauth2/latest/authorize", At::Authorize), ("/rest/oauth2/latest/token", At::Token)];
const ENTRA: &[(&str, At)] = &[
    ("/oauth2/v2.0/authorize", At::Authorize),
    ("/oauth2/v2.0/token", At::Token),
    ("/oauth2/v2.0/devicecode", At::Device),
];

/// Signs in with nothing but the row, its address and a client.
#[track_caller]
fn sign_in(world: &World, provider: &str, idp: &Idp, more: &[&str]) -> Done {
    // A row's own ports may be taken while tests run side by side.
    let usual = ["login", provider, "--api-url", &idp.issuer, "--client-id", "cli", "--port", "0"];
    let done = world.with_person(&[usual.as_slice(), more].concat()).expect(0);
    assert_eq!(idp.complaints(), [""; 0], "{provider}");
    done
}

fn git(world: &World, idp: &Idp) -> String {
    let host = idp.issuer.trim_start_matches("http://");
    world.ask(&["git", "get"], format!("protocol=http\nhost={host}\n\n")).expect(0).out
}

#[test]
fn git_hosts_want_their_own_name_beside_the_token() {
    for (provider, paths, username, scope) in [
        ("gitlab", GITLAB, "oauth2", "read_repository write_repository read_user"),
        ("gitea", GITEA, "oauth2", "openid email read:user write:repository"),
        ("forgejo", GITEA, "oauth2", "openid email"),
    ] {
        let idp = Idp::builder().paths(paths).start();
        let world = World::bare();
        let done = sign_in(&world, provider, &idp, &[]);
        assert!(done.err.contains("hal@example.com"), "{provider}: {done:?}");
        let asked = query(&world.opened()[0]);
        let uri = field(&asked, "redirect_uri").unwrap();
        assert!(uri.starts_with("http://127.0.0.1:") && uri.ends_with("/callback"), "{provider}: {uri}");
        assert_eq!((field(&asked, "scope"), field(&asked, "prompt")), (Some(scope), None), "{provider}");
        let token = world.token_of(provider);
        assert!(idp.live_access_token(&token));
        let answer = git(&world, &idp);
        for line in [format!("username={username}"), format!("password={token}")] {
            assert!(answer.lines().any(|said| said == line), "{provider}: no {line}: {answer}");
        }
        // Signing in again is the same account, and the configuration still knows its client.
        let configuration = world.config_text();
        assert!(configuration.contains("client_id = \"cli\""), "{configuration}");
        world.with_person(&["login", provider, "--port", "0"]).expect(0);
        assert_eq!(world.config_text(), configuration);
        crate::autocom::age(&world, provider, 4000);
        assert_ne!(world.token_of(provider), token, "{provider}: refreshed");
    }
}

#[test]
fn the_device_flow_is_there_where_it_is_not_the_usual_way() {
    for (provider, paths) in [("gitlab", GITLAB), ("azure-devops", ENTRA)] {
        let idp = Idp::builder().paths(paths).device(Device::script(&[Poll::Granted])).start();
        let world = World::bare();
        world.browser(Behaviour::Ignore);
        let usual = ["login", provider, "--api-url", &idp.issuer, "--device"];
        let variable = format!("HALLPASS_CLIENT_ID_{}", provider.to_uppercase().replace('-', "_"));
        done(world.hallpass(&usual).env(variable, "of-the-variable")).expect(0);
        assert_eq!(field(&idp.calls(At::Device)[0].form, "client_id"), Some("of-the-variable"), "{provider}");
        assert!(!world.config_text().contains("client_id"), "{provider}: a variable is not written down");
        assert!(idp.live_access_token(&world.token_of(provider)), "{provider}");
    }
}

/// Errors with status 200, and every answer a form.
#[test]
fn github_is_spoken_in_its_dialect() {
    let device = Device::script(&[Poll::Pending, Poll::SlowDownTo(1), Poll::Granted]).github();
    let device = device.with("verification_uri_complete", serde_json::Value::Null);
    let idp = Idp::builder().paths(GITHUB).forms().device(device).start();
    let world = World::bare();
    world.browser(Behaviour::Ignore);
    let done = sign_in(&world, "github-enterprise", &idp, &[]);
    assert!(done.err.contains("by device flow: the way of github-enterprise"), "{done:?}");
    let form = &idp.calls(At::Device)[0].form;
    assert_eq!((field(form, "client_id"), field(form, "scope")), (Some("cli"), Some("repo")));
    assert_eq!((idp.calls(At::Token).len(), idp.authorize_calls()), (3, 0));
    let token = world.token_of("github-enterprise");
    let answer = git(&world, &idp);
    assert!(answer.contains(&format!("username=x-access-token\npassword={token}\n")), "{answer}");
    crate::autocom::age(&world, "github-enterprise", 4000);
    let newer = world.token_of("github-enterprise");
    assert!(newer != token && idp.live_access_token(&newer), "a form refreshes it");
}

#[test]
fn identity_providers_are_discovered_where_their_row_says() {
    let plain: fn() -> Builder = || Idp::builder().id_tokens();
    let device: fn() -> Builder = || Idp::builder().id_tokens().device(Device::script(&[Poll::Granted]));
    for (provider, builder, path, host) in [
        ("keycloak", plain, "/realms/acme", "127.0.0.1"),
        ("okta", plain, "/oauth2/default", "127.0.0.1"),
        ("auth0", plain, "/", "127.0.0.1"),
        ("authentik", plain, "/application/o/git/", "127.0.0.1"),
        ("dex", plain, "/dex", "localhost"),
        ("zitadel", plain, "", "127.0.0.1"),
        ("hydra", plain, "", "127.0.0.1"),
        ("sourcegraph", device, "", "127.0.0.1"),
    ] {
        let idp = builder().under(path).start();
        let world = World::bare();
        if provider == "sourcegraph" {
            world.browser(Behaviour::Ignore);
        }
        let done = sign_in(&world, provider, &idp, &[]);
        assert!(done.err.contains("as hal@example.com"), "{provider}: {done:?}");
        if provider != "sourcegraph" {
            let asked = query(&world.opened()[0]);
            let uri = field(&asked, "redirect_uri").unwrap();
            assert!(uri.starts_with(&format!("http://{host}:")), "{provider}: {uri}");
            assert_eq!(field(&asked, "prompt"), Some("consent"), "{provider}: it asks for offline_access");
        }
        let token = world.token_of(provider);
        assert!(idp.live_access_token(&token), "{provider}");
        let userinfo = format!("{}/userinfo", idp.issuer.trim_end_matches('/'));
        assert_eq!(world.run(&["get", &userinfo]).expect(0).out, format!("{token}\n"), "{provider} serves itself");
        world.run(&["get", "https://elsewhere.example/"]).refused(&[3], &["elsewhere.example"]);
    }
}

/// Beside offline_access OpenID Connect wants `prompt=consent`, which at Entra turns away who may not consent.
#[test]
fn entra_is_asked_for_an_account_and_not_for_consent() {
    for provider in ["entra", "azure-devops"] {
        let idp = Idp::builder().id_tokens().paths(ENTRA).under("/tenant").start();
        let world = World::bare();
        sign_in(&world, provider, &idp, &[]);
        let asked = query(&world.opened()[0]);
        assert_eq!(field(&asked, "prompt"), Some("select_account"));
        assert!(field(&asked, "scope").unwrap().contains("offline_access"));
        assert!(field(&asked, "redirect_uri").unwrap().starts_with("http://localhost:"));
        assert!(idp.live_access_token(&world.token_of(provider)), "{provider}");
    }
}

/// A place and who signs in for it are two things: a cluster behind Dex.
#[test]
fn a_provider_signs_in_for_a_place_of_another() {
    let idp = Idp::builder().id_tokens().under("/dex").start();
    let world = World::bare();
    let place = "https://k8s.example.com:6443";
    let login = ["login", place, "--provider", "dex", "--api-url", &idp.issuer, "--client-id", "cli"];
    world.with_person(&login).expect(0);
    let text = world.config_text();
    assert!(text.contains("[account.k8s-example-com-6443]") && text.contains("provider = \"dex\""), "{text}");
    let token = world.run(&["get", place]).expect(0).out;
    assert!(idp.live_access_token(token.trim_end()));
    world.run(&["get", &format!("{}/userinfo", idp.issuer)]).refused(&[3], &[]);
    world.run(&["login", "dex", "--provider", "dex"]).refused(&[2], &["--provider", "hallpass login dex"]);
}

#[test]
fn a_client_with_a_secret_sends_it() {
    let idp = Idp::builder().paths(BITBUCKET).start();
    let world = World::bare();
    let table = format!(
        "[account.bitbucket-data-center]\nprovider = \"bitbucket-data-center\"\napi_url = \"{}\"\nclient_id = \"cli\"\n\
         redirect_uri = \"http://localhost/callback\"\n",
        idp.issuer
    );
    world.config(&table);
    world.run(&["login"]).refused(&[10], &["config.toml:2", "bitbucket-data-center", "client_secret_file"]);
    std::fs::write(world.config_file().with_file_name("secret"), "of-the-client\n").unwrap();
    world.config(&format!("{table}client_secret_file = \"secret\"\n"));
    world.with_person(&["login"]).expect(0);
    let calls = idp.calls(At::Token);
    assert!(calls.iter().all(|call| call.basic.is_some() && field(&call.form, "client_id").is_none()));
    assert!(git(&world, &idp).contains("username=oauth2\n"));
}

#[test]
fn a_token_that_is_brought_needs_no_client() {
    let world = World::bare();
    let here = "http://127.0.0.1:9";
    let login = ["login", "bitbucket-data-center", "--api-url", here, "--token-stdin"];
    done(world.hallpass(&login).write_stdin("an-http-access-token")).expect(0);
    assert!(world.config_text().contains("flow = \"token\""), "{}", world.config_text());
    assert_eq!(world.run(&["get", here]).expect(0).out, "an-http-access-token\n");
    let again = ["login", "bitbucket-data-center"];
    done(world.hallpass(&again).write_stdin("another")).expect(0);
    assert_eq!(world.token_of("bitbucket-data-center"), "another");
    done(world.hallpass(&["login", "docker-hub", "--token-stdin"]).write_stdin("t")).refused(&[10], &["username"]);
    done(world.hallpass(&["login", "gitea", "--api-url", here, "--token-stdin"]).write_stdin("t"))
        .refused(&[6], &["9"]);
}

/// RFC 6750 3.1: a token that may push and not read a profile is a good token.
#[test]
fn a_token_without_the_scope_of_the_profile_is_taken() {
    let idp = Idp::builder().paths(GITLAB).start();
    let world = World::bare();
    let login = ["login", "gitlab", "--api-url", &idp.issuer, "--token-stdin"];
    let narrow = || done(world.hallpass(&login).write_stdin("glpat-narrow"));
    let challenge = "Bearer realm=\"gitlab\", error=\"insufficient_scope\"";
    idp.always(At::Userinfo, Fault::Status(403, vec![], "{\"message\":\"403 Forbidden\"}"));
    narrow().refused(&[4], &["does not accept"]);
    for fault in [
        Fault::Status(403, vec![("WWW-Authenticate", challenge)], ""),
        Fault::Status(403, vec![], "{\"error\":\"insufficient_scope\",\"scope\":\"api read_user\"}"),
    ] {
        idp.always(At::Userinfo, fault);
        narrow().expect(0);
        assert_eq!(world.token_of("gitlab"), "glpat-narrow");
        let doctor = world.run(&["doctor", "gitlab"]).expect(0).out;
        assert!(doctor.contains("is not refused by the server, which answered 403"), "{doctor}");
        assert_eq!(world.token_of("gitlab"), "glpat-narrow", "nor is it marked as refused");
    }
}

#[test]
fn a_token_of_docker_hub_stands_beside_its_owners_name() {
    let world = World::bare();
    world.config("[account.docker-hub]\nprovider = \"docker-hub\"\nusername = \"hal\"\n");
    done(world.hallpass(&["login", "docker-hub", "--token-stdin"]).write_stdin("dckr_pat_0123456789")).expect(0);
    let answer = world.ask(&["docker", "get"], "https://index.docker.io/v1/").expect(0).out;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["Username"], &answer["Secret"]), (&"hal".into(), &"dckr_pat_0123456789".into()));
}

#[test]
fn a_token_of_terraform_enterprise_is_tried_where_it_is_from() {
    let idp = Idp::builder().paths(&[("/api/v2/account/details", At::Userinfo)]).start();
    let world = World::bare();
    idp.add_pat("a-token-of-terraform");
    let login = ["login", "hcp-terraform", "--api-url", &idp.issuer, "--token-stdin"];
    let refused = done(world.hallpass(&login).write_stdin("another")).refused(&[4], &["does not accept"]);
    assert!(refused.err.contains(&format!("{}/app/settings/tokens", idp.issuer)), "{refused:?}");
    done(world.hallpass(&login).write_stdin("a-token-of-terraform")).expect(0);
    assert_eq!(world.token_of("hcp-terraform"), "a-token-of-terraform");
    let exec = world.run(&["exec", "--", ECHO_T[0], ECHO_T[1], &ECHO_T[2].replace('T', "TFE_TOKEN")]).expect(0);
    assert_eq!(exec.out.trim_end(), "a-token-of-terraform", "the variable that its programs read");
}
