//! The address of a page on the terminal: one link however many lines it takes, and in the clipboard where that can be
//!
//! Only an address that is plain to the last byte goes between escape sequences, and only on terminals that are known
//! to understand them; elsewhere it is a line as any other. A server that names an address can say nothing else.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::opener::is_plain;
use crate::paths::set;
use crate::terminal::{is_watched, line};

/// What terminals take in one sequence.
const LONGEST: usize = 8 << 10;

/// Shows an address on a line of its own.
pub(crate) fn show(url: &str) {
    let known = is_watched() && is_safe(url) && links(set);
    line(&if known { format!("\x1b]8;;{url}\x1b\\{url}\x1b]8;;\x1b\\") } else { url.to_owned() });
}

/// Puts an address into the clipboard of the terminal, which may be on another machine. Whether it was told to.
pub(crate) fn copy(url: &str) -> bool {
    let known = is_watched() && is_safe(url) && copies(set);
    known && write!(std::io::stderr(), "\x1b]52;c;{}\x1b\\", STANDARD.encode(url)).is_ok()
}

fn is_safe(url: &str) -> bool {
    is_plain(url) && url.len() <= LONGEST
}

/// Whether the terminal knows OSC 8. One that does not prints nothing or rubbish: so it has to be known.
fn links(set: impl Fn(&str) -> Option<String>) -> bool {
    let term = set("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" || term.starts_with("screen") {
        return false;
    }
    let at_least = |variable: &str, least: u32| {
        let digits = |text: String| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        set(variable).map(digits).and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number >= least)
    };
    if set("TMUX").is_some() || term.starts_with("tmux") {
        return false; // it hands them on from 3.4 on, and does not say on whose behalf
    }
    let program = set("TERM_PROGRAM").unwrap_or_default();
    at_least("VTE_VERSION", 5002) // crashed before
        || at_least("KONSOLE_VERSION", 201_200)
        || set("DOMTERM").is_some()
        || program == "vscode"
        || is_modern(&term, &program, set)
}

/// Whether it knows OSC 52, and takes it.
fn copies(set: impl Fn(&str) -> Option<String>) -> bool {
    let term = set("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" || term.starts_with("screen") || term.starts_with("tmux") {
        return false;
    }
    set("TMUX").is_none() && is_modern(&term, &set("TERM_PROGRAM").unwrap_or_default(), &set)
}

/// Those that know both.
fn is_modern(term: &str, program: &str, set: impl Fn(&str) -> Option<String>) -> bool {
    let terms = ["xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "rio", "contour"];
    terms.iter().any(|known| term.starts_with(known))
        || ["iTerm.app", "WezTerm", "ghostty", "rio"].contains(&program)
        || set("WT_SESSION").is_some()
}

#[cfg(test)]
mod tests {
    use super::{copies, is_safe, links};

    fn with(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> + Copy {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn only_terminals_that_are_known() {
        for (pairs, expected) in [
            ([].as_slice(), (false, false)),
            (&[("TERM", "xterm-256color")], (false, false)),
            (&[("TERM", "dumb"), ("VTE_VERSION", "7600")], (false, false)),
            (&[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")], (true, false)),
            (&[("TERM", "xterm-256color"), ("VTE_VERSION", "4600")], (false, false)),
            (&[("TERM", "xterm-kitty")], (true, true)),
            (&[("TERM", "screen-256color"), ("WT_SESSION", "1")], (false, false)),
            (&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux"), ("VTE_VERSION", "7600")], (false, false)),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "vscode")], (true, false)),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")], (true, true)),
        ] {
            assert_eq!((links(with(pairs)), copies(with(pairs))), expected, "{pairs:?}");
        }
    }

    #[test]
    fn only_addresses_that_are_plain() {
        assert!(is_safe("https://id.example.com/authorize?client_id=a&state=b%20c"));
        for bad in
            ["https://h/\x1b\\", "https://h/\x07", "https://h/\u{9c}", "https://h/ö", "https://h/\n", "file:///x"]
        {
            assert!(!is_safe(bad), "{bad:?}");
        }
        assert!(!is_safe(&format!("https://h/{}", "a".repeat(9000))));
    }
}
