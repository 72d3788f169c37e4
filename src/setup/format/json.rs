//! One member of a JSON file, set or taken out; every other byte stays

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A member of an object: its name, and where its value stands in the text.
struct Member {
    name: String,
    start: usize,
    end: usize,
}

/// The text with this value (JSON itself) at this path; objects on the way are made.
pub(in crate::setup) fn set(text: &str, path: &[String], value: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Ok(format!("{}\n", inner(path, value, "\n", "  ")));
    }
    let (name, rest) = path.split_first().ok_or("there is nothing to set")?;
    let members = members(text)?;
    if let Some(Member { start, end, .. }) = members.iter().find(|member| member.name == *name) {
        let new = if rest.is_empty() { value.to_owned() } else { set(&text[*start..*end], rest, value)? };
        return Ok(format!("{}{new}{}", &text[..*start], &text[*end..]));
    }
    let open = text.find('{').ok_or(NO_OBJECT)? + 1;
    // As the first member is set off from the brace, so is ours: on a line of its own, or on the same one.
    let first = text[open..].find('"').filter(|_| !members.is_empty()).map_or("", |quote| &text[open..open + quote]);
    let unit = first.rsplit('\n').next().filter(|indent| !indent.is_empty()).unwrap_or("  ");
    let member = format!("{}: {}", quoted(name), inner(rest, value, first, unit));
    Ok(match members.last() {
        Some(last) => format!("{},{first}{member}{}", &text[..last.end], &text[last.end..]),
        None => format!("{}{member}{}", &text[..open], text[open..].trim_start()),
    })
}

/// The value at this path, as it stands there.
pub(in crate::setup) fn get<'a>(text: &'a str, path: &[impl AsRef<str>]) -> Result<Option<&'a str>, &'static str> {
    let Some((name, rest)) = path.split_first() else { return Ok(Some(text)) };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let found = members(text)?.into_iter().find(|member| member.name == name.as_ref());
    found.map_or(Ok(None), |member| get(&text[member.start..member.end], rest))
}

/// The text without the member at this path, if it still has this value.
pub(in crate::setup) fn unset(text: &str, path: &[String], value: &str) -> Result<String, &'static str> {
    let Some((name, rest)) = path.split_first() else { return Ok(text.to_owned()) };
    let members = members(text)?;
    let Some(at) = members.iter().position(|member| member.name == *name) else { return Ok(text.to_owned()) };
    let Member { start, end, .. } = members[at];
    if !rest.is_empty() {
        let inner = unset(&text[start..end], rest, value)?;
        return Ok(format!("{}{inner}{}", &text[..start], &text[end..]));
    }
    if &text[start..end] != value {
        return Ok(text.to_owned()); // somebody else's by now
    }
    let open = text.find('{').ok_or(NO_OBJECT)? + 1;
    // From the end of the one before; the first takes its comma along.
    let (from, to) = match at {
        0 => (open, members.get(1).map_or(end, |_| end + text[end..].find(',').map_or(0, |comma| comma + 1))),
        _ => (members[at - 1].end, end),
    };
    Ok(format!("{}{}", &text[..from], &text[to..]))
}

const NO_OBJECT: &str = "it is not a JSON object";

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// Objects around a value, as they stand after a member's name.
fn inner(path: &[String], value: &str, before: &str, unit: &str) -> String {
    match path.split_first() {
        None => value.to_owned(),
        Some((name, rest)) if before.contains('\n') => {
            let deeper = format!("{before}{unit}");
            format!("{{{deeper}{}: {}{before}}}", quoted(name), inner(rest, value, &deeper, unit))
        }
        Some((name, rest)) => format!("{{{}: {}}}", quoted(name), inner(rest, value, before, unit)),
    }
}

fn members(text: &str) -> Result<Vec<Member>, &'static str> {
    struct Object<'a>(&'a str);
    impl<'de> Visitor<'de> for Object<'de> {
        type Value = Vec<Member>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                let start = value.get().as_ptr() as usize - self.0.as_ptr() as usize;
                members.push(Member { name, start, end: start + value.get().len() });
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Object(text)).map_err(|_| NO_OBJECT)?;
    reader.end().map_err(|_| NO_OBJECT)?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::{set, unset};

    fn path(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_member_is_set_and_taken_out_and_the_rest_stays() {
        let helper = path(&["credHelpers", "reg.example.com"]);
        for (before, after) in [
            ("", "{\n  \"credHelpers\": {\n    \"reg.example.com\": \"hallpass\"\n  }\n}\n"),
            ("{}", "{\"credHelpers\": {\"reg.example.com\": \"hallpass\"}}"),
            (
                "{\n\t\"auths\": {\"x\": {}}\n}\n",
                "{\n\t\"auths\": {\"x\": {}},\n\t\"credHelpers\": {\n\t\t\"reg.example.com\": \"hallpass\"\n\t}\n}\n",
            ),
            ("{\"a\":1}", "{\"a\":1,\"credHelpers\": {\"reg.example.com\": \"hallpass\"}}"),
            (
                "{ \"credHelpers\": { \"other\": \"x\" } }",
                "{ \"credHelpers\": { \"other\": \"x\", \"reg.example.com\": \"hallpass\" } }",
            ),
            (
                "{\"credHelpers\": {\"reg.example.com\": \"old\"}, \"z\": [1, 2]}",
                "{\"credHelpers\": {\"reg.example.com\": \"hallpass\"}, \"z\": [1, 2]}",
            ),
        ] {
            let wired = set(before, &helper, "\"hallpass\"").expect(before);
            assert_eq!(wired, after);
            assert_eq!(set(&wired, &helper, "\"hallpass\"").as_deref(), Ok(after), "twice is once");
            let out = unset(&wired, &helper, "\"hallpass\"").expect(&wired);
            let value: serde_json::Value = serde_json::from_str(&out).expect(&out);
            assert!(value["credHelpers"].get("reg.example.com").is_none(), "{out}");
            assert_eq!(unset(&wired, &helper, "\"other\"").as_deref(), Ok(after), "not ours any more");
        }
        for odd in ["[]", "{", "{} x", "// comment\n{}", "7"] {
            assert!(set(odd, &helper, "1").is_err(), "{odd}");
        }
        assert!(set("{\"credHelpers\": 7}", &helper, "1").is_err());
    }

    #[test]
    fn the_first_of_several_takes_its_comma_along() {
        assert_eq!(unset("{\"a\": 1, \"b\": 2}", &path(&["a"]), "1").as_deref(), Ok("{ \"b\": 2}"));
        assert_eq!(unset("{\"a\": 1, \"b\": 2}", &path(&["b"]), "2").as_deref(), Ok("{\"a\": 1}"));
        assert_eq!(unset("{\"a\": 1}", &path(&["a"]), "1").as_deref(), Ok("{}"));
    }
}
