//! What tools say when they ask a helper for a credential, and what they want to hear.
//!
//! One file for each protocol, its header showing the bytes of one exchange; nothing here reads, writes, asks for
//! the time or looks at the environment. [`talk`] has the words all of them share, [`place`] says what a
//! credential is for, and this file is the list.
//!
//! A new protocol is one file and one line in [`ALL`].

mod git;
mod json;
mod kubectl;
mod plain;
#[cfg(test)]
mod shape;

pub mod failure;
pub mod place;
pub mod secret;
pub mod talk;
pub mod time;

pub use plain::{seconds, target};

use talk::Protocol;

/// Every protocol.
pub const ALL: &[&dyn Protocol] = &[&git::Git, &kubectl::Kubectl, &plain::Plain, &json::Json];

/// The protocol with this name, and the name as it is known here.
#[must_use]
pub fn find(name: &str) -> Option<(&'static dyn Protocol, &'static str)> {
    ALL.iter().find_map(|protocol| {
        let known = protocol.names().iter().find(|known| **known == name)?;
        Some((*protocol, *known))
    })
}

#[cfg(test)]
mod tests {
    use super::{ALL, find, talk};

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().flat_map(|protocol| protocol.names()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(find("git").is_some() && find("frobnicate").is_none());
    }

    /// No protocol panics, whatever arrives; xorshift because a test needs no better dice.
    #[test]
    fn nothing_panics_on_arbitrary_input() {
        let mut dice = 0x2545_F491_4F6C_DD1D_u64;
        let mut roll = || {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice
        };
        let words =
            ["get", "store", "protocol=https\n", "host=", "{\"url\":", "\"", "\n", "\u{0}", "[]", "é", "=", "}"];
        for _ in 0..2_000 {
            let input: String = (0..roll() % 12).map(|_| words[(roll() % 12) as usize]).collect();
            let args = [words[(roll() % 12) as usize].to_owned()];
            for protocol in ALL {
                let env = |_: &str| Some(input.clone());
                let call = talk::Call { name: protocol.names()[0], args: &args, env: &env, now: 0 };
                let _ = protocol.start(&call);
                let _ = protocol.hear(&call, &input);
            }
        }
    }
}
