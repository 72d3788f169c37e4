//! A kubeconfig: whom it would send where, and the plugin of a user

use super::insert::{cut, insert};
use super::yaml::lists::{added, column, filled, find, indented, insert_inline, line_start, list, removed};
use super::yaml::{self, Item, Node, Value};

/// What a kubeconfig says about whom it would send where.
pub(in crate::setup) struct Kubeconfig {
    /// Name and server.
    pub(in crate::setup) clusters: Vec<(String, String)>,
    pub(in crate::setup) contexts: Vec<Context>,
    pub(in crate::setup) users: Vec<User>,
}

pub(in crate::setup) struct Context {
    pub(in crate::setup) name: String,
    pub(in crate::setup) cluster: String,
    pub(in crate::setup) user: Option<String>,
}

pub(in crate::setup) struct User {
    pub(in crate::setup) name: String,
    /// The plugin that is asked.
    pub(in crate::setup) command: Option<String>,
    pub(in crate::setup) has_credential: bool,
}

/// Any other key of a user is no credential: `as` and its kin say whom to play.
const CREDENTIALS: [&str; 9] = [
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "username",
    "password",
    "auth-provider",
    "exec",
];

pub(in crate::setup) fn read(text: &str) -> Result<Kubeconfig, String> {
    let root = yaml::read(text)?;
    let list = |key: &str| root.member(key).map_or(&[] as &[Item], |member| member.node.items());
    let name = |item: &Item| item.node.text(&["name"]).map(str::to_owned);
    let cluster = |item: &Item| Some((name(item)?, item.node.text(&["cluster", "server"])?.to_owned()));
    let context = |item: &Item| {
        Some(Context {
            name: name(item)?,
            cluster: item.node.text(&["context", "cluster"])?.to_owned(),
            user: item.node.text(&["context", "user"]).map(str::to_owned).filter(|user| !user.is_empty()),
        })
    };
    let user = |item: &Item| {
        let user = item.node.member("user");
        let has = |key: &str| user.is_some_and(|user| user.node.member(key).is_some());
        Some(User {
            name: name(item)?,
            command: item.node.text(&["user", "exec", "command"]).map(str::to_owned),
            has_credential: CREDENTIALS.iter().any(|key| has(key)),
        })
    };
    Ok(Kubeconfig {
        clusters: list("clusters").iter().filter_map(cluster).collect(),
        contexts: list("contexts").iter().filter_map(context).collect(),
        users: list("users").iter().filter_map(user).collect(),
    })
}

/// The text with this plugin for this user; a user who is not there is added.
pub(in crate::setup) fn set_user(text: &str, name: &str, exec: &str) -> Result<String, String> {
    let exec = format!("exec:\n{}", indented(2, exec));
    let whole = format!("- name: {}\n  user:\n{}", yaml::quoted(name), indented(4, &exec));
    let Some(users) = list(text, "users")? else {
        let is_new = matches!(yaml::read(text)?.value, Value::Null);
        let head = if is_new { "apiVersion: v1\nkind: Config\n" } else { "" };
        return Ok(insert(text, text.len(), &format!("{head}users:\n{whole}")));
    };
    let Some(item) = find(&users, name) else { return Ok(added(text, &users, &whole)) };
    let user = item.node.member("user");
    match user.and_then(|user| user.node.member("exec")) {
        Some(there) if there.node.says(&wanted(&exec)?) => return Ok(text.to_owned()),
        Some(_) => return Err(format!("its user `{name}` has a plugin of another kind")),
        None => {}
    }
    let one_line = || Err(format!("its user `{name}` is written in one line; write it in several"));
    let columns = |node: &Node| match &node.value {
        Value::Map(members) => members.first().map(|member| column(text, member.start)),
        _ => None,
    };
    match (columns(&item.node), user) {
        _ if item.node.in_brackets => one_line(),
        (Some(column), None) => {
            Ok(insert(text, item.node.end, &indented(column, &format!("user:\n{}", indented(2, &exec)))))
        }
        (Some(column), Some(user)) => match &user.node.value {
            Value::Null | Value::Empty => Ok(filled(text, user, &indented(column + 2, &exec))),
            Value::Map(_) if !user.node.in_brackets => {
                Ok(insert(text, user.node.end, &indented(columns(&user.node).unwrap_or(column + 2), &exec)))
            }
            _ => one_line(),
        },
        (None, _) => Err("its `users` are no users".to_owned()),
    }
}

/// The text without the plugin, if it is still that one; without the user, if it is `whole`ly ours.
pub(in crate::setup) fn unset_user(text: &str, name: &str, exec: &str, whole: bool) -> Result<String, String> {
    let Some(users) = list(text, "users")? else { return Ok(text.to_owned()) };
    let Some(item) = find(&users, name) else { return Ok(text.to_owned()) };
    let Some(user) = item.node.member("user") else { return Ok(text.to_owned()) };
    let ours = wanted(&format!("exec:\n{}", indented(2, exec)))?;
    let Some(there) = user.node.member("exec").filter(|there| there.node.says(&ours)) else {
        return Ok(text.to_owned()); // somebody else's by now
    };
    if item.node.in_brackets || user.node.in_brackets {
        return Err(format!("its user `{name}` is written in one line"));
    }
    let alone = |node: &Node, keys: usize| matches!(&node.value, Value::Map(members) if members.len() == keys);
    if whole && alone(&user.node, 1) && alone(&item.node, 2) {
        return Ok(removed(text, &users, item));
    }
    let left = cut(text, line_start(text, there.start)..there.node.end);
    Ok(if alone(&user.node, 1) { insert_inline(&left, user.colon, " {}") } else { left })
}

fn wanted(exec: &str) -> Result<Node, String> {
    let mut node = yaml::read(exec)?;
    match &mut node.value {
        Value::Map(members) if members.len() == 1 => Ok(members.remove(0).node),
        _ => Err("what is to be written is no plugin".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, set_user, unset_user};

    const EXEC: &str = "apiVersion: v1\ncommand: /opt/hallpass\nargs: [kubectl, --account, work]\ninstallHint: \"it's not on PATH: # say cargo install\"\n";

    fn block(indent: usize) -> String {
        super::indented(indent, &format!("exec:\n{}", super::indented(2, EXEC)))
    }

    #[test]
    fn a_plugin_is_put_in_wherever_users_stand() {
        let new = |dash: &str| format!("{dash}- name: me\n{dash}  user:\n{}", block(dash.len() + 4));
        for (before, after, whole) in [
            ("", format!("apiVersion: v1\nkind: Config\nusers:\n{}", new("")), true),
            ("# c\nkind: Config", format!("# c\nkind: Config\nusers:\n{}", new("")), true),
            ("users: []\nkind: Config\n", format!("users:\n{}kind: Config\n", new("")), true),
            ("kind: Config\nusers: null # none", format!("kind: Config\nusers: # none\n{}", new("")), true),
            (
                "users:\n- name: a\n  user: {}\nz: 1\n",
                format!("users:\n- name: a\n  user: {{}}\n{}z: 1\n", new("")),
                true,
            ),
            (
                "users:\n  - user: {token: x}\n    name: a\n",
                format!("users:\n  - user: {{token: x}}\n    name: a\n{}", new("  ")),
                true,
            ),
            (
                "users:\n- name: me\n  user: {}\n- name: b\n",
                format!("users:\n- name: me\n  user:\n{}- name: b\n", block(4)),
                false,
            ),
            ("users:\n- name: me\n", format!("users:\n- name: me\n  user:\n{}", block(4)), false),
            (
                "users:\n- user:\n    as: x\n  name: me\n",
                format!("users:\n- user:\n    as: x\n{}  name: me\n", block(4)),
                false,
            ),
            (
                "users:\n-   name: \"me\"\n    user:\n        as: 'it''s' # c\n",
                format!("users:\n-   name: \"me\"\n    user:\n        as: 'it''s' # c\n{}", block(8)),
                false,
            ),
        ] {
            let wired = set_user(before, "me", EXEC).expect(before);
            assert_eq!(wired, after);
            assert_eq!(set_user(&wired, "me", EXEC).as_deref(), Ok(after.as_str()), "twice is once");
            assert!(set_user(&wired, "me", "command: /x\n").is_err(), "another one's");
            let left = unset_user(&wired, "me", EXEC, whole).expect(&wired);
            assert!(!left.contains("exec") && left.contains("name: me") <= !whole, "{left}");
            assert!(read(&left).is_ok(), "{left}");
            assert_eq!(unset_user(&wired, "me", "command: /x\n", whole).as_deref(), Ok(after.as_str()));
        }
        let crlf = set_user("kind: Config\r\nusers:\r\n- name: a\r\n", "me", EXEC).expect("CRLF");
        assert_eq!(crlf.matches("\r\n").count(), crlf.matches('\n').count());
    }

    /// As `kubectl config` writes it anew: sorted, every list in lines, without comments.
    #[test]
    fn it_is_known_again_in_other_clothes() {
        let theirs = "users:\n- name: me\n  user:\n    exec:\n      apiVersion: v1\n      args:\n      - kubectl\n      \
                      - --account\n      - work\n      command: /opt/hallpass\n      env: null\n      installHint: 'it''s not on PATH: \
                      # say\n        cargo install'\n";
        assert_eq!(set_user(theirs, "me", EXEC).as_deref(), Ok(theirs));
        assert_eq!(unset_user(theirs, "me", EXEC, true).as_deref(), Ok("users: []\n"));
        assert_eq!(unset_user(theirs, "me", EXEC, false).as_deref(), Ok("users:\n- name: me\n  user: {}\n"));
    }

    #[test]
    fn what_is_odd_is_left_alone() {
        for odd in [
            "{\"users\": []}",
            "users: &a\n- name: x\n",
            "users:\n\t- name: x\n",
            "a: 1\n---\nb: 2\n",
            "users: [{name: x}]\n",
            "users:\n- name: me\n  user: {token: x}\n",
            "users:\n- {name: me, user: {token: x}}\n",
            "users:\n- name: me\n  user: {token: x\n    }\n",
            "users: word\n",
            "a: b\n  c: d\n",
            "a: long\n  b: c\n",
            "a: 'long\nb: c'\n",
            "users: 1\nusers: 2\n",
            "- a\n- b\n",
            "just words",
            " users:\n",
            "a: \"open\n",
        ] {
            assert!(set_user(odd, "me", EXEC).is_err(), "{odd}");
        }
    }
}
