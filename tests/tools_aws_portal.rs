//! AWS keys by IAM Identity Center: signed in to in its own dialect, kept, refreshed, and signed out of.

use serde_json::{Value, json};

use crate::bought::set_left;
use crate::device_grants::GRANT;
use crate::grants::now;
use crate::identity_center::{Center, ROLE, USER_CODE};
use crate::kubectl::rfc3339;
use crate::tools_aws::key_of;
use crate::world::{Behaviour, World};

#[test]
fn a_person_signs_in_once_and_the_tools_have_keys() {
    let center = Center::start();
    let world = center.world();
    let said = world.sign_in();
    assert!(!(said.err + &said.out).contains(&center.client_secret()), "a secret on the screen");
    let want = json!({
        "id": "client-1-of-the-center", "clientName": "hallpass", "clientType": "public", "issuerUrl": center.start_url(),
        "grantTypes": ["authorization_code", "refresh_token"], "redirectUris": ["http://127.0.0.1/oauth/callback"],
        "scopes": ["sso:account:access"],
    });
    assert_eq!(center.clients(), [want]);
    let answer: Value = serde_json::from_str(&world.run(&["aws"]).expect(0).out).unwrap();
    let end = answer["Expiration"].as_str().unwrap().to_owned();
    let want = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s/1+=", "SessionToken": "t1", "Expiration": end
    });
    assert_eq!(answer, want);
    assert!(end > rfc3339(now() + 3400) && end <= rfc3339(now() + 3540), "{end}");
    assert_eq!(key_of(world.run(&["aws", "--account", "work"])), "ASIA1");
    set_left(&world, 1100);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA2", "fewer than 20 minutes were left");
    assert_eq!((center.keys(), center.grants()), (vec![ROLE.to_owned(); 2], vec!["authorization_code".to_owned()]));

    world.shift(30_000);
    set_left(&world, 60);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA3");
    world.shift(30_000);
    assert!(center.knows(&world.token()), "the second refresh spends what the first brought");
    assert_eq!(center.grants(), ["authorization_code", "refresh_token", "refresh_token"]);

    let token = world.token();
    world.run(&["logout", "work"]).expect(0).says(&["here and at the server"]);
    assert!(!center.knows(&token) && world.holdings().is_empty());
    world.run(&["aws"]).refused(&[4], &["hallpass login work"]);
    assert_eq!(center.complaints(), [""; 0]);
}

#[test]
fn each_role_has_keys_of_its_own_and_one_session() {
    let center = Center::start();
    let world = center.world();
    world.sign_in();
    let admin = "210987654321/Admin";
    for (role, key) in [(None, "ASIA1"), (Some(admin), "ASIA2"), (None, "ASIA1"), (Some(admin), "ASIA2")] {
        let named: Vec<_> = role.iter().flat_map(|role| ["--role", role]).collect();
        assert_eq!(key_of(world.run(&[&["aws", "--account", "work"], &named[..]].concat())), key, "{role:?}");
    }
    assert_eq!((center.keys(), center.grants().len()), (vec![ROLE.to_owned(), admin.to_owned()], 1));
    world.run(&["aws", "--role", "Admin"]).refused(&[10], &["`Admin`"]);
}

#[test]
fn a_code_for_another_device_does_too() {
    let center = Center::start();
    let world = center.world();
    world.browser(Behaviour::Ignore);
    let said = world.run(&["login", "work", "--device"]).expect(0);
    assert!(said.err.lines().any(|line| line.trim() == USER_CODE), "{said:?}");
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1");
    assert_eq!((center.grants(), center.complaints()), (vec![GRANT.to_owned()], vec![]));
    assert_eq!(center.clients()[0].get("redirectUris"), None);
}

#[test]
fn a_client_of_ones_own_is_not_registered_anew() {
    let center = Center::start();
    center.has_client("mine", "my-secret");
    let world = World::bare();
    std::fs::write(world.path("secret"), "my-secret\n").unwrap();
    crate::record::set_mode(&world.path("secret"), 0o600);
    let file = format!("client_secret_file = {:?}\n", world.path("secret"));
    world.config(&(center.account() + "client_id = \"mine\"\n" + &file));
    world.sign_in();
    world.shift(30_000);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1");
    assert_eq!((center.clients().len(), center.grants().len()), (1, 2));
    assert_eq!(center.complaints(), [""; 0]);
}

#[test]
fn the_token_is_for_the_portal_and_for_no_other_place() {
    let center = Center::start();
    let other = Center::start();
    let world = center.world();
    world.sign_in();
    world.run(&["get", "https://git.example.com/"]).refused(&[3], &[]);
    // Where it goes is what the person signed in to, not what the configuration says by now.
    world.config(&world.config_text().replace(&center.url, &other.url));
    world.run(&["aws"]).refused(&[9], &["hallpass login work"]);
    assert_eq!((center.keys().len(), other.keys().len(), other.grants().len()), (0, 0, 0));
}

#[test]
fn what_the_portal_refuses_is_said() {
    let center = Center::start();
    let world = center.world();
    world.sign_in();
    let (token, quoting) = (world.token(), Box::leak(format!("no {} here", world.token()).into_boxed_str()));
    center.refuses(Some((403, quoting)));
    assert!(!world.run(&["aws"]).refused(&[4], &["status 403"]).err.contains(&token), "a secret in an error");
    for (status, exit, words) in
        [(403, 4, "No access"), (404, 4, "no such role"), (429, 6, "429"), (500, 6, "500"), (200, 6, "something else")]
    {
        center.refuses(Some((status, if status == 403 { "No access" } else { "no such role" })));
        let refused = world.run(&["aws"]).refused(&[exit], &[words, &center.url]);
        assert!(exit == 6 || refused.err.contains(ROLE), "{refused:?}");
    }
    center.refuses(None);
    key_of(world.run(&["aws"]));
    center.refuses(Some((503, "")));
    set_left(&world, 600);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1", "old keys do while it is away");
    center.refuses(None);
    set_left(&world, 10);
    let token = world.token();
    center.forgets();
    let refused = world.run(&["aws"]).refused(&[4], &["hallpass login work"]);
    assert!(!refused.err.contains(&token), "a secret in an error");
    world.sign_in();
    assert_eq!(key_of(world.run(&["aws"])), "ASIA2");
}

#[test]
fn a_client_that_is_forgotten_is_registered_anew_by_the_next_sign_in() {
    let center = Center::start();
    let world = center.world();
    world.sign_in();
    let secret = center.client_secret();
    center.forgets_clients();
    world.shift(30_000);
    let refused = world.run(&["aws"]).refused(&[4], &["invalid_client", "hallpass login work"]);
    assert!(!refused.err.contains(&secret), "a secret in an error");
    world.sign_in();
    assert_ne!(center.client_secret(), secret);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1");
}

#[test]
fn the_tools_of_aws_are_wired_to_it() {
    let center = Center::start();
    let world = center.world();
    world.run(&["setup", "aws"]).expect(0);
    let file = std::fs::read_to_string(world.path("home/.aws/config")).unwrap();
    assert!(file.contains("[profile work]") && file.contains(" aws --account work"), "{file}");
}

#[test]
fn what_is_missing_is_asked_for_before_anybody_signs_in() {
    let center = Center::start();
    let world = World::bare();
    let login = ["login", "aws-identity-center", "--api-url", &center.url];
    let said =
        world.run(&login).refused(&[10], &["`aws_start_url`", "`aws_role`", "[account.aws-identity-center]"]).err;
    let api_url = format!("`api_url = \"{}\"`", center.url);
    assert!(said.contains(&api_url) && !said.contains("client_id"), "{said}");
    assert!(!world.config_file().exists());
    world.config(&center.account().replace(&center.start_url(), "https://d-9999999999.awsapps.com/start"));
    let said = world.with_person(&["login", "work"]).refused(&[10], &["aws_start_url", "invalid_request"]).err;
    assert!(!said.contains("--client-id"), "{said}");
    for odd in ["ReadOnly", "12345/ReadOnly", "123456789012/", "123456789012/a&b"] {
        world.config(&center.account().replace(ROLE, odd));
        world.sign_in();
        world.run(&["aws"]).refused(&[10], &["ACCOUNT_ID/NAME", odd]);
    }
    assert_eq!(center.keys().len(), 0);
}
