//! A network that hangs, drips, breaks off or is not there: exit 6 in bounded time, and the session is kept.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::idp::Idp;
#[cfg(target_os = "linux")]
use crate::runs::{Done, done, has};
#[cfg(target_os = "linux")]
use crate::world::World;

use super::wire::{Wire, ok, point};
use super::{expired, sound};

/// F83, F84: an answer that breaks off. It may have been the last word on the refresh token: sent again twice, within
/// ten seconds, and then not at all until they are over, by the next process neither.
#[test]
fn an_answer_that_breaks_off_is_asked_for_three_times() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"half".as_slice();
    for (fault, bytes) in [("F83", cut), ("F83", b"HTTP/1.1 200 OK\r\nContent-Le"), ("F84", b"")] {
        let idp = Idp::start();
        let world = expired(&idp);
        let (wire, before) = (Wire::says(bytes), world.record());
        {
            let _detour = wire.takes_over(&world);
            world.run(&["get"]).refused(&[6], &["work", "the session is kept"]);
            assert_eq!(wire.requests(), 3, "{fault}");
            world.run(&["get"]).refused(&[6], &["work", "three times in ten seconds"]);
            assert_eq!(wire.requests(), 3, "{fault}");
        }
        assert_eq!(world.record(), before, "{fault}");
        sound(&idp, &world);
        assert_eq!(idp.count("refresh_token"), 1);
    }
}

/// F84: broken off twice, answered the third time.
#[test]
fn a_replay_that_is_answered_is_the_answer() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let idp = Idp::start();
    let world = expired(&idp);
    let wire = Wire::start(move |mut stream| {
        if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 2 {
            let _ = stream.write_all(&ok("", br#"{"access_token":"late","expires_in":60}"#));
        }
    });
    {
        let _detour = wire.takes_over(&world);
        assert_eq!((world.token(), wire.requests()), ("late".into(), 3));
    }
    world.shift(4000);
    sound(&idp, &world);
}

fn drip(mut stream: TcpStream, head: &[u8], drop: &[u8]) {
    let mut sent = stream.write_all(head);
    while sent.is_ok() {
        sleep(Duration::from_millis(250));
        sent = stream.write_all(drop);
    }
}

/// F85: a byte now and then. It has its 20 seconds as a whole, and the time for a replay is over then.
#[test]
fn a_server_that_drips_has_its_time_and_no_more() {
    let heads: [(&[u8], &[u8]); 2] =
        [(b"HTTP/1.1 200 OK\r\nX: ", b"x"), (b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n{", b" ")];
    std::thread::scope(|scope| {
        for (head, drop) in heads {
            scope.spawn(move || {
                let idp = Idp::start();
                let world = expired(&idp);
                let wire = Wire::start(move |stream| drip(stream, head, drop));
                {
                    let _detour = wire.takes_over(&world);
                    world.start(&["get"]).end_within(60).refused(&[6], &["work"]);
                    assert_eq!(wire.requests(), 1);
                }
                sound(&idp, &world);
            });
        }
    });
}

/// F87: more than anybody needs, cut at our bounds and in little memory.
#[test]
fn more_than_anybody_needs_is_cut() {
    let endless: [fn(TcpStream); 3] = [
        |stream| flood(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{\"a\":\"", &[b'x'; 65_536]),
        |stream| flood(stream, b"HTTP/1.1 200 OK\r\n", &b"X-Header: x\r\n".repeat(5_000)),
        |stream| flood(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{", &b"\"k\":1,".repeat(10_000)),
    ];
    for flood in endless {
        let idp = Idp::start();
        let world = expired(&idp);
        let wire = Wire::start(flood);
        {
            let _detour = wire.takes_over(&world);
            // The debug build and its threads' stacks; a gigabyte does not fit.
            world.sh("ulimit -v 262144; exec \"$HALLPASS\" get").refused(&[6], &["work"]);
            assert!(wire.requests() <= 3);
        }
        sound(&idp, &world);
    }
}

fn flood(mut stream: TcpStream, head: &[u8], more: &[u8]) {
    let mut sent = stream.write_all(head);
    for _ in 0..16_384 {
        if sent.is_err() {
            return;
        }
        sent = stream.write_all(more);
    }
}

/// hallpass where there is no network at all, not even to this machine.
#[cfg(target_os = "linux")]
fn cut_off(world: &World) -> Option<Done> {
    if !has("unshare") {
        return None;
    }
    let command = world.program("unshare", &["-rn", crate::world::BIN, "get"]);
    Some(done(&mut assert_cmd::Command::from_std(command)))
}

/// F86, F89: no way there, and no name for it. What is still good is served.
#[cfg(target_os = "linux")]
#[test]
fn without_a_network_the_token_in_hand_is_served() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    for endpoint in [format!("{}/token", idp.issuer), "https://id.example.com/token".to_owned()] {
        point(&world, &endpoint);
        let Some(done) = cut_off(&world) else { return };
        assert_eq!(done.expect(0).out.trim_end(), token);
        world.shift(3000);
        let _ = std::fs::remove_file(world.data("work.ahead"));
        assert_eq!(cut_off(&world).unwrap().expect(0).out.trim_end(), token, "in its last fifth");
        world.shift(1000);
        let host = endpoint.split('/').nth(2).unwrap();
        cut_off(&world).unwrap().refused(&[6], &["work", host, "the session is kept"]);
        assert!(!world.data("work.next").exists(), "nothing left: nothing to be replayed");
        world.shift(-4000);
    }
    point(&world, &format!("{}/token", idp.issuer));
    world.shift(4000);
    sound(&idp, &world);
}

/// F90: a name with an address of either family, and only one that answers.
#[test]
fn a_name_whose_first_address_is_dead_works() {
    let idp = Idp::start();
    let world = expired(&idp);
    let port = idp.issuer.rsplit_once(':').unwrap().1;
    point(&world, &format!("http://localhost:{port}/token"));
    assert!(idp.live_access_token(&world.token()));
    world.shift(4000);
    sound(&idp, &world);
}
