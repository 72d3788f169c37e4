//! What may be opened, shown and put into a path

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::failure::fail_hint;
use crate::http::check_endpoint;
use crate::shown::shown;

/// A page for a browser and a terminal: https, or http on this machine, in printable ASCII.
pub(super) fn page(text: &str) -> std::result::Result<url::Url, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has control characters, spaces or letters beyond ASCII in it");
    }
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    let mut plain = url.clone();
    plain.set_fragment(None);
    check_endpoint(plain.as_str())?;
    Ok(url)
}

/// A word that goes into a path as it is.
pub(super) fn check_word(word: &str, what: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte);
    match (1..=128).contains(&word.len()) && word.bytes().all(plain) && word.bytes().any(|byte| byte != b'.') {
        true => Ok(()),
        false => {
            let words = format!("`{}` is no {what}: up to 128 of letters, digits and ._~:-", shown(word));
            Err(fail_hint(Exit::Usage, words, "`hallpass connect --list` shows what there is"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check_word, page};

    #[test]
    fn pages_that_may_be_opened() {
        for good in ["https://github.com/login?state=x#top", "http://localhost:9/a?state=x"] {
            assert!(page(good).is_ok(), "{good}");
        }
        for bad in ["", "javascript:alert(1)", "file:///etc/passwd", "https://h/\u{1b}]0;x", "https://h/a b"] {
            assert!(page(bad).is_err(), "{bad:?}");
        }
        for bad in ["http://platform.example/a", "https://user:pass@h/", "https://h/\nhttps://i/", "https://h/ü"] {
            assert!(page(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_stay_one_segment() {
        assert!(check_word("github", "platform").is_ok() && check_word("cred_01-x.y:z", "link").is_ok());
        for bad in ["", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ü"] {
            assert!(check_word(bad, "link").is_err(), "{bad}");
        }
    }
}
