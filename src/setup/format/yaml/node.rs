//! What YAML says, and where it stands

use std::ops::Range;

#[derive(Debug)]
pub(in crate::setup) enum Value {
    Null,
    Text(String),
    /// `{}` or `[]`.
    Empty,
    List(Vec<Item>),
    Map(Vec<Member>),
}

#[derive(Debug)]
pub(in crate::setup) struct Node {
    pub(in crate::setup) value: Value,
    /// The bytes of a value that stands on the line of its key.
    pub(in crate::setup) at: Range<usize>,
    /// Behind its last line.
    pub(in crate::setup) end: usize,
    /// It stands in brackets, and nothing can be put in between its lines.
    pub(in crate::setup) in_brackets: bool,
}

#[derive(Debug)]
pub(in crate::setup) struct Item {
    pub(in crate::setup) dash: usize,
    pub(in crate::setup) node: Node,
}

#[derive(Debug)]
pub(in crate::setup) struct Member {
    pub(in crate::setup) key: String,
    /// Where the key begins, and what is behind its colon.
    pub(in crate::setup) start: usize,
    pub(in crate::setup) colon: usize,
    pub(in crate::setup) node: Node,
}

impl Node {
    /// What stands between brackets; its place is that of the whole.
    pub(super) fn inline(value: Value) -> Self {
        Self { value, at: 0..0, end: 0, in_brackets: true }
    }

    pub(in crate::setup) fn member(&self, key: &str) -> Option<&Member> {
        let Value::Map(members) = &self.value else { return None };
        members.iter().find(|member| member.key == key)
    }

    pub(in crate::setup) fn items(&self) -> &[Item] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The text below these keys.
    pub(in crate::setup) fn text(&self, keys: &[&str]) -> Option<&str> {
        match (keys.split_first(), &self.value) {
            (Some((key, rest)), _) => self.member(key)?.node.text(rest),
            (None, Value::Text(text)) => Some(text),
            (None, _) => None,
        }
    }

    /// Whether all that another node says is said here too, in whichever order and style.
    pub(in crate::setup) fn says(&self, other: &Self) -> bool {
        match &other.value {
            Value::Map(members) => {
                members.iter().all(|member| self.member(&member.key).is_some_and(|here| here.node.says(&member.node)))
            }
            Value::List(items) => {
                let here = self.items();
                here.len() == items.len() && here.iter().zip(items).all(|(here, item)| here.node.says(&item.node))
            }
            Value::Text(text) => self.text(&[]) == Some(text),
            Value::Null | Value::Empty => matches!(self.value, Value::Null | Value::Empty),
        }
    }
}
