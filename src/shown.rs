//! Text from outside, made safe for a terminal

/// Text from a file or the command line inside a message: no control characters, and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(80)
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect::<Vec<_>>() } else { vec![letter] })
        .collect();
    if text.chars().count() > 80 { clean + "…" } else { clean }
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
    use super::quotes;

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
