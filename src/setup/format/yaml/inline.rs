//! What YAML has on one line: words in quotes or without, and lists and mappings in brackets

use super::node::{Item, Member, Node, Value};

/// More brackets inside each other than anybody writes.
const DEEPEST: usize = 32;

/// A list or a mapping in brackets, and nothing behind it.
pub(super) fn collection(text: &str) -> Option<Value> {
    let (value, rest) = value(text, DEEPEST)?;
    rest.trim().is_empty().then_some(value)
}

/// A word, by its quotes.
pub(super) fn plain(text: &str) -> Option<String> {
    match text.chars().next()? {
        '"' => serde_json::from_str(text).ok(),
        '\'' => {
            let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
            (!inner.replace("''", "").contains('\'')).then(|| inner.replace("''", "'"))
        }
        _ => Some(text.to_owned()),
    }
}

/// A text as YAML: plain where it can be nothing else.
pub(in crate::setup) fn quoted(text: &str) -> String {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "._-/@+".contains(letter);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text
        .starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || text.starts_with("--"))
        && text.chars().all(is_letter)
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn value(text: &str, depth: usize) -> Option<(Value, &str)> {
    let text = text.trim_start();
    let depth = depth.checked_sub(1)?;
    if let Some(inside) = text.strip_prefix('[') {
        return list(inside, depth);
    }
    if let Some(inside) = text.strip_prefix('{') {
        return mapping(inside, depth);
    }
    let (word, rest) = word(text)?;
    let value = match word {
        "" | "~" | "null" => Value::Null,
        word => Value::Text(plain(word)?),
    };
    Some((value, rest))
}

fn list(mut text: &str, depth: usize) -> Option<(Value, &str)> {
    let mut items = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix(']') {
            return Some((if items.is_empty() { Value::Empty } else { Value::List(items) }, rest));
        }
        let (item, rest) = value(text, depth)?;
        items.push(Item { dash: 0, node: Node::inline(item) });
        text = next(rest, ']')?;
    }
}

fn mapping(mut text: &str, depth: usize) -> Option<(Value, &str)> {
    let mut members: Vec<Member> = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Some((if members.is_empty() { Value::Empty } else { Value::Map(members) }, rest));
        }
        let (key, rest) = word(text)?;
        let rest = rest.trim_start().strip_prefix(':')?;
        let (value, rest) = if rest.starts_with([',', '}']) { (Value::Null, rest) } else { value(rest, depth)? };
        let key = plain(key)?;
        if members.iter().any(|member| member.key == key) {
            return None;
        }
        members.push(Member { key, start: 0, colon: 0, node: Node::inline(value) });
        text = next(rest, '}')?;
    }
}

/// Behind a comma, or at the end.
fn next(text: &str, close: char) -> Option<&str> {
    let text = text.trim_start();
    text.strip_prefix(',').or_else(|| text.starts_with(close).then_some(text))
}

/// A word between brackets, with its quotes.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = match text.chars().next()? {
        '"' => {
            let mut escaped = false;
            let close = |letter: char| {
                let is_close = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                is_close
            };
            text[1..].find(close)? + 2
        }
        '\'' => {
            let mut end = 1 + text[1..].find('\'')? + 1;
            while text[end..].starts_with('\'') {
                end += 1 + text[end + 1..].find('\'')? + 1;
            }
            end
        }
        '&' | '*' | '!' | '|' | '>' | '%' | '@' | '`' | '?' | '#' => return None,
        _ => {
            let is_end = |at: &usize| {
                let rest = &text[*at..];
                rest.starts_with([',', '[', ']', '{', '}'])
                    || rest == ":"
                    || rest.starts_with(": ")
                    || rest.starts_with(":,")
                    || rest.starts_with(":}")
            };
            text.char_indices().map(|(at, _)| at).find(is_end)?
        }
    };
    Some((text[..end].trim_end(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::{Node, collection, quoted};

    #[test]
    fn brackets_are_read_or_refused() {
        let node = Node::inline(
            collection("{a: [x, 'it''s, so', \"q\\\"]\"], \"b\" : {c: http://h:1/}, d: , e: ~}").expect("a mapping"),
        );
        let words: Vec<_> = node.member("a").expect("a").node.items().iter().map(|item| item.node.text(&[])).collect();
        assert_eq!(words, [Some("x"), Some("it's, so"), Some("q\"]")]);
        assert_eq!(node.text(&["b", "c"]), Some("http://h:1/"));
        assert!(node.member("d").is_some() && node.text(&["e"]).is_none());
        for odd in
            ["[a", "{a}", "{a: b", "{a: b, a: c}", "[a] b", "[*a]", "['a]", "{a: {b: c}", "[a b: c]", &"[".repeat(99)]
        {
            assert!(collection(odd).is_none(), "{odd}");
        }
        for (text, yaml) in
            [("a-b", "a-b"), ("yes", "\"yes\""), ("-", "\"-\""), ("--x", "--x"), ("a: b", "\"a: b\""), ("1", "\"1\"")]
        {
            assert_eq!(quoted(text), yaml);
        }
    }
}
