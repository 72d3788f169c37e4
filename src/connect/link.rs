//! What a backend tells of platforms and links, made safe for a terminal

use serde::Serialize;
use serde_json::Value;

use crate::provider::Connect;
use crate::shown::shown;

/// A link, as the backend reports it. Never a token: only these fields are read.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    pub(crate) id: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) revoked_at: Option<String>,
}

/// A platform that the backend knows.
#[derive(Debug, Serialize)]
pub(crate) struct Platform {
    pub(crate) name: String,
    /// Whether it can be linked now.
    pub(crate) configured: bool,
}

/// What `connect --list` shows.
#[derive(Debug, Serialize)]
pub(crate) struct Links {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) links: Vec<Link>,
}

impl Link {
    pub(super) fn of(row: &Connect, value: &Value, platform: Option<&str>) -> Self {
        let field = |name| text(value, row.field(name)).map(|text| shown(&text));
        Self {
            id: field("id"),
            platform: field("platform").or_else(|| platform.map(str::to_owned)),
            account: field("account"),
            organization: field("organization"),
            revoked_at: field("revoked_at"),
        }
    }

    /// What was linked, on one line.
    pub(crate) fn words(&self) -> String {
        let part =
            |before: &str, text: &Option<String>| text.as_ref().map_or(String::new(), |text| format!("{before}{text}"));
        let platform = self.platform.as_deref().unwrap_or("a platform");
        let (account, organization) = (part(" as ", &self.account), part(" to the organization ", &self.organization));
        format!("`{platform}` is linked{account}{organization}{}; kept by the backend", part(", link ", &self.id))
    }

    fn line(&self) -> String {
        let column = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let revoked = self.revoked_at.as_ref().map_or(String::new(), |when| format!("  revoked {when}"));
        let (id, platform) = (column(&self.id), column(&self.platform));
        format!("{id}  {platform}  {}  {}{revoked}", column(&self.account), column(&self.organization))
    }
}

impl Platform {
    /// An object with a name, or the name alone.
    pub(super) fn of(row: &Connect, value: &Value) -> Option<Self> {
        let name = value.as_str().map(str::to_owned).or_else(|| text(value, row.field("name")))?;
        let configured = at(value, row.field("configured")).and_then(Value::as_bool).unwrap_or(true);
        Some(Self { name: shown(&name), configured })
    }

    fn line(&self) -> String {
        format!("{}  {}", self.name, if self.configured { "can be linked" } else { "not configured at the backend" })
    }
}

impl Links {
    /// The platforms, then the links.
    pub(crate) fn lines(&self) -> Vec<String> {
        let indent = |line: String| format!("  {line}");
        let platforms = self.platforms.iter().map(Platform::line).map(indent);
        let title = if self.platforms.is_empty() { "the backend names no platforms" } else { "platforms" };
        let mut lines: Vec<_> = std::iter::once(title.to_owned()).chain(platforms).collect();
        let links = self.links.iter().map(Link::line).map(indent);
        lines.extend(std::iter::once(if self.links.is_empty() { "no links" } else { "links" }.to_owned()).chain(links));
        lines
    }
}

/// A field, or a field of an object: `error.message`.
pub(super) fn at<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(value, |value, key| value.get(key))
}

/// A field that is text or a number.
pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    match at(value, name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A list: in a field, or the whole answer.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value.as_array().or_else(|| at(value, name)?.as_array());
    list.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::{Link, Links, Platform, items, text};
    use crate::provider::Connect;
    use serde_json::json;

    #[test]
    fn what_a_backend_says_cannot_drive_a_terminal() {
        let value = json!({"id": 7, "account": "a\u{1b}]0;x\u{7}", "organization": "Müller", "access_token": "T"});
        let words = Link::of(&Connect::default(), &value, Some("github")).words();
        assert!(!words.contains(['\u{1b}', '\u{7}', 'T']), "{words}");
        assert!(words.contains("`github` is linked as a") && words.contains("Müller, link 7"), "{words}");
    }

    #[test]
    fn lists_in_both_spellings() {
        let row = Connect::default();
        for answer in [json!(["github"]), json!({"platforms": [{"name": "github"}]})] {
            let found: Vec<_> =
                items(&answer, "platforms").iter().filter_map(|item| Platform::of(&row, item)).collect();
            assert_eq!(
                Links { platforms: found, links: vec![] }.lines(),
                ["platforms", "  github  can be linked", "no links"]
            );
        }
        assert_eq!(text(&json!({"error": {"message": "no"}}), "error.message").as_deref(), Some("no"));
    }
}
