//! What a token endpoint may answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{metadata, says, waiting};
use crate::answers::At;
use crate::callback::{approve, get};
use crate::idp::Idp;
use crate::world::World;

/// N11: fifty members that nobody knows, at every place where a server speaks.
#[test]
fn what_is_not_known_is_overlooked() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let odd = |number: usize| match number % 5 {
        0 => json!({"deep": [[{"er": [null]}]], "access_token": "planted"}),
        1 => json!(["list", 1.5e300, -7]),
        2 => json!(null),
        3 => json!("tëxt \u{1b}[2J"),
        _ => json!(true),
    };
    let names: Vec<_> = (0..50).map(|number| format!("unknown_{number}")).collect();
    let members: Vec<_> = names.iter().enumerate().map(|(number, name)| (name.as_str(), odd(number))).collect();
    idp.always(At::Metadata, metadata(&idp, &members));
    let mut tokens =
        json!({"access_token": "the-token", "token_type": "Bearer", "expires_in": 3600, "scope": "openid"});
    for (name, value) in &members {
        tokens[*name] = value.clone();
    }
    idp.always(At::Token, says(&tokens));
    let (login, url) = waiting(&world);
    let unknown: String = names.iter().map(|name| format!("&{name}=%1b%5b2J%22")).collect();
    assert_eq!(get(&format!("{}{unknown}", approve(&url))).status, 200);
    let done = login.end().expect(0);
    assert!(!done.err.contains('\u{1b}'), "{done:?}");
    assert_eq!(world.token(), "the-token");
    assert!(!world.record().to_string().contains("unknown_"));
}

/// N14: in any case of letters; another type is another use, and refused. Servers leave it out where Bearer is all
/// they know.
#[test]
fn bearer_in_any_letters_and_no_other_type() {
    for (kind, good) in [
        (json!("Bearer"), true),
        (json!("bearer"), true),
        (json!("BEARER"), true),
        (json!(null), true),
        (json!("mac"), false),
        (json!("DPoP"), false),
        (json!("N_A"), false),
        (json!("Bearer "), false),
        (json!(""), false),
        (json!(["Bearer"]), false),
    ] {
        let idp = Idp::start();
        let world = World::new(&idp);
        idp.always(At::Token, says(&json!({"access_token": "the-token", "token_type": kind, "expires_in": 3600})));
        if good {
            world.sign_in();
            assert_eq!(world.token(), "the-token", "{kind}");
        } else {
            world.with_person(&["login", "work"]).refused(&[6], &["work"]);
            assert!(!world.has_record(), "{kind}");
        }
    }
}

/// N16: from one byte to a quarter of a megabyte.
#[test]
fn a_token_has_any_size() {
    let idp = Idp::start();
    for size in [1, 2, 255, 4_096, 65_536, 256 << 10] {
        let world = World::new(&idp);
        let (access, refresh) = ("a".repeat(size), "r".repeat(size));
        let tokens =
            json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600});
        idp.always(At::Token, says(&tokens));
        world.sign_in();
        assert_eq!(world.token(), access, "{size}");
        world.shift(4000);
        assert_eq!(world.token(), access, "{size}");
        let sent = idp.calls(At::Token).pop().unwrap().form;
        assert!(sent.contains(&("refresh_token".into(), refresh)), "{size}");
    }
}

/// N15, N16, N85, N91: an access token is nobody's to read but its resource's. What looks like a JWT of another server
/// that ended long ago lives as long as the answer said.
#[test]
fn an_access_token_is_never_looked_into() {
    let idp = Idp::start();
    let jwt = |claims: &Value| {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"), URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    for token in [
        jwt(&json!({"iss": "https://other.example", "aud": "other", "sub": "user-2", "exp": 1, "nonce": "other"})),
        jwt(&json!({"exp": "never"})),
        "a.b.c".to_owned(),
        "...".to_owned(),
    ] {
        for life in [json!(3600), json!(null)] {
            let world = World::new(&idp);
            idp.always(At::Token, says(&json!({"access_token": token, "token_type": "Bearer", "expires_in": life})));
            world.sign_in();
            let kept = world.kept("access_token");
            let end = life.as_u64().map(|life| kept["obtained_at"].as_u64().unwrap() + life);
            assert_eq!(kept["expires_at"].as_u64(), end, "{token}");
            assert_eq!(world.token(), token);
        }
    }
}

/// N8: what was granted is kept, and who asked for more is told.
#[test]
fn another_scope_than_asked_for_is_noted() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.config(&world.config_text().replace("\"openid\"", "\"openid\", \"write\""));
    idp.always(At::Token, says(&json!({"access_token": "the-token", "token_type": "Bearer", "scope": "openid extra"})));
    world.sign_in().says(&["did not grant", "write"]);
    assert_eq!(world.record()["scope"], "openid extra");
    assert_eq!(world.token(), "the-token");
}

/// N93: the end of a refresh token is shown, and kept to; what a refresh says of it counts from then on.
#[test]
fn a_refresh_token_that_ends_is_not_spent_after_its_end() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let tokens = |life: Value| {
        says(
            &json!({"access_token": "one", "refresh_token": "two", "expires_in": 3600, "refresh_token_expires_in": life}),
        )
    };
    idp.always(At::Token, tokens(json!(5000)));
    world.sign_in();
    let end = world.record()["refresh_expires_at"].as_i64().unwrap();
    assert_eq!(end, world.kept("access_token")["obtained_at"].as_i64().unwrap() + 5000);
    let date = crate::kubectl::rfc3339(end);
    assert!(world.run(&["status"]).expect(0).out.contains(&date));
    world.shift(4000);
    assert_eq!((world.token().as_str(), idp.count("refresh_token")), ("one", 1));
    let mut record = world.record();
    assert!(record["refresh_expires_at"].as_i64().unwrap() >= end, "of the new one");
    // The access token still works: that is what is given out.
    record["refresh_expires_at"] = json!(1_000_000_000);
    crate::record::write(&world.data("work"), &record);
    world.shift(3500);
    assert_eq!((world.token().as_str(), idp.count("refresh_token")), ("one", 1));
    world.shift(4000);
    world.run(&["get"]).refused(&[4], &["work", "2001-09-09T01:46:40Z", "hallpass login work"]);
    assert_eq!(idp.count("refresh_token"), 1, "one that has ended was sent");
    for unsaid in [json!(0), json!(null), json!("soon"), json!(-1)] {
        idp.always(At::Token, tokens(unsaid));
        world.sign_in();
        assert_eq!(world.record()["refresh_expires_at"], json!(null));
    }
}
