//! Tools that take a line or two for each host

use std::path::{Path, PathBuf};

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::link::slashed;
use super::super::wires::{Wires, Wiring, folder, home, of_macos, usual};
use crate::failure::{fail, fail_hint};
use crate::paths::set;

/// docker and its kin: the registry's helper, by the end of its program's name.
pub(in crate::setup) fn docker(wires: &Wires<'_>) -> Result<Wiring> {
    let file = folder("DOCKER_CONFIG", ".docker", "config.json")?;
    let member = |host: String| Edit::Member { path: vec!["credHelpers".into(), host], value: "\"hallpass\"".into() };
    let edits = hosts(wires, "docker")?.into_iter().map(member).collect();
    Ok(Wiring::of(file, edits).linked(wires.link("docker-credential-hallpass", None)))
}

/// Terraform: a helper for every host; there can be only one.
pub(in crate::setup) fn terraform(wires: &Wires<'_>) -> Result<Wiring> {
    let (file, plugins) = match cfg!(windows) {
        true => (usual("terraform.rc")?, usual("terraform.d/plugins")?),
        false => (home(".terraformrc")?, home(".terraform.d/plugins")?),
    };
    let file = set("TF_CLI_CONFIG_FILE").map_or(file, PathBuf::from);
    let body = if wires.accounts.is_empty() { "" } else { "credentials_helper \"hallpass\" {\n  args = []\n}\n" };
    let link = wires.link("terraform-credentials-hallpass", Some(plugins));
    Ok(Wiring::of(file, vec![Edit::block(body, Some("credentials_helper"))]).linked(link))
}

/// Vault: one path without arguments.
pub(in crate::setup) fn vault(wires: &Wires<'_>) -> Result<Wiring> {
    token_helper(wires, &["VAULT_CONFIG_PATH"], ".vault")
}

/// OpenBao: it knows Vault's variables, and has a file of its own.
pub(in crate::setup) fn openbao(wires: &Wires<'_>) -> Result<Wiring> {
    token_helper(wires, &["BAO_CONFIG_PATH", "VAULT_CONFIG_PATH"], ".bao")
}

fn token_helper(wires: &Wires<'_>, variables: &[&str], usual: &str) -> Result<Wiring> {
    let file =
        variables.iter().find_map(|name| set(name)).map_or_else(|| home(usual), |file| Ok(PathBuf::from(file)))?;
    let link = wires.link("hallpass-vault", None);
    let body = line(wires, &link, |program| format!("token_helper = \"{program}\"\n"));
    Ok(Wiring::of(file, vec![Edit::block(&body, Some("token_helper"))]).linked(link))
}

/// bazel: one path without arguments, for each host.
pub(in crate::setup) fn bazel(wires: &Wires<'_>) -> Result<Wiring> {
    let link = wires.link("hallpass-bazel", None);
    let mut body = String::new();
    for host in hosts(wires, "bazel")? {
        let host = host.split(':').next().unwrap_or_default().to_owned(); // bazel knows hosts without their port
        body += &line(wires, &link, |program| format!("common --credential_helper={host}={program}\n"));
    }
    Ok(Wiring::of(home(".bazelrc")?, vec![Edit::block(&body, None)]).linked(link))
}

/// pnpm: one path without arguments, for each registry.
pub(in crate::setup) fn pnpm(wires: &Wires<'_>) -> Result<Wiring> {
    let link = wires.link("hallpass-npm", None);
    let mut body = String::new();
    for place in places(wires, "pnpm")? {
        let path = place.path.as_deref().unwrap_or_default().trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let host = place.authority();
        body += &line(wires, &link, |program| format!("//{host}/{path}{slash}:tokenHelper={program}\n"));
    }
    Ok(Wiring::of(home(".npmrc")?, vec![Edit::block(&body, None)]).linked(link))
}

/// The go command: what it asks for headers; `netrc` is what it asks when nothing is set.
pub(in crate::setup) fn go(wires: &Wires<'_>) -> Result<Wiring> {
    let file = match (set("GOENV"), of_macos("go/env")?) {
        (Some(file), _) => file.into(),
        (None, Some(file)) => file,
        (None, None) => usual("go/env")?,
    };
    let body =
        if wires.accounts.is_empty() { String::new() } else { format!("GOAUTH={} goauth;netrc\n", wires.program) };
    if wires.program.contains(' ') {
        return Err(fail(Exit::Config, format!("go cannot start `{}`, which has a space in its path", wires.program)));
    }
    Ok(Wiring::of(file, vec![Edit::block(&body, Some("GOAUTH="))]))
}

/// NuGet: a program of this name on PATH; it asks it about every source.
pub(in crate::setup) fn nuget(wires: &Wires<'_>) -> Result<Wiring> {
    Ok(Wiring::default().linked(wires.link("nuget-plugin-hallpass", None)))
}

/// A line that names the program, if there is anybody to answer.
fn line(wires: &Wires<'_>, link: &Path, line: impl Fn(&str) -> String) -> String {
    if wires.accounts.is_empty() { String::new() } else { line(&slashed(link.display().to_string())) }
}

/// The https places that accounts serve, without wildcards: these tools know none.
fn places(wires: &Wires<'_>, tool: &str) -> Result<Vec<Place>> {
    let all = wires.accounts.iter().flat_map(|account| account.serves);
    let places = all.filter(|place| place.starts_with("http") && !place.contains('*'));
    let places: Vec<_> = places.filter_map(|place| Place::from_url(place).ok()).collect();
    if places.is_empty() && !wires.accounts.is_empty() {
        let what = format!("no account serves a place that {tool} could ask for");
        return Err(fail_hint(Exit::Config, what, "add one to `serves` in `config.toml`"));
    }
    Ok(places)
}

fn hosts(wires: &Wires<'_>, tool: &str) -> Result<Vec<String>> {
    let mut hosts: Vec<_> = places(wires, tool)?.iter().map(Place::authority).collect();
    hosts.sort();
    hosts.dedup();
    Ok(hosts)
}
