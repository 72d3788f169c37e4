//! Lines put into a text, ended as its own lines are

/// The text with these lines before the byte `at`, which begins a line or ends the text.
pub(super) fn insert(text: &str, at: usize, lines: &str) -> String {
    let (head, tail) = text.split_at(at);
    let joint = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
    let new = format!("{joint}{lines}");
    let new = if text.contains("\r\n") { new.replace('\n', "\r\n") } else { new };
    format!("{head}{new}{tail}")
}

/// The text without these bytes.
pub(super) fn cut(text: &str, gone: std::ops::Range<usize>) -> String {
    format!("{}{}", &text[..gone.start], &text[gone.end..])
}
