//! Which account answers a request
//!
//! A request that names a place is answered only by an account that serves it; `--account`, the user name and the
//! default choose among those and never widen the choice. Exact host before wildcard, then the longest path, then
//! the user name asked for, then the default account; a remaining tie is nobody's.

use hallpass_protocol::place::{Pattern, Place, Rank};
use hallpass_protocol::talk::Exit;
use hallpass_protocol::talk::{Failure, Target};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::shown::shown;

/// One entry of an account's `serves`, with what a hit needs of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) pattern: String,
    pub(crate) account: Account,
    /// It is the default account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) default: bool,
    /// There is a sealed record of it: an unsealed one is not believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sealed: bool,
}

/// The answer: an account, or why there is none.
#[derive(Debug)]
pub(crate) enum Choice {
    Account(Box<Rule>),
    /// Not ours; with words where a person might have expected otherwise.
    Missing(Option<Failure>),
}

/// Chooses among the rules that could cover a place.
pub(crate) fn for_place(rules: Vec<Rule>, place: &Place, named: Option<&str>, username: Option<&str>) -> Choice {
    if !place.may_carry_a_token() {
        return Choice::Missing(None);
    }
    let mut pathless = false;
    let mut best: Vec<(Rank, Rule)> = Vec::new();
    for rule in rules.into_iter().filter(|rule| named.is_none_or(|named| rule.account.name == named)) {
        let Ok(pattern) = Pattern::parse(&rule.pattern) else { continue };
        match pattern.covers(place) {
            Some(rank) => best.push((rank, rule)),
            None if pattern.needs_a_path() && place.path.is_none() => pathless = true,
            None => {}
        }
    }
    let Some(top) = best.iter().map(|(rank, _)| *rank).max() else {
        let hint = "`git config --global credential.useHttpPath true` makes git send the path; for other tools, `serves` \
                    needs the whole host";
        let what = format!("{place}: an account serves only some paths there, and the tool sent none");
        return Choice::Missing(pathless.then(|| Failure::new(Exit::Missing, what).hint(hint)));
    };
    let mut best: Vec<Rule> = best.into_iter().filter(|(rank, _)| *rank == top).map(|(_, rule)| rule).collect();
    best.dedup_by(|a, b| a.account.name == b.account.name);
    if best.len() > 1 {
        // Only one of several can be meant by a user name; a sole account answers whatever name the URL has.
        if best.iter().any(|rule| Some(rule.account.username.as_str()) == username) {
            best.retain(|rule| Some(rule.account.username.as_str()) == username);
        }
        if best.len() > 1 && best.iter().any(|rule| rule.default) {
            best.retain(|rule| rule.default);
        }
    }
    match best.len() {
        1 => Choice::Account(Box::new(best.swap_remove(0))),
        _ => {
            let names: Vec<_> = best.iter().map(|rule| format!("`{}`", rule.account.name)).collect();
            let what = format!("{place}: the accounts {} serve it alike", names.join(" and "));
            let hint = "choose with `--account NAME`, a user name in the URL, or `hallpass accounts use NAME`";
            Choice::Missing(Some(Failure::new(Exit::Missing, what).hint(hint)))
        }
    }
}

/// The account's name for a request without a place: named, else the default. `None` is the default.
pub(crate) fn by_name<'a>(target: &'a Target, named: Option<&'a str>) -> Result<Option<&'a str>, Failure> {
    match (target, named) {
        (Target::Account(asked), Some(named)) if asked != named => {
            let what = format!(
                "`{}` was asked for, but `--account` or HALLPASS_ACCOUNT says `{}`",
                shown(asked),
                shown(named)
            );
            Err(Failure::new(Exit::Missing, what))
        }
        (Target::Account(asked), _) => Ok(Some(asked)),
        (_, named) => Ok(named),
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Rule, for_place};
    use crate::account::Account;
    use hallpass_protocol::place::Place;

    fn rule(name: &str, pattern: &str, username: &str, default: bool) -> Rule {
        let account = Account { username: username.into(), ..Account::new(name) };
        Rule { pattern: pattern.into(), account, default, sealed: false }
    }

    fn chosen(rules: &[Rule], url: &str, named: Option<&str>, username: Option<&str>) -> Option<String> {
        let place = Place::from_url(url).expect(url);
        match for_place(rules.to_vec(), &place, named, username) {
            Choice::Account(rule) => Some(rule.account.name),
            Choice::Missing(_) => None,
        }
    }

    #[test]
    fn the_order_is_total() {
        let rules = [
            rule("wild", "https://*.example.com", "oauth2", true),
            rule("host", "https://git.example.com", "oauth2", false),
            rule("team", "https://git.example.com/team", "alice", false),
            rule("bob", "https://git.example.com/team", "bob", false),
        ];
        assert_eq!(chosen(&rules, "https://x.example.com", None, None).as_deref(), Some("wild"));
        assert_eq!(chosen(&rules, "https://git.example.com/other", None, None).as_deref(), Some("host"));
        assert_eq!(chosen(&rules, "https://git.example.com/team/x", None, Some("bob")).as_deref(), Some("bob"));
        assert_eq!(chosen(&rules, "https://git.example.com/team/x", None, None), None, "a tie is nobody's");
        assert_eq!(chosen(&rules, "https://git.example.com/team/x", Some("team"), None).as_deref(), Some("team"));
    }

    #[test]
    fn a_name_never_widens() {
        let rules = [rule("work", "https://git.example.com", "oauth2", true)];
        assert_eq!(chosen(&rules, "https://evil.example", Some("work"), None), None);
        assert_eq!(chosen(&rules, "https://git.example.com", Some("other"), None), None);
        assert_eq!(chosen(&rules, "https://git.example.com", None, Some("alice")).as_deref(), Some("work"));
    }
}
