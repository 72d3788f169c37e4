//! A list of a YAML file: an item put in as those before it, or taken out; every other byte stays

use super::insert::{cut, insert};
use super::yaml::{self, Item, Member, Node, Value};

/// The root, if there is one, and a list of it.
pub(super) fn list(text: &str, key: &str) -> Result<(Option<()>, Option<Member>), String> {
    match yaml::read(text)?.value {
        Value::Null => Ok((None, None)),
        Value::Map(members) => {
            if members.first().is_some_and(|member| column(text, member.start) > 0) {
                return Err("its first key does not begin its line".to_owned());
            }
            let found = members.into_iter().find(|member| member.key == key);
            match &found {
                Some(Member { node: Node { value: Value::List(_) | Value::Null | Value::Empty, .. }, .. }) | None => {
                    Ok((Some(()), found))
                }
                Some(_) => Err(format!("its `{key}` are no list in several lines")),
            }
        }
        _ => Err("it has no keys".to_owned()),
    }
}

pub(super) fn find<'a>(list: &'a Member, name: &str) -> Option<&'a Item> {
    list.node.items().iter().find(|item| item.node.text(&["name"]) == Some(name))
}

/// The text with one more item, set in as those before it.
pub(super) fn added(text: &str, list: &Member, item: &str) -> Result<String, String> {
    match list.node.items().first() {
        Some(first) => Ok(insert(text, list.node.end, &indented(column(text, first.dash), item))),
        None => Ok(filled(text, list, item)),
    }
}

/// The text with lines in place of a value that is nothing.
pub(super) fn filled(text: &str, member: &Member, lines: &str) -> String {
    let gone = member.colon..member.node.at.end.max(member.colon);
    let (length, left) = (gone.len(), cut(text, gone));
    insert(&left, member.node.end - length, lines)
}

/// The text without an item; a list of nothing says so.
pub(super) fn removed(text: &str, list: &Member, item: &Item) -> String {
    let left = cut(text, line_start(text, item.dash)..item.node.end);
    if list.node.items().len() == 1 { insert_inline(&left, list.colon, " []") } else { left }
}

pub(super) fn insert_inline(text: &str, at: usize, words: &str) -> String {
    format!("{}{words}{}", &text[..at], &text[at..])
}

pub(super) fn indented(columns: usize, lines: &str) -> String {
    lines.lines().map(|line| format!("{}{line}\n", " ".repeat(columns))).collect()
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

pub(super) fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}
