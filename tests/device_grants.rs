//! The device flow of the authorization server (RFC 8628): codes, and polls that are answered by a script.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::forms::field;

type Form = [(String, String)];

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const USER_CODE: &str = "WDJB-MJHT";

/// What a poll is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Poll {
    Pending,
    SlowDown,
    /// GitHub says with it what the interval is from now on.
    SlowDownTo(u64),
    Denied,
    Expired,
    Granted,
}

struct Issued {
    client: String,
    interval: u64,
    /// A poll before this comes too soon.
    due: Instant,
}

/// Each poll takes the next word of the script; the last word stays.
pub struct Device {
    script: VecDeque<Poll>,
    members: Vec<(&'static str, Value)>,
    github: bool,
    /// The metadata names no authorization endpoint.
    pub only_way: bool,
    issued: HashMap<String, Issued>,
}

impl Device {
    pub fn script(script: &[Poll]) -> Device {
        let script = script.iter().copied().collect();
        Device { script, members: Vec::new(), github: false, only_way: false, issued: HashMap::new() }
    }
    /// Another value for a member of the answer; null takes it out.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Device {
        self.members.push((name, value.into()));
        self
    }
    /// Errors come with status 200.
    pub fn github(mut self) -> Device {
        self.github = true;
        self
    }
    pub fn only_way(mut self) -> Device {
        self.only_way = true;
        self
    }
    /// From now on every poll is answered so.
    pub fn decide(&mut self, poll: Poll) {
        self.script = [poll].into();
    }

    /// The answer of the device authorization endpoint.
    pub fn begin(&mut self, form: &Form, issuer: &str, device_code: &str) -> Value {
        let page = format!("{issuer}/device");
        let mut answer = json!({
            "device_code": device_code, "user_code": USER_CODE, "expires_in": 900, "interval": 1,
            "verification_uri": page, "verification_uri_complete": format!("{page}?user_code={USER_CODE}"),
        });
        for (name, value) in &self.members {
            match value {
                Value::Null => drop(answer.as_object_mut().unwrap().remove(*name)),
                value => answer[name] = value.clone(),
            }
        }
        let said = &answer["interval"];
        let said = said.as_u64().or_else(|| said.as_str()?.parse().ok());
        let interval = said.unwrap_or(5).max(1); // the RFC's own; and nobody may poll without a pause
        let client = field(form, "client_id").unwrap_or("").to_owned();
        let due = Instant::now() + Duration::from_secs(interval);
        self.issued.insert(device_code.into(), Issued { client, interval, due });
        answer
    }

    /// The person opened the page with the code in it, and said yes.
    pub fn visit(&mut self, form: &Form) -> bool {
        let known = field(form, "user_code") == Some(USER_CODE);
        if known {
            self.decide(Poll::Granted);
        }
        known
    }

    /// What a poll gets: tokens, or an error with its status.
    pub fn poll(&mut self, form: &Form, complaints: &mut Vec<String>) -> Result<(), (u16, Value)> {
        let status = if self.github { 200 } else { 400 };
        let error = |word: &str| Err((status, json!({"error": word, "error_description": "of a poll"})));
        let code = field(form, "device_code").unwrap_or("");
        let Some(issued) = self.issued.get_mut(code) else {
            complaints.push("device: a poll without a live code".into());
            return error("invalid_grant");
        };
        if field(form, "client_id") != Some(&issued.client) {
            complaints.push("device: a poll by another client".into());
        }
        if let early @ 1.. = issued.due.saturating_duration_since(Instant::now()).as_micros() {
            complaints.push(format!("device: a poll that came {early} µs too soon"));
        }
        let word = self.script[0];
        if self.script.len() > 1 {
            self.script.pop_front();
        }
        issued.interval = match word {
            Poll::SlowDown => issued.interval + 5,
            Poll::SlowDownTo(interval) => interval,
            _ => issued.interval,
        };
        issued.due = Instant::now() + Duration::from_secs(issued.interval);
        match word {
            Poll::Pending => error("authorization_pending"),
            Poll::SlowDown => error("slow_down"),
            Poll::SlowDownTo(interval) => Err((status, json!({"error": "slow_down", "interval": interval}))),
            Poll::Denied | Poll::Expired | Poll::Granted => {
                self.issued.remove(code);
                match word {
                    Poll::Denied => error("access_denied"),
                    Poll::Expired => error("expired_token"),
                    _ => Ok(()),
                }
            }
        }
    }
}
