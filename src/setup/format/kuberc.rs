//! kubectl's own preferences: which plugins it may start

use super::insert::insert;
use super::yaml::lists::{added, list, removed};
use super::yaml::{self, Item};

/// The text with this program among those that kubectl may start.
pub(in crate::setup) fn allow(text: &str, program: &str) -> Result<String, String> {
    let Some(allowed) = list(text, ALLOWED)? else {
        return Ok(insert(text, text.len(), &format!("{ALLOWED}:\n- command: {}\n", yaml::quoted(program))));
    };
    if allowed.node.items().iter().any(|item| permits(item, program)) {
        return Ok(text.to_owned());
    }
    // kubectl 1.35 has another word for it.
    let old = allowed.node.items().first().is_some_and(|item| item.node.member("name").is_some());
    let key = if old { "name" } else { "command" };
    Ok(added(text, &allowed, &format!("- {key}: {}\n", yaml::quoted(program))))
}

pub(in crate::setup) fn disallow(text: &str, program: &str) -> Result<String, String> {
    let Some(allowed) = list(text, ALLOWED)? else { return Ok(text.to_owned()) };
    let item = allowed.node.items().iter().find(|item| permits(item, program));
    Ok(item.map_or_else(|| text.to_owned(), |item| removed(text, &allowed, item)))
}

/// Which plugins kubectl may start: `AllowAll`, `DenyAll`, `Allowlist`.
pub(in crate::setup) fn policy(text: &str) -> Result<Option<String>, String> {
    Ok(yaml::read(text)?.text(&["credentialPluginPolicy"]).map(str::to_owned))
}

const ALLOWED: &str = "credentialPluginAllowlist";

fn permits(item: &Item, program: &str) -> bool {
    ["command", "name"].iter().any(|key| item.node.text(&[key]) == Some(program))
}

#[cfg(test)]
mod tests {
    use super::{allow, disallow};

    #[test]
    fn a_program_is_permitted_as_those_before_it() {
        let head = "kind: Preference\ncredentialPluginPolicy: Allowlist\n";
        for (before, after) in [
            ("", "credentialPluginAllowlist:\n- command: /opt/hallpass\n"),
            (
                "credentialPluginAllowlist:\n  - name: x\n",
                "credentialPluginAllowlist:\n  - name: x\n  - name: /opt/hallpass\n",
            ),
            (
                "credentialPluginAllowlist:\n- command: x",
                "credentialPluginAllowlist:\n- command: x\n- command: /opt/hallpass\n",
            ),
        ] {
            let after = format!("{head}{after}");
            assert_eq!(allow(&format!("{head}{before}"), "/opt/hallpass").as_ref(), Ok(&after));
            assert_eq!(allow(&after, "/opt/hallpass").as_ref(), Ok(&after), "twice is once");
            assert!(!disallow(&after, "/opt/hallpass").expect("a list").contains("hallpass"));
        }
    }
}
