//! git: one section for each place that an account serves

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::place::Pattern;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::wires::{Wires, Wiring, folder, home};
use crate::failure::fail_hint;
use crate::paths::set;

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let mut body = String::new();
    for account in &wires.accounts {
        for place in account.serves.iter().filter(|place| place.starts_with("http")) {
            let Ok(pattern) = Pattern::parse(place) else { continue };
            // The empty helper forgets those named before: git hands every answer to all helpers of a place.
            body += &format!("[credential {}]\n\thelper =\n\thelper = {}\n", quoted(place), quoted(&helper(wires)));
            if pattern.needs_a_path() {
                body += "\tuseHttpPath = true\n";
            }
            if account.proactive_auth {
                body += &format!("[http {}]\n\tproactiveAuth = auto\n", quoted(place));
            }
        }
    }
    if body.is_empty() && !wires.accounts.is_empty() {
        let names: Vec<_> = wires.accounts.iter().map(|account| format!("`{}`", account.account.name)).collect();
        let what = format!("{} serves no place that git could ask for", names.join(", "));
        return Err(fail_hint(Exit::Config, what, "add one to `serves` in `config.toml`"));
    }
    Ok(Wiring::of(file()?, vec![Edit::block(&body, None)]))
}

/// The file that `git config --global` writes.
fn file() -> Result<PathBuf> {
    if let Some(file) = set("GIT_CONFIG_GLOBAL") {
        return Ok(file.into());
    }
    let usual = home(".gitconfig")?;
    let other = folder("XDG_CONFIG_HOME", ".config", "git/config")?;
    Ok(if !usual.exists() && other.exists() { other } else { usual })
}

/// For a shell: `!'/opt/my tools/hallpass' git`.
fn helper(wires: &Wires<'_>) -> String {
    let word = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let config = wires.config.as_ref().map_or(String::new(), |file| format!(" --config {}", word(file)));
    format!("!{}{config} git", word(&wires.program))
}

/// As git's configuration quotes: `"` and `\` with a backslash before them.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::super::edit::Edit;
    use super::super::super::wires::{Served, Wires};
    use super::wiring;
    use crate::account::Account;
    use std::path::Path;

    #[test]
    fn one_section_for_each_place() {
        let serves = ["https://git.example.com/team".to_owned(), "smtp://mail.example.com:465".to_owned()];
        let account = Account::new("work");
        let served = Served { account: &account, serves: &serves, proactive_auth: true, has_role: false };
        let program = r#"/opt/it's "here"/hallpass"#.to_owned();
        let (data, texts) = (Path::new("/"), |_: &Path| Ok(String::new()));
        let mut wires = Wires { accounts: vec![served], default: None, program, config: None, data, texts: &texts };
        let sheets = wiring(&wires).expect("a wiring").sheets;
        let [Edit::Block { body, .. }] = sheets[0].edits.as_slice() else { panic!("no block") };
        assert_eq!(
            body,
            "[credential \"https://git.example.com/team\"]\n\thelper =\n\
             \thelper = \"!'/opt/it'\\\\''s \\\"here\\\"/hallpass' git\"\n\tuseHttpPath = true\n\
             [http \"https://git.example.com/team\"]\n\tproactiveAuth = auto\n"
        );
        wires.accounts[0].serves = &serves[1..];
        assert!(wiring(&wires).is_err());
    }
}
