//! YAML in lines, further in or further out

use super::inline::{collection, plain};
use super::node::{Item, Member, Node, Value};

/// Columns; a level of the outline is a level of calls.
const DEEPEST: usize = 256;

/// A line that says something.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    /// Of its first letter.
    start: usize,
    text: &'a str,
    /// Behind its end.
    next: usize,
}

pub(in crate::setup) fn read(text: &str) -> Result<Node, String> {
    if text.trim_start().starts_with('{') {
        return Err("it is written as JSON; `kubectl config view --raw` writes YAML".to_owned());
    }
    let mut lines = lines(text)?;
    let mut at = 0;
    if lines.is_empty() {
        return Ok(Node { value: Value::Null, at: 0..0, end: text.len(), in_brackets: false });
    }
    let node = block(&mut lines, &mut at)?;
    lines.get(at).map_or(Ok(node), |line| Err(line.odd()))
}

fn lines(text: &str) -> Result<Vec<Line<'_>>, String> {
    let (mut lines, mut next) = (Vec::new(), 0);
    for (number, raw) in text.split_inclusive('\n').enumerate() {
        let bare = raw.trim_start_matches([' ', '\u{feff}']);
        let indent = raw.len() - bare.len();
        let line =
            Line { number: number + 1, indent, start: next + indent, text: bare.trim_end(), next: next + raw.len() };
        next += raw.len();
        match line.text {
            "---" if lines.is_empty() => {}
            text if text.is_empty() || text.starts_with('#') => {}
            text if text.starts_with(['\t', '%']) || (indent == 0 && matches!(text.get(..3), Some("---" | "..."))) => {
                return Err(line.odd());
            }
            _ => lines.push(line),
        }
    }
    Ok(lines)
}

impl Line<'_> {
    fn odd(&self) -> String {
        format!("line {} is not understood", self.number)
    }

    fn is_item(&self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }

    /// The line without so many bytes at its beginning.
    fn after(&self, bytes: usize) -> Self {
        let text = self.text[bytes..].trim_start_matches(' ');
        let gone = self.text.len() - text.len();
        Self { indent: self.indent + gone, start: self.start + gone, text, ..*self }
    }
}

/// A list or a mapping, from the line `at` on; `at` is behind it then.
fn block(lines: &mut [Line<'_>], at: &mut usize) -> Result<Node, String> {
    let first = lines[*at];
    if first.indent > DEEPEST {
        return Err(first.odd());
    }
    let (mut items, mut members, mut end) = (Vec::new(), Vec::<Member>::new(), first.next);
    while let Some(line) = lines.get(*at).copied().filter(|line| line.indent == first.indent) {
        if line.is_item() != first.is_item() {
            break;
        }
        if line.is_item() {
            let rest = line.after(1);
            let node = if rest.text.is_empty() || rest.text.starts_with('#') {
                *at += 1;
                below(lines, at, &line, line.start + 1, false)?
            } else if rest.is_item() || key(rest.text).is_some() {
                lines[*at] = rest;
                block(lines, at)?
            } else {
                *at += 1;
                scalar(lines, at, line.indent, &rest)?
            };
            end = node.end;
            items.push(Item { dash: line.start, node });
        } else {
            let (name, length) = key(line.text).ok_or_else(|| line.odd())?;
            let (rest, colon) = (line.after(length), line.start + length);
            *at += 1;
            let node = match rest.text.chars().next() {
                None | Some('#') => below(lines, at, &line, colon, true)?,
                Some('|' | '>') => {
                    while lines.get(*at).is_some_and(|below| below.indent > line.indent) {
                        *at += 1;
                    }
                    Node {
                        value: Value::Text(String::new()),
                        at: colon..colon,
                        end: lines[*at - 1].next,
                        in_brackets: false,
                    }
                }
                Some(_) => scalar(lines, at, line.indent, &rest)?,
            };
            if members.iter().any(|member| member.key == name) {
                return Err(format!("line {} says `{name}` again", line.number));
            }
            end = node.end;
            members.push(Member { key: name, start: line.start, colon, node });
        }
        if lines.get(*at).is_some_and(|next| next.indent > first.indent) {
            return Err(lines[*at].odd()); // it goes on with something that was complete
        }
    }
    let value = if first.is_item() { Value::List(items) } else { Value::Map(members) };
    Ok(Node { value, at: first.start..first.start, end, in_brackets: false })
}

/// What stands further in than a line; a key's list may begin as far out as the key.
fn below(lines: &mut [Line<'_>], at: &mut usize, line: &Line<'_>, colon: usize, is_key: bool) -> Result<Node, String> {
    match lines.get(*at) {
        Some(next) if next.indent > line.indent || (is_key && next.indent == line.indent && next.is_item()) => {
            if next.is_item() || key(next.text).is_some() { block(lines, at) } else { Err(next.odd()) }
        }
        _ => Ok(Node { value: Value::Null, at: colon..colon, end: line.next, in_brackets: false }),
    }
}

/// The key that a line begins with, and how many bytes it takes with its colon.
fn key(text: &str) -> Option<(String, usize)> {
    let end = match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].find(quote)? + 2,
        '{' | '[' | '&' | '*' | '!' | '|' | '>' | '%' | '@' | '`' | '?' => return None,
        _ => text.find(": ").or_else(|| text.strip_suffix(':').map(str::len))?,
    };
    let rest = text[end..].strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (text[..end].trim_matches(['"', '\'']).to_owned(), end + 1))
}

/// A value that begins on a line; text may go on further in (kubectl breaks what is longer than 80 columns).
fn scalar(lines: &[Line<'_>], at: &mut usize, indent: usize, line: &Line<'_>) -> Result<Node, String> {
    let first = line.text.chars().next().unwrap_or_default();
    let is_quoted = matches!(first, '"' | '\'');
    let (mut text, mut end) = (without_comment(line.text).to_owned(), line.start + without_comment(line.text).len());
    let mut next = line.next;
    while let Some(more) = lines.get(*at).filter(|more| more.indent > indent && first != '{' && first != '[') {
        if is_quoted && plain(&text).is_some() {
            break;
        }
        if !is_quoted && (more.is_item() || key(more.text).is_some()) {
            return Err(more.odd());
        }
        let words = without_comment(more.text);
        text = format!("{text} {words}");
        (end, next) = (more.start + words.len(), more.next);
        *at += 1;
    }
    let text = text.as_str();
    let value = match first {
        '{' | '[' => collection(text).ok_or_else(|| line.odd())?,
        '&' | '*' | '!' | '%' | '@' | '`' | '?' => return Err(line.odd()),
        _ if text == "~" || text == "null" => Value::Null,
        _ => Value::Text(plain(text).ok_or_else(|| line.odd())?),
    };
    Ok(Node { value, at: line.start..end, end: next, in_brackets: matches!(first, '{' | '[') })
}

/// What stands before a comment. Behind quotes and brackets there can be nothing else; inside them it is no comment.
fn without_comment(text: &str) -> &str {
    let close = match text.chars().next() {
        Some('{') => Some('}'),
        Some('[') => Some(']'),
        Some(quote @ ('"' | '\'')) => Some(quote),
        _ => None,
    };
    let before = |at: usize| text[..at].trim_end();
    let is_end = |at: &usize| close.is_none_or(|close| before(*at).len() > 1 && before(*at).ends_with(close));
    text.find(" #").filter(is_end).map_or(text, before)
}
