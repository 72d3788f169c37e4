//! AWS keys for an id_token, from a token service of our own.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tiny_http::{Response, Server};

use crate::answers::{At, Fault};
use crate::bought::{bought, set_left};
use crate::forms::{field, parse};
use crate::grants::now;
use crate::idp::Idp;
use crate::kubectl::rfc3339;
use crate::runs::Done;
use crate::world::World;

const ROLE: &str = "arn:aws:iam::123456789012:role/check";

type Form = Vec<(String, String)>;

/// A security token service: XML, keys that count up.
struct Sts {
    url: String,
    asked: Arc<Mutex<Vec<Form>>>,
    /// The status of the next answers.
    status: Arc<Mutex<u16>>,
    server: Arc<Server>,
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

impl Sts {
    fn start() -> Sts {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}/", server.server_addr().to_ip().unwrap());
        let (asked, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(200)));
        let sts = Sts { url, asked: asked.clone(), status: status.clone(), server: server.clone() };
        thread::spawn(move || {
            while let Ok(mut request) = server.recv() {
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let mut asked = asked.lock().unwrap();
                asked.push(parse(&body));
                let status = *status.lock().unwrap();
                let text = match status {
                    200 => keys(asked.len()),
                    _ => "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>".to_owned(),
                };
                let _ = request.respond(Response::from_string(text).with_status_code(status));
            }
        });
        sts
    }
    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
    /// An account whose id_token this service takes.
    fn world(&self, idp: &Idp) -> World {
        let world = World::bare();
        let serves = format!("[\"https://git.example.com\", \"{}\"]", self.url);
        world.config(&(World::account("work", idp, &serves) + &self.lines()));
        world.sign_in();
        world
    }
    fn lines(&self) -> String {
        format!("aws_role_arn = \"{ROLE}\"\naws_sts_endpoint = \"{}\"\n", self.url)
    }
}

fn keys(number: usize) -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s/{number}+=</SecretAccessKey>\
         <SessionToken>t{number}</SessionToken><Expiration>{}</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        rfc3339(now() + 3600)
    )
}

pub fn key_of(done: Done) -> String {
    let done = done.expect(0);
    assert_eq!(done.err, "", "silent on success");
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    answer["AccessKeyId"].as_str().unwrap().to_owned()
}

#[test]
fn keys_are_bought_with_an_id_token_and_kept() {
    let idp = Idp::builder().id_tokens().start();
    let sts = Sts::start();
    let world = sts.world(&idp);
    let done = world.run(&["aws"]).expect(0);
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    let end = answer["Expiration"].as_str().unwrap().to_owned();
    let want = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s/1+=", "SessionToken": "t1", "Expiration": end
    });
    assert_eq!(answer, want);
    assert!(end.ends_with('Z') && end > rfc3339(now() + 3400) && end <= rfc3339(now() + 3540), "{end}");
    let form = sts.asked.lock().unwrap()[0].clone();
    let id = world.kept("id_token")["secret"].as_str().unwrap().to_owned();
    for (name, value) in [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("DurationSeconds", "3600"),
        ("WebIdentityToken", &id),
    ] {
        assert_eq!(field(&form, name), Some(value), "{form:?}");
    }
    assert_eq!(key_of(world.run(&["aws", "--account", "work"])), "ASIA1");
    assert_eq!((sts.count(), idp.count("refresh_token")), (1, 0));
    set_left(&world, 1300);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1", "more than 20 minutes are left");
    set_left(&world, 1100);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA2", "fewer are");
}

#[cfg(unix)]
#[test]
fn a_crowd_buys_once() {
    let idp = Idp::builder().id_tokens().start();
    let sts = Sts::start();
    let world = sts.world(&idp);
    let done = world.sh("for i in $(seq 12); do \"$HALLPASS\" aws & done; wait").expect(0);
    assert_eq!((done.out.matches("ASIA1\"").count(), sts.count()), (12, 1), "{done:?}");
}

#[test]
fn old_keys_do_while_the_service_is_away() {
    let idp = Idp::builder().id_tokens().start();
    let sts = Sts::start();
    let world = sts.world(&idp);
    world.run(&["aws"]).expect(0);
    sts.answers(503);
    set_left(&world, 600);
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1");
    world.shift(4000); // and the authorization server too, when there is no good id_token any more
    idp.always(At::Token, Fault::Status(503, vec![], ""));
    assert_eq!(key_of(world.run(&["aws"])), "ASIA1");
    idp.heal();
    set_left(&world, 30);
    world.run(&["aws"]).refused(&[6], &["503"]);
    sts.answers(403);
    let refused = world.run(&["aws"]).refused(&[4], &["AccessDenied", ROLE]);
    assert!(!refused.err.contains(world.kept("id_token")["secret"].as_str().unwrap()), "a secret in an error");
    fs::write(bought(&world), "damaged").unwrap();
    sts.answers(200);
    assert!(key_of(world.run(&["aws"])).starts_with("ASIA"), "what is damaged is bought again");
    key_of(world.run(&["aws"]));
}

#[test]
fn an_id_token_goes_to_no_service_that_was_not_there_at_the_sign_in() {
    let idp = Idp::builder().id_tokens().start();
    let (sts, other) = (Sts::start(), Sts::start());
    let world = sts.world(&idp);
    world.run(&["aws"]).expect(0);
    let moved = world.config_text().replace(&sts.url, &other.url);
    world.config(&moved);
    world.run(&["aws"]).refused(&[9], &["hallpass login work"]);
    assert_eq!((sts.count(), other.count()), (1, 0));
    world.config(&moved.replace(ROLE, "arn:aws:iam::123456789012:role/admin"));
    world.run(&["aws"]).refused(&[9], &[]);
}

#[test]
fn another_role_has_other_keys_and_a_logout_takes_them_away() {
    let idp = Idp::builder().id_tokens().start();
    let sts = Sts::start();
    let world = sts.world(&idp);
    world.run(&["aws"]).expect(0);
    world.config(&world.config_text().replace("role/check", "role/admin"));
    assert_eq!(key_of(world.run(&["aws"])), "ASIA2");
    let named = ["aws", "--role", "arn:aws:iam::123456789012:role/audit"];
    assert_eq!(
        (key_of(world.run(&named)), key_of(world.run(&["aws"])), key_of(world.run(&named))),
        ("ASIA3".to_owned(), "ASIA2".to_owned(), "ASIA3".to_owned())
    );
    assert_eq!(field(&sts.asked.lock().unwrap()[2], "RoleArn"), Some(named[2]));
    let docker = world.ask(&["docker", "list"], "").expect(0);
    assert!(!docker.out.contains("ASIA"), "{docker:?}");
    world.run(&["logout", "work"]).expect(0);
    assert_eq!(world.holdings(), [""; 0]);
    world.run(&["aws"]).refused(&[4], &["hallpass login work"]);
}

#[test]
fn what_is_missing_is_said() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.run(&["aws"]).refused(&[10], &["aws_role_arn"]);
    let sts = Sts::start();
    let world = sts.world(&idp); // its server gives no id_token
    world.run(&["aws"]).refused(&[4], &["openid"]);
    assert_eq!(sts.count(), 0);
    world.run(&["aws", "s3"]).refused(&[2], &[]);
}
