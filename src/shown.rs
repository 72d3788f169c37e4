//! Text from outside, made safe for a terminal

/// Text from outside inside a message: nothing that moves a cursor or turns a line around, and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(80)
        .flat_map(|letter| if is_plain(letter) { vec![letter] } else { letter.escape_default().collect::<Vec<_>>() })
        .collect();
    if text.chars().count() > 80 { clean + "…" } else { clean }
}

/// Not one that is not seen itself and changes what is seen of the others (UAX 9), or ends a line.
fn is_plain(letter: char) -> bool {
    let is_odd = matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !is_odd && !letter.is_control()
}

/// A server's words, safe for a terminal: RFC 6749 5.2 allows printable ASCII only.
pub(crate) fn printable(text: &str) -> String {
    let clean: String =
        text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect();
    shown(&clean)
}

/// `52 min`, `3 h`: what a person wants to know.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", (seconds + 30) / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Whether a server's words quote a part of a secret that it was sent.
pub(crate) fn quotes(words: &str, secret: &str) -> bool {
    let is_of_a_token = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    words.split(|letter| !is_of_a_token(letter)).any(|word| word.len() >= 16 && secret.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{quotes, shown};

    #[test]
    fn nothing_moves_a_cursor() {
        assert_eq!(shown("Zoë 🙂 \u{1b}[2J\u{202e}x\n"), "Zoë 🙂 \\u{1b}[2J\\u{202e}x\\n");
        assert_eq!(shown(&"ö".repeat(81)), "ö".repeat(80) + "…");
    }

    #[test]
    fn quoted_secrets() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl";
        for (words, quoted) in [
            ("role \"dev\" could not be found", false),
            ("invalid: eyJhbGciOiJIUzI1NiJ9.eyJzdWIi...", true),
            (jwt, true),
        ] {
            assert_eq!(quotes(words, jwt), quoted, "{words}");
        }
    }
}
