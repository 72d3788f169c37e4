//! A pod's service account: the token that the kubelet renews, where it puts it, and whose it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::forms::field;
use crate::identities::{EXCHANGE, asked, get, jwt, run, world};
use crate::idp::Idp;
#[cfg(target_os = "linux")]
use crate::runs::{Done, done, has};
#[cfg(target_os = "linux")]
use crate::world::World;

/// What every pod has.
const POD: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");

/// hallpass in a pod whose `/var/run/secrets` is this folder; `None` where there are no namespaces.
#[cfg(target_os = "linux")]
fn in_pod(world: &World, secrets: &Path, args: &[&str]) -> Option<Done> {
    if !has("unshare") {
        return None;
    }
    let script = "mount -t tmpfs none /var/run && ln -s \"$SECRETS\" /var/run/secrets && exec \"$HALLPASS\" \"$@\"";
    let mut command = world.program("unshare", &[&["-rm", "sh", "-c", script, "sh"], args].concat());
    command.env_remove("HALLPASS_INTERACTIVE").env(POD.0, POD.1).env("SECRETS", secrets);
    Some(done(&mut assert_cmd::Command::from_std(command)))
}

/// Puts a token where the kubelet does: in a folder of its own, which one link names, and a second one the file.
fn project(folder: &Path, token: &str) {
    let number = fs::read_dir(folder).map_or(0, Iterator::count);
    let data = format!("..2026_{number}");
    fs::create_dir_all(folder.join(&data)).unwrap();
    fs::write(folder.join(&data).join("token"), token).unwrap();
    symlink(&data, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    let _ = symlink("..data/token", folder.join("token"));
}

#[test]
fn a_pod_s_token_is_read_anew_each_time() {
    let idp = Idp::start();
    let lines = "flow = \"token_exchange\"\nsubject_token = \"kubernetes\"\nsubject_token_file = \"token\"";
    let world = world(&idp, lines);
    get(&world, &[]).refused(&[10], &["KUBERNETES_SERVICE_HOST"]);
    get(&world, &[POD]).refused(&[10], &["token", "cannot be read"]);
    for _ in 0..2 {
        let token = jwt(&idp, "x", 300 + idp.every_call() as i64);
        fs::write(world.config_file().with_file_name("token"), format!("{token}\n")).unwrap();
        run(&world, &["login", "ci"], &[POD]).expect(0);
        assert_eq!(field(&asked(&idp), "subject_token"), Some(token.as_str()));
    }
    assert!(run(&world, &["status"], &[POD]).out.contains("Kubernetes"));
}

#[test]
fn a_projected_token_is_followed_from_one_to_the_next() {
    let idp = Idp::start();
    let folder = "flow = \"token_exchange\"\nsubject_token = \"kubernetes\"\nsubject_token_file = \"tokens/token\"";
    let world = world(&idp, folder);
    let tokens = world.config_file().with_file_name("tokens");
    for life in [300, 400] {
        let token = jwt(&idp, "hallpass", life);
        project(&tokens, &token);
        run(&world, &["login", "ci"], &[POD]).expect(0);
        assert_eq!(field(&asked(&idp), "subject_token"), Some(token.as_str()));
    }
    // One that nobody renewed is not shown.
    project(&tokens, &jwt(&idp, "hallpass", -5));
    let count = idp.count(EXCHANGE);
    run(&world, &["login", "ci"], &[POD]).refused(&[4], &["tokens/token", "expired at"]);
    assert_eq!(idp.count(EXCHANGE), count);
    assert!(idp.live_access_token(get(&world, &[POD]).expect(0).out.trim_end()), "what there was is kept");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_file_it_is_the_service_accounts_own() {
    let idp = Idp::start();
    let world = world(&idp, "flow = \"jwt_bearer\"\nsubject_token = \"kubernetes\"");
    let secrets = world.path("secrets");
    let Some(without) = in_pod(&world, &secrets, &["get", "ci"]) else { return };
    let place = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    without.refused(&[10], &[place, "cannot be read", "subject_token_file"]);
    let token = jwt(&idp, "https://kubernetes.default.svc", 300);
    project(&secrets.join("kubernetes.io/serviceaccount"), &token);
    let got = in_pod(&world, &secrets, &["get", "ci"]).unwrap().expect(0);
    assert!(idp.live_access_token(got.out.trim_end()) && got.err.is_empty(), "{got:?}");
    assert_eq!(field(&asked(&idp), "assertion"), Some(token.as_str()));
}

/// A pod is no CI by itself, for people work in pods: the account says so, by name or by the file.
#[cfg(target_os = "linux")]
#[test]
fn the_same_command_takes_a_person_on_a_laptop_and_the_pod_in_the_cluster() {
    let idp = Idp::start();
    let args = ["get", "https://git.example.com/x"];
    let ci = |subject: &str| {
        format!("[account.work.ci]\nflow = \"token_exchange\"\n{subject}\nclient_id = \"robot\"\nscope = [\"read\"]\n")
    };
    let by_name = ci("subject_token = \"kubernetes\"");
    let laptop = World::new(&idp);
    laptop.add(&by_name);
    laptop.sign_in();
    assert!(laptop.run(&["doctor", "work"]).expect(0).out.contains("a person signs in"));
    laptop.run(&args).expect(0);
    for by_file in [false, true] {
        let pod = World::new(&idp);
        let secrets = pod.path("secrets");
        let folder = secrets.join("kubernetes.io/serviceaccount");
        let file = format!("subject_token_file = \"{}\"", folder.join("token").display());
        pod.add(&if by_file { ci(&file) } else { by_name.clone() });
        let token = jwt(&idp, "hallpass", 300);
        project(&folder, &token);
        let Some(got) = in_pod(&pod, &secrets, &args) else { return };
        assert!(idp.live_access_token(got.expect(0).out.trim_end()) && pod.opened().is_empty());
        let form = asked(&idp);
        assert_eq!((field(&form, "client_id"), field(&form, "subject_token")), (Some("robot"), Some(token.as_str())));
        assert!(in_pod(&pod, &secrets, &["status"]).unwrap().out.contains("machine identity"));
    }
    // A person who works in a pod: nothing names it, and the account stays theirs.
    let person = World::new(&idp);
    person.add(&ci("subject_token = \"ci\""));
    person.sign_in();
    let count = idp.count(EXCHANGE);
    in_pod(&person, &person.path("secrets"), &args).unwrap().expect(0);
    assert_eq!(idp.count(EXCHANGE), count);
}
