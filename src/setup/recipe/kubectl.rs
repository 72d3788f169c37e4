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
use super::super::wires::{Sheet, Wires, Wiring, home, shell_word};
use super::unreadable;
use crate::failure::fail_hint;
use crate::paths::set;
use crate::shown::shown;

pub(in crate::setup) fn wiring(wires: &Wires<'_>) -> Result<Wiring> {
    let file = file()?;
    let text = (wires.texts)(&file)?;
    let config = kubeconfig::read(&text).map_err(|why| unreadable(&file, &why))?;
    let mut served = Vec::new();
    for (cluster, server) in &config.clusters {
        if let Ok(place) = Place::from_url(server)
            && let Some(account) = wires.serving(&place)?
        {
            served.push((cluster.clone(), account.account.name.clone()));
        }
    }
    let mut plan = Plan { wires, config, served, wiring: Wiring::of(file, Vec::new()) };
    plan.wiring.sheets[0].private = true;
    if !wires.accounts.is_empty() {
        if plan.served.is_empty() {
            plan.for_later()?
        } else {
            plan.clusters()?
        }
        plan.kuberc()?;
    }
    Ok(plan.wiring)
}

struct Plan<'a> {
    wires: &'a Wires<'a>,
    config: Kubeconfig,
    /// Clusters, and the accounts that serve them.
    served: Vec<(String, String)>,
    wiring: Wiring,
}

impl Plan<'_> {
    /// There is no cluster yet: a user for those to come.
    fn for_later(&mut self) -> Result<()> {
        if let Some((cluster, _)) = self.config.clusters.first() {
            let file = self.wiring.sheets[0].file.display();
            let what = format!("`{file}` has no cluster whose server an account serves: not `{}`", word(cluster));
            return Err(fail_hint(Exit::Config, what, "add the server to `serves` in `config.toml`"));
        }
        let account = self.wires.sole("kubectl")?.account.name.clone();
        let user = self.own_user(&account)?;
        self.wiring.says.push(format!("a context uses it with `kubectl config set-context NAME --user={user}`"));
        Ok(())
    }

    fn clusters(&mut self) -> Result<()> {
        for (cluster, account) in self.served.clone() {
            let contexts = self.config.contexts.iter().filter(|context| context.cluster == cluster);
            let contexts: Vec<_> = contexts.map(|context| (context.name.clone(), context.user.clone())).collect();
            if contexts.is_empty() {
                let (user, cluster) = (self.own_user(&account)?, word(&cluster));
                let command = format!("kubectl config set-context {cluster} --cluster={cluster} --user={user}");
                self.wiring.says.push(format!("no context uses the cluster {cluster}: `{command}` makes one"));
            }
            for (context, user) in contexts {
                match user.filter(|user| self.is_free(user, &account)) {
                    Some(user) => self.plugin(&user, &account),
                    None => {
                        let (user, context) = (self.own_user(&account)?, word(&context));
                        let command = format!("kubectl config set-context {context} --user={user}");
                        self.wiring.says.push(format!("`{command}` has the context {context} use it"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a user has no credential, or ours, and goes nowhere but where this account's tokens may go.
    fn is_free(&self, user: &str, account: &str) -> bool {
        let there = self.config.users.iter().find(|there| there.name == user);
        self.leaving(user, account).is_none()
            && there.is_none_or(|there| !there.has_credential || there.command.as_ref() == Some(&self.wires.program))
    }

    /// A context that takes a user to a cluster which this account does not serve.
    fn leaving(&self, user: &str, account: &str) -> Option<&Context> {
        let is_served = |cluster: &str| self.served.iter().any(|(name, by)| name == cluster && by == account);
        let theirs = |context: &&Context| context.user.as_deref() == Some(user);
        self.config.contexts.iter().filter(theirs).find(|context| !is_served(&context.cluster))
    }

    fn own_user(&mut self, account: &str) -> Result<String> {
        let user = format!("hallpass-{account}");
        if let Some(context) = self.leaving(&user, account) {
            let (file, context) = (self.wiring.sheets[0].file.display(), word(&context.name));
            let what =
                format!("`{file}`: context {context} takes `{user}` to a cluster that `{account}` does not serve");
            let hint = format!("give it another user: `kubectl config set-context {context} --user=NAME`");
            return Err(fail_hint(Exit::Config, what, hint));
        }
        self.plugin(&user, account);
        Ok(user)
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

/// A name out of the file, as a shell wants it; what a terminal would obey is shown instead.
fn word(name: &str) -> String {
    if name.chars().any(char::is_control) { shown(name) } else { shell_word(name) }
}
