//! `keyring`'s arguments

use crate::place::Place;
use crate::talk::{Request, Target, Verb};

/// Our name, which is the next one's too, and that of what is kept for this door.
pub(super) const NEXT: &str = "keyring";

/// What the caller wants printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) creds: bool,
    pub(super) json: bool,
}

/// What it wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    Del,
}

/// `get SERVICE [USER]` and the like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) form: Form,
    pub(super) operation: Operation,
    pub(super) service: &'a str,
    pub(super) user: Option<&'a str>,
}

impl<'a> Words<'a> {
    /// Options anywhere; `None` for everything else.
    pub(super) fn read(args: &'a [String]) -> Option<Self> {
        let mut form = Form { creds: false, json: false };
        let mut operands = Vec::new();
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if arg.starts_with("--") => (name, Some(value)),
                _ => (arg, None),
            };
            match name {
                "--mode" => {
                    form.creds = match value.or_else(|| args.next())? {
                        "creds" => true,
                        "password" => false,
                        _ => return None,
                    }
                }
                "--output" => {
                    form.json = match value.or_else(|| args.next())? {
                        "json" => true,
                        "plain" => false,
                        _ => return None,
                    }
                }
                "--" => operands.extend(args.by_ref()),
                _ if arg.starts_with('-') => return None, // a backend by name, a list: the real one knows
                _ => operands.push(arg),
            }
        }
        let (operation, service, user) = match operands[..] {
            ["get", service] if form.creds => (Operation::Get, service, None),
            ["get", service, user] => (Operation::Get, service, Some(user)),
            ["set", service, user] => (Operation::Set, service, Some(user)),
            ["del", service, user] => (Operation::Del, service, Some(user)),
            _ => return None,
        };
        Some(Self { form, operation, service, user: user.filter(|user| !user.is_empty()) })
    }

    /// `None` for a service that is no place.
    pub(super) fn request(&self, verb: Verb) -> Option<Request> {
        let place = Place::from_registry(self.service).ok()?;
        let (username, note) = (self.user.map(str::to_owned), self.service.to_owned());
        Some(Request { username, drawer: NEXT, note, ..Request::new(verb, Target::Place(place)) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Words};

    #[test]
    fn options_in_every_shape() {
        let read = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            Words::read(&args).map(|words| (words.form, words.user.map(str::to_owned)))
        };
        let (creds, plain) = (Form { creds: true, json: true }, Form { creds: false, json: false });
        for args in [
            &["--mode=creds", "--output=json", "get", "h.example"][..],
            &["--mode", "creds", "--output", "json", "get", "h.example"],
            &["get", "--mode", "creds", "h.example", "--output=json"],
            &["get", "h.example", "--output", "json", "--mode=creds"],
            &["--mode=password", "--mode=creds", "--output=json", "get", "--", "h.example"],
            &["--mode=creds", "--output=json", "get", "h.example", ""],
        ] {
            assert_eq!(read(args), Some((creds, None)), "{args:?}");
        }
        assert_eq!(read(&["get", "h.example", "--", "-u"]), Some((plain, Some("-u".into()))));
        for odd in [
            &["--mode=", "get", "h"][..],
            &["--mode:creds", "get", "h", "u"],
            &["/mode:creds", "get", "h", "u"],
            &["--MODE=creds", "get", "h"],
            &["-mode", "creds", "get", "h"],
            &["get", "h", "u", "--output"],
            &["GET", "h", "u"],
        ] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
