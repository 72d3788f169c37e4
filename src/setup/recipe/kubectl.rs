//! kubectl: a plugin for the users of each cluster that an account serves
//!
//! A plugin's token goes to whatever cluster its user is taken for. So a user that a kubeconfig takes to other clusters too,
//! or that has a credential of its own, stays as it is, and another one is added beside it.

use std::path::PathBuf;

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use super::super::edit::Edit;
use super::super::format::kubeconfig::{self, Context, Kubeconfig};
use super::super::format::{kuberc, yaml};
use super::super::wires::{Sheet, Wires, Wiring, home};
use super::unreadable;
use crate::failure::fail_hint;
use crate::paths::set;

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let file = file()?;
    let text = (wires.texts)(&file)?;
    let config = kubeconfig::read(&text).map_err(|why| unreadable(&file, &why))?;
    let mut plan = Plan { wires, config, wiring: Wiring::of(file, Vec::new()) };
    plan.wiring.sheets[0].private = true;
    if !wires.accounts.is_empty() {
        plan.clusters()?;
        plan.kuberc()?;
    }
    Ok(plan.wiring)
}

struct Plan<'a> {
    wires: &'a Wires<'a>,
    config: Kubeconfig,
    wiring: Wiring,
}

impl Plan<'_> {
    fn clusters(&mut self) -> Result<()> {
        let mut served = Vec::new();
        for (cluster, server) in &self.config.clusters {
            if let Ok(place) = Place::from_url(server)
                && let Some(account) = self.wires.serving(&place)?
            {
                served.push((cluster.clone(), account.account.name.clone()));
            }
        }
        if served.is_empty() {
            if let Some((cluster, _)) = self.config.clusters.first() {
                let file = self.wiring.sheets[0].file.display();
                let what = format!("`{file}` has no cluster whose server an account serves: not `{cluster}`");
                return Err(fail_hint(Exit::Config, what, "add the server to `serves` in `config.toml`"));
            }
            let account = self.wires.sole("kubectl")?.account.name.clone();
            let user = self.own_user(&account);
            self.wiring.says.push(format!("a context uses it with `kubectl config set-context NAME --user={user}`"));
        }
        for (cluster, account) in &served {
            let here = |context: &&Context| context.cluster == *cluster;
            let contexts: Vec<_> = self
                .config
                .contexts
                .iter()
                .filter(here)
                .map(|context| (context.name.clone(), context.user.clone()))
                .collect();
            if contexts.is_empty() {
                let user = self.own_user(account);
                let command = format!("kubectl config set-context {cluster} --cluster={cluster} --user={user}");
                self.wiring.says.push(format!("no context uses the cluster `{cluster}`: `{command}` makes one"));
            }
            for (context, user) in contexts {
                match user.filter(|user| self.is_free(user, account, &served)) {
                    Some(user) => self.plugin(&user, account),
                    None => {
                        let user = self.own_user(account);
                        let command = format!("kubectl config set-context {context} --user={user}");
                        self.wiring.says.push(format!("`{command}` has the context `{context}` use it"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a user has no credential, or ours, and goes nowhere but where this account's tokens may go.
    fn is_free(&self, user: &str, account: &str, served: &[(String, String)]) -> bool {
        let is_served = |cluster: &str| served.iter().any(|(name, by)| name == cluster && by == account);
        let others = self.config.contexts.iter().filter(|context| context.user.as_deref() == Some(user));
        let there = self.config.users.iter().find(|there| there.name == user);
        others.map(|context| context.cluster.as_str()).all(is_served)
            && there.is_none_or(|there| !there.has_credential || there.command.as_ref() == Some(&self.wires.program))
    }

    fn own_user(&mut self, account: &str) -> String {
        let user = format!("hallpass-{account}");
        self.plugin(&user, account);
        user
    }

    fn plugin(&mut self, user: &str, account: &str) {
        let words = self.wires.words(&["kubectl", "--account", account]);
        let args: Vec<_> = words[1..].iter().map(|word| yaml::quoted(word)).collect();
        let exec = format!(
            "apiVersion: client.authentication.k8s.io/v1\ncommand: {}\nargs: [{}]\ninteractiveMode: IfAvailable\n\
             provideClusterInfo: false\ninstallHint: \"hallpass is not on PATH: cargo install hallpass, then hallpass login\"\n",
            yaml::quoted(&words[0]),
            args.join(", ")
        );
        let whole = !self.config.users.iter().any(|there| there.name == user);
        let edit = Edit::User { name: user.to_owned(), exec, whole };
        let edits = &mut self.wiring.sheets[0].edits;
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }

    /// Only where plugins are restricted already: a list of our own would shut out everybody else's.
    fn kuberc(&mut self) -> Result<()> {
        let off = set("KUBECTL_KUBERC").is_some_and(|value| value == "false");
        let file = match set("KUBERC") {
            Some(file) => PathBuf::from(file),
            None => home(".kube/kuberc")?,
        };
        let text = if off || file.as_os_str() == "off" { String::new() } else { (self.wires.texts)(&file)? };
        match kuberc::policy(&text).map_err(|why| unreadable(&file, &why))?.as_deref() {
            Some("Allowlist") => {
                let edits = vec![Edit::Permit { program: self.wires.program.clone() }];
                self.wiring.sheets.push(Sheet { file, edits, private: false, check: |_| Ok(()) });
            }
            Some("DenyAll") => {
                let what =
                    format!("`{}` forbids kubectl every plugin (`credentialPluginPolicy: DenyAll`)", file.display());
                self.wiring.says.push(what);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first file of the list that is there; the first one where there is none.
fn file() -> Result<PathBuf> {
    let listed: Vec<PathBuf> = set("KUBECONFIG").map_or_else(Vec::new, |list| std::env::split_paths(&list).collect());
    let listed: Vec<_> = listed.into_iter().filter(|file| !file.as_os_str().is_empty()).collect();
    let there = listed.iter().find(|file| file.exists()).or(listed.first());
    there.cloned().map_or_else(|| home(".kube/config"), Ok)
}
