//! Tools that take a line or two for each host

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::wires::{Edit, Link, Wires, Wiring};
use crate::failure::{fail, fail_hint};
use crate::paths::set;

/// docker and its kin: the registry's helper, by the end of its program's name.
pub(super) fn docker(wires: &Wires<'_>) -> Result<Wiring> {
    let folder = set("DOCKER_CONFIG").map_or_else(|| home(".docker"), |folder| Ok(PathBuf::from(folder)))?;
    let member = |host: String| Edit::Member { path: vec!["credHelpers".into(), host], value: "\"hallpass\"".into() };
    Ok(Wiring {
        file: folder.join("config.json"),
        edits: hosts(wires, "docker")?.into_iter().map(member).collect(),
        link: Some(Link { name: "docker-credential-hallpass", folder: None }),
    })
}

/// Terraform: a helper for every host; there can be only one.
pub(super) fn terraform(wires: &Wires<'_>) -> Result<Wiring> {
    let file = set("TF_CLI_CONFIG_FILE").map_or_else(|| home(".terraformrc"), |file| Ok(PathBuf::from(file)))?;
    let body = if wires.accounts.is_empty() { "" } else { "credentials_helper \"hallpass\" {\n  args = []\n}\n" };
    Ok(Wiring {
        file,
        edits: vec![Edit::block(body, Some("credentials_helper"))],
        link: Some(Link { name: "terraform-credentials-hallpass", folder: Some(home(".terraform.d/plugins")?) }),
    })
}

/// Vault and OpenBao: one path without arguments.
pub(super) fn vault(wires: &Wires<'_>) -> Result<Wiring> {
    let line = |program: &str| format!("token_helper = \"{program}\"\n");
    Ok(Wiring {
        file: home(".vault")?,
        edits: vec![Edit::block(&wires.line(line), Some("token_helper"))],
        link: Some(Link { name: "hallpass-vault", folder: None }),
    })
}

/// bazel: one path without arguments, for each host.
pub(super) fn bazel(wires: &Wires<'_>) -> Result<Wiring> {
    let mut body = String::new();
    for host in hosts(wires, "bazel")? {
        let host = host.split(':').next().unwrap_or_default().to_owned(); // bazel knows hosts without their port
        body += &wires.line(|program| format!("common --credential_helper={host}={program}\n"));
    }
    Ok(Wiring {
        file: home(".bazelrc")?,
        edits: vec![Edit::block(&body, None)],
        link: Some(Link { name: "hallpass-bazel", folder: None }),
    })
}

/// pnpm: one path without arguments, for each registry.
pub(super) fn pnpm(wires: &Wires<'_>) -> Result<Wiring> {
    let mut body = String::new();
    for place in places(wires, "pnpm")? {
        let path = place.path.as_deref().unwrap_or_default().trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let host = authority(&place);
        body += &wires.line(|program| format!("//{host}/{path}{slash}:tokenHelper={program}\n"));
    }
    Ok(Wiring {
        file: home(".npmrc")?,
        edits: vec![Edit::block(&body, None)],
        link: Some(Link { name: "hallpass-npm", folder: None }),
    })
}

/// The go command: what it asks for headers; `netrc` is what it asks when nothing is set.
pub(super) fn go(wires: &Wires<'_>) -> Result<Wiring> {
    let config = set("XDG_CONFIG_HOME").map_or_else(|| home(".config"), |folder| Ok(PathBuf::from(folder)))?;
    let file = set("GOENV").map_or_else(|| config.join("go/env"), PathBuf::from);
    let body =
        if wires.accounts.is_empty() { String::new() } else { format!("GOAUTH={} goauth;netrc\n", wires.program) };
    if wires.program.contains(' ') {
        return Err(fail(Exit::Config, format!("go cannot start `{}`, which has a space in its path", wires.program)));
    }
    Ok(Wiring { file, edits: vec![Edit::block(&body, Some("GOAUTH="))], link: None })
}

fn home(path: &str) -> Result<PathBuf> {
    let home = std::env::home_dir().ok_or_else(|| fail(Exit::Config, "no home folder: HOME is not set"))?;
    Ok(home.join(path))
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
    let mut hosts: Vec<_> = places(wires, tool)?.iter().map(authority).collect();
    hosts.sort();
    hosts.dedup();
    Ok(hosts)
}

/// `host`, or `host:port` where the port is not the scheme's own.
fn authority(place: &Place) -> String {
    let usual = matches!((place.scheme.as_str(), place.port), ("https", 443) | ("http", 80));
    if usual { place.host.clone() } else { format!("{}:{}", place.host, place.port) }
}
