//! `setup kubectl`: which user gets the plugin, in which of kubectl's files, and what kubectl itself makes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::runs::has;
use crate::setup_files::{us, world};
use crate::world::World;

fn exec(indent: &str) -> String {
    let lines = format!(
        "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: {}\n  args: [kubectl, --account, work]\n  \
         interactiveMode: IfAvailable\n  provideClusterInfo: false\n  \
         installHint: \"hallpass is not on PATH: cargo install hallpass, then hallpass login\"\n",
        us()
    );
    lines.lines().map(|line| format!("{indent}{line}\n")).collect()
}

fn put(world: &World, name: &str, text: &str) {
    let path = world.path("home/.kube").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn get(world: &World, name: &str) -> Option<String> {
    fs::read_to_string(world.path("home/.kube").join(name)).ok()
}

fn config(users: &str, contexts: &[(&str, &str, &str)]) -> String {
    let clusters = "clusters:\n- name: prod\n  cluster:\n    server: https://k8s.example.com:6443\n\
                    - cluster:\n    # theirs\n    server: https://other.example.com\n  name: other\n";
    let contexts = contexts
        .iter()
        .map(|(name, cluster, user)| format!("- context:\n    cluster: {cluster}\n    user: {user}\n  name: {name}\n"));
    format!("# mine\napiVersion: v1\n{clusters}contexts:\n{}kind: Config\n{users}", contexts.collect::<String>())
}

#[test]
fn the_user_of_a_served_cluster_gets_the_plugin() {
    let world = world();
    let own = format!("- name: hallpass-work\n  user:\n{}", exec("    "));
    let me = format!("- name: me\n  user:\n{}", exec("    "));
    let context = [("prod", "prod", "me")];
    for (contexts, users, wired, says) in [
        // Not there yet, there without a credential, and in another's indentation.
        (&context[..], "", format!("users:\n{me}"), None),
        (&context, "users: []\n", format!("users:\n{me}"), None),
        (&context, "users:\n- name: me\n  user: {}\n", format!("users:\n{me}"), None),
        (
            &context,
            "users:\n  - user:\n      as: x # y\n    name: me",
            format!("users:\n  - user:\n      as: x # y\n{}    name: me", exec("      ")),
            None,
        ),
        // With one, it keeps that.
        (
            &context,
            "users:\n- name: me\n  user:\n    token: x\n",
            format!("users:\n- name: me\n  user:\n    token: x\n{own}"),
            Some("set-context prod --user=hallpass-work"),
        ),
        (
            &context,
            "users:\n- name: me\n  user: {token: x}\n",
            format!("users:\n- name: me\n  user: {{token: x}}\n{own}"),
            Some("set-context prod --user=hallpass-work"),
        ),
        // Its token would go to the other cluster too.
        (
            &[("prod", "prod", "me"), ("other", "other", "me")],
            "users: []\n",
            format!("users:\n{own}"),
            Some("set-context prod --user=hallpass-work"),
        ),
        (
            &[("other", "other", "me")],
            "",
            format!("users:\n{own}"),
            Some("set-context prod --cluster=prod --user=hallpass-work"),
        ),
    ] {
        let before = config(users, contexts);
        put(&world, "config", &before);
        let done = world.run(&["setup", "kubectl"]).expect(0).says(&["is written"]);
        assert!(says.is_none_or(|says| done.err.contains(says)), "{done:?}");
        assert_eq!(done.err.contains("set-context"), says.is_some(), "{done:?}");
        assert_eq!(get(&world, "config"), Some(config(&wired, contexts)));
        world.run(&["setup", "kubectl"]).expect(0).says(&["says so already"]);
        assert_eq!(get(&world, "config"), Some(config(&wired, contexts)), "twice is once");
        world.run(&["unsetup", "kubectl"]).expect(0);
        assert_eq!(get(&world, "config"), Some(before), "byte for byte");
    }
}

#[test]
fn a_new_file_is_private_and_a_list_of_files_is_searched() {
    let mut world = world();
    world.run(&["setup", "kubectl"]).expect(0).says(&["set-context NAME --user=hallpass-work"]);
    let wired = get(&world, "config").unwrap();
    assert_eq!(
        wired,
        format!("apiVersion: v1\nkind: Config\nusers:\n- name: hallpass-work\n  user:\n{}", exec("    "))
    );
    let mode = fs::metadata(world.path("home/.kube/config")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Wired there, it stays so when another one is.
    put(&world, "second", &config("", &[("prod", "prod", "me")]));
    let list = ["first", "second"].map(|name| world.path("home/.kube").join(name).display().to_string()).join(":");
    world.set("KUBECONFIG", list);
    world.run(&["setup", "kubectl"]).expect(0);
    assert!(get(&world, "first").is_none() && get(&world, "second").unwrap().contains("name: me"));
    let listed = world.run(&["setup", "--list"]).expect(0).out;
    assert!(listed.contains("/second`, `"), "{listed}");
    world.unset("KUBECONFIG");
    world.run(&["unsetup", "kubectl"]).expect(0);
    assert_eq!(get(&world, "config"), None);
    assert_eq!(get(&world, "second"), Some(config("", &[("prod", "prod", "me")])));
}

#[test]
fn what_cannot_be_changed_for_certain_is_left_alone() {
    let world = world();
    let taken = "- {name: theirs, context: {cluster: other, user: hallpass-work}}\n- {name: also, context: {cluster: other, user: x}}\n";
    for (odd, words) in [
        ("{\"kind\": \"Config\", \"users\": []}", "JSON"),
        ("kind: Config\nusers: &all\n- name: x\n", "line 2"),
        ("kind: Config\nusers:\n\t- name: x\n", "line 3"),
        ("kind: Config\n---\nkind: Config\n", "line 2"),
        ("kind: Config\nusers: [{name: x}]\n", "`users`"),
        ("clusters:\n- name: a\n  cluster:\n    server: https://other.example.com\n", "serves"),
        // What we wired is taken elsewhere by now, on one line: the token would go along.
        (
            &config("", &[("prod", "prod", "x")]).replace("contexts:\n", &format!("contexts:\n{taken}")),
            "context theirs",
        ),
    ] {
        put(&world, "config", odd);
        world.run(&["setup", "kubectl"]).refused(&[10], &["/.kube/config", words, "hint"]);
        assert_eq!(get(&world, "config").as_deref(), Some(odd), "untouched");
    }
}

#[test]
fn a_list_of_permitted_plugins_gets_one_more() {
    let world = world();
    let head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\naliases: []\n";
    let before = format!("{head}credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: /opt/other");
    put(&world, "config", &config("", &[("prod", "prod", "me")]));
    put(&world, "kuberc", &before);
    let shown = world.run(&["setup", "kubectl", "--dry-run"]).expect(0).out;
    assert!(shown.contains("/.kube/config:\n") && shown.contains("/.kube/kuberc:\n"), "{shown}");
    world.run(&["setup", "kubectl"]).expect(0);
    assert_eq!(get(&world, "kuberc"), Some(format!("{before}\n- command: {}\n", us())));
    // Somebody goes on below it, in both.
    put(&world, "kuberc", &format!("{}- command: x\n", get(&world, "kuberc").unwrap()));
    world.run(&["setup", "kubectl"]).expect(0).says(&["kuberc` says so already", "config` says so already"]);
    world.run(&["unsetup", "kubectl"]).expect(0);
    assert_eq!(get(&world, "kuberc"), Some(format!("{before}\n- command: x\n")));
    assert_eq!(get(&world, "config"), Some(config("", &[("prod", "prod", "me")])));
    // Where nothing is restricted nothing is to be permitted; where all is forbidden that is said.
    put(&world, "kuberc", head);
    world.run(&["setup", "kubectl"]).expect(0);
    assert_eq!(get(&world, "kuberc").as_deref(), Some(head));
    put(&world, "kuberc", &format!("{head}credentialPluginPolicy: DenyAll\n"));
    world.run(&["setup", "kubectl"]).expect(0).says(&["DenyAll"]);
}

/// kubectl writes its file anew: sorted, without comments, long words broken over lines.
#[test]
fn kubectl_reads_it_and_may_write_it_anew() {
    if !has("kubectl") {
        return;
    }
    let world = world();
    put(&world, "config", &config("users: []\n", &[("prod", "prod", "me")]));
    world.run(&["setup", "kubectl"]).expect(0);
    let command = "{.users[0].user.exec.command} {.users[0].user.exec.args}";
    let read = world.sh(&format!("kubectl config view -o jsonpath='{command}'")).expect(0).out;
    assert_eq!(read, format!("{} [\"kubectl\",\"--account\",\"work\"]", us()));
    world.sh("kubectl config set-context another --cluster=other --user=they").expect(0);
    let rewritten = get(&world, "config").unwrap();
    assert!(!rewritten.contains("# mine") && rewritten.contains("- kubectl\n"), "{rewritten}");
    world.run(&["setup", "kubectl"]).expect(0).says(&["says so already"]);
    assert_eq!(get(&world, "config").as_ref(), Some(&rewritten));
    world.run(&["unsetup", "kubectl"]).expect(0);
    let left = get(&world, "config").unwrap();
    assert!(!left.contains("exec") && left.contains("name: another"), "{left}");
    assert_eq!(world.sh("kubectl config get-users").expect(0).out.trim(), "NAME");
}
