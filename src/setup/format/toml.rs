//! One key of a TOML file, put in or taken out as a line of its own; every other byte stays
//!
//! `toml_edit` reads, and says where things stand; what is written is read again before it is believed.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::insert::{cut, insert};

type Read<'a> = Document<&'a str>;

fn read(text: &str) -> Result<Read<'_>, String> {
    Document::parse(text).map_err(|why| {
        let line = why.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        format!("line {line} is not TOML: {}", why.message().lines().next().unwrap_or_default())
    })
}

fn table<'a>(document: &'a Read<'_>, path: &[String]) -> Option<&'a dyn TableLike> {
    let mut table: &dyn TableLike = document.as_table();
    for name in path {
        table = table.get(name)?.as_table_like()?;
    }
    Some(table)
}

/// The names in a table; none where there is no such table.
pub(in crate::setup) fn names(text: &str, path: &[String]) -> Result<Vec<String>, String> {
    let document = read(text)?;
    let names = table(&document, path).map(|table| table.iter().map(|(name, _)| name.to_owned()).collect());
    Ok(names.unwrap_or_default())
}

/// A key's value: a string's text, the bytes of anything else.
pub(in crate::setup) fn get(text: &str, path: &[String], key: &str) -> Result<Option<String>, String> {
    let document = read(text)?;
    let Some(item) = table(&document, path).and_then(|table| table.get(key)) else { return Ok(None) };
    let bytes = || item.span().and_then(|span| text.get(span)).unwrap_or_default().to_owned();
    Ok(Some(item.as_str().map_or_else(bytes, str::to_owned)))
}

/// The text with this value (TOML itself) for this key of a table that is there; the root always is.
pub(in crate::setup) fn set(text: &str, path: &[String], key: &str, value: &str) -> Result<String, String> {
    let document = read(text)?;
    let name = [path, &[key.to_owned()]].concat().join(".");
    let table = table(&document, path).ok_or_else(|| format!("it has no table `{}`", path.join(".")))?;
    if let Some(item) = table.get(key) {
        return match item.span().and_then(|span| text.get(span)) == Some(value) {
            true => Ok(text.to_owned()),
            false => Err(format!("it sets `{name}` already, to something else")),
        };
    }
    let new = match last(&document, path, table) {
        // `corp = { index = "..." }`
        Some((_, value_at)) if is_inline(&document, path) => {
            format!("{}, {key} = {value}{}", &text[..value_at.end], &text[value_at.end..])
        }
        // On the next line, and below the same beginning: `registries.corp.`, or blanks.
        Some((key_at, value_at)) => {
            let line = text[..key_at.start].rfind('\n').map_or(0, |end| end + 1);
            let end = text[value_at.end..].find('\n').map_or(text.len(), |end| value_at.end + end + 1);
            insert(text, end, &format!("{}{key} = {value}\n", &text[line..key_at.start]))
        }
        None => {
            // Below its header; or, for the root, before the first of them.
            let header = table_header(&document, path);
            let at = header.map_or(0, |at| text[at..].find('\n').map_or(text.len(), |end| at + end + 1));
            let at = if path.is_empty() && names(text, path)?.is_empty() { text.len() } else { at };
            insert(text, at, &format!("{key} = {value}\n"))
        }
    };
    let ours = |document: &Read<'_>| Some(self::table(document, path)?.get(key)?.span());
    match read(&new).ok().and_then(|document| ours(&document)).flatten().and_then(|span| new.get(span)) {
        Some(read) if read == value => Ok(new),
        _ => Err(format!("`{name}` cannot be put in without touching the rest")),
    }
}

/// The text without this key, if it still has this value.
pub(in crate::setup) fn unset(text: &str, path: &[String], key: &str, value: &str) -> Result<String, String> {
    let document = read(text)?;
    let Some(found) = table(&document, path) else { return Ok(text.to_owned()) };
    let Some((name, item)) = found.get_key_value(key) else { return Ok(text.to_owned()) };
    let (Some(key_at), Some(value_at)) = (name.span(), item.span()) else { return Ok(text.to_owned()) };
    if text.get(value_at.clone()) != Some(value) {
        return Ok(text.to_owned()); // somebody else's by now
    }
    let gone = if is_inline(&document, path) {
        let before = text[..key_at.start].trim_end();
        match before.strip_suffix(',') {
            Some(before) => before.len()..value_at.end,
            None => key_at.start..value_at.end + text[value_at.end..].find([',', '}']).unwrap_or_default(),
        }
    } else {
        let line = text[..key_at.start].rfind('\n').map_or(0, |end| end + 1);
        line..text[value_at.end..].find('\n').map_or(text.len(), |end| value_at.end + end + 1)
    };
    let new = cut(text, gone);
    match get(&new, path, key) {
        Ok(None) => Ok(new),
        _ => Err(format!("`{key}` cannot be taken out without touching the rest")),
    }
}

/// Whether it is TOML.
pub(in crate::setup) fn check(text: &str) -> Result<(), String> {
    read(text).map(|_| ())
}

/// A string as TOML.
pub(in crate::setup) fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn is_inline(document: &Read<'_>, path: &[String]) -> bool {
    let Some((name, above)) = path.split_last() else { return false };
    table(document, above).and_then(|table| table.get(name)).is_some_and(Item::is_inline_table)
}

/// Where the table's last key and its value stand; tables below it count only where they are no tables of their own.
fn last(document: &Read<'_>, path: &[String], table: &dyn TableLike) -> Option<(Range<usize>, Range<usize>)> {
    let inline = is_inline(document, path);
    let entries = table.iter().filter(|(_, item)| inline || item.is_value());
    let spans = entries.filter_map(|(name, item)| Some((table.key(name)?.span()?, item.span()?)));
    spans.max_by_key(|(key, _)| key.start)
}

fn table_header(document: &Read<'_>, path: &[String]) -> Option<usize> {
    let (name, above) = path.split_last()?;
    let item = table(document, above)?.get(name)?;
    item.as_table().and_then(|table| table.span()).map(|span| span.start)
}

#[cfg(test)]
mod tests {
    use super::{get, set, unset};

    fn path(text: &str) -> Vec<String> {
        text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_key_is_put_in_wherever_its_table_stands() {
        for (table, before, after) in [
            ("r.c", "[r.c]\nindex = \"i\"\n[x]\n", "[r.c]\nindex = \"i\"\nkey = [1]\n[x]\n"),
            (
                "r.c",
                "[r.c]\r\nindex = \"i\" # c\r\n\r\n[x]\r\n",
                "[r.c]\r\nindex = \"i\" # c\r\nkey = [1]\r\n\r\n[x]\r\n",
            ),
            ("r.c", "[r.c]\n\tindex = \"i\"", "[r.c]\n\tindex = \"i\"\n\tkey = [1]\n"),
            ("r.c", "[r.c]\na = [\n  1,\n]\n# end\n", "[r.c]\na = [\n  1,\n]\nkey = [1]\n# end\n"),
            ("r.c", "[r.c] # mine\n[r.c.d]\na = 1\n", "[r.c] # mine\nkey = [1]\n[r.c.d]\na = 1\n"),
            ("r.c", "[r]\nc.index = \"i\"\nd.index = \"j\"\n", "[r]\nc.index = \"i\"\nc.key = [1]\nd.index = \"j\"\n"),
            ("r.c", "r.c.index = \"i\"\n[x]\n", "r.c.index = \"i\"\nr.c.key = [1]\n[x]\n"),
            ("r.c", "[r]\nc = { index = \"i\" }\n", "[r]\nc = { index = \"i\", key = [1] }\n"),
            ("", "# mine\n", "# mine\nkey = [1]\n"),
            ("", "", "key = [1]\n"),
            ("", "a = 1\n[x]\nb = 2\n", "a = 1\nkey = [1]\n[x]\nb = 2\n"),
            ("", "# mine\n[x]\nb = 2\n", "key = [1]\n# mine\n[x]\nb = 2\n"),
        ] {
            let wired = set(before, &path(table), "key", "[1]").expect(before);
            assert_eq!(wired, after);
            assert_eq!(set(&wired, &path(table), "key", "[1]").as_deref(), Ok(after), "twice is once");
            assert!(set(&wired, &path(table), "key", "[2]").is_err(), "somebody else's");
            let left = unset(&wired, &path(table), "key", "[1]").expect(&wired);
            assert_eq!(left.trim_end(), before.trim_end());
            assert_eq!(unset(&wired, &path(table), "key", "[2]").as_deref(), Ok(after), "not ours any more");
            assert_eq!(get(&wired, &path(table), "key"), Ok(Some("[1]".to_owned())));
        }
    }

    #[test]
    fn what_is_odd_is_left_alone() {
        for odd in ["[r.c", "a = ", "a = 1\na = 2\n", "\"\"\"", "[r]\nc = 7\n", "[[r.c]]\na = 1\n", ""] {
            assert!(set(odd, &path("r.c"), "key", "1").is_err(), "{odd}");
        }
    }
}
