//! Revocation (RFC 7009): in order, once, and told when it did not come about.

use crate::answers::{At, Fault};
use crate::forms::field;
use crate::idp::Idp;
use crate::world::World;

/// N70: the refresh token first, then what was made of it.
#[test]
fn the_refresh_token_goes_before_the_access_token() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let (refresh, access) = (world.record()["refresh_token"].as_str().unwrap().to_owned(), world.token());
    world.run(&["logout"]).expect(0);
    let told: Vec<_> = idp.calls(At::Revoke).into_iter().map(|call| call.form).collect();
    let of = |at: usize| (field(&told[at], "token").unwrap(), field(&told[at], "token_type_hint").unwrap());
    assert_eq!((of(0), of(1)), ((refresh.as_str(), "refresh_token"), (access.as_str(), "access_token")));
    assert_eq!(told.len(), 2);
}

/// N68: a token that the server knows no more is as good as revoked, and nothing is asked twice.
#[test]
fn an_unknown_token_is_as_good_as_revoked() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    idp.kill_family(world.record()["refresh_token"].as_str().unwrap());
    world.run(&["logout"]).expect(0).says(&["signed out, here and at the server"]);
    let calls = idp.every_call();
    world.run(&["logout", "work"]).expect(0).says(&["was not signed in"]);
    assert_eq!((idp.every_call(), idp.calls(At::Revoke).len()), (calls, 2));
}

/// N69: the token lives on at the server, so that is what is said; here it is forgotten all the same.
#[test]
fn a_token_that_lives_on_is_told_of() {
    let faults = [
        Fault::Status(503, vec![("Retry-After", "120")], ""),
        Fault::Status(400, vec![], r#"{"error":"unsupported_token_type"}"#),
        Fault::CloseBeforeAnswer,
    ];
    for fault in faults {
        let idp = Idp::start();
        let world = World::signed_in(&idp);
        idp.always(At::Revoke, fault.clone());
        world.run(&["logout", "work"]).refused(&[6], &["work", "signed out here", "not revoked at the server"]);
        assert_eq!((world.holdings().len(), idp.calls(At::Revoke).len()), (0, 1), "{fault:?}");
    }
}
