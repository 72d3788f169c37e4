//! A list of a YAML file: an item put in as those before it, or taken out; every other byte stays

use super::super::insert::{cut, insert};
use super::block::read;
use super::node::{Item, Member, Node, Value};

/// A list of the root's, if there is one; it may be empty.
pub(in crate::setup) fn list(text: &str, key: &str) -> Result<Option<Member>, String> {
    let members = match read(text)?.value {
        Value::Null => return Ok(None),
        Value::Map(members) => members,
        _ => return Err("it has no keys".to_owned()),
    };
    if members.first().is_some_and(|member| column(text, member.start) > 0) {
        return Err("its first key does not begin its line".to_owned());
    }
    let found = members.into_iter().find(|member| member.key == key);
    match found.as_ref().map(|found| &found.node) {
        None
        | Some(
            Node { value: Value::List(_), in_brackets: false, .. } | Node { value: Value::Null | Value::Empty, .. },
        ) => Ok(found),
        Some(_) => Err(format!("its `{key}` are no list in several lines")),
    }
}

pub(in crate::setup) fn find<'a>(list: &'a Member, name: &str) -> Option<&'a Item> {
    list.node.items().iter().find(|item| item.node.text(&["name"]) == Some(name))
}

/// The text with one more item, set in as those before it.
pub(in crate::setup) fn added(text: &str, list: &Member, item: &str) -> String {
    match list.node.items().first() {
        Some(first) => insert(text, list.node.end, &indented(column(text, first.dash), item)),
        None => filled(text, list, item),
    }
}

/// The text with lines in place of a value that is nothing.
pub(in crate::setup) fn filled(text: &str, member: &Member, lines: &str) -> String {
    let gone = member.colon..member.node.at.end.max(member.colon);
    let (length, left) = (gone.len(), cut(text, gone));
    insert(&left, member.node.end - length, lines)
}

/// The text without an item; a list of nothing says so.
pub(in crate::setup) fn removed(text: &str, list: &Member, item: &Item) -> String {
    let left = cut(text, line_start(text, item.dash)..item.node.end);
    if list.node.items().len() == 1 { insert_inline(&left, list.colon, " []") } else { left }
}

pub(in crate::setup) fn insert_inline(text: &str, at: usize, words: &str) -> String {
    format!("{}{words}{}", &text[..at], &text[at..])
}

pub(in crate::setup) fn indented(columns: usize, lines: &str) -> String {
    lines.lines().map(|line| format!("{}{line}\n", " ".repeat(columns))).collect()
}

pub(in crate::setup) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

pub(in crate::setup) fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}
