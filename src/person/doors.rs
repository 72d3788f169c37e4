//! The tools' commands, for the help alone: `main` has led a tool to its own door before this is read

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(super) enum Tool {
    /// Print a token for a script
    #[command(
        after_help = "Options: --json, --min-ttl TIME (as in 10m), --audience NAME, --resource URI, --scope SCOPE. \
                      `hallpass get -` reads git's question from stdin."
    )]
    Get(Words),
    /// Print the Authorization header line
    #[command(
        after_help = "Options: those of `get`, and --method METHOD, --dpop-nonce NONCE for a token that is bound to a key."
    )]
    Header(Words),
    /// Answer git: get, store, erase, capability; the question on stdin
    Git(Words),
    /// Answer kubectl, which asks in KUBERNETES_EXEC_INFO
    Kubectl(Words),
    /// Answer in JSON: get, store, erase; the question on stdin
    Json(Words),
    /// git's `store`
    #[command(hide = true)]
    Store(Words),
    /// git's `erase`
    #[command(hide = true)]
    Erase(Words),
    /// Answer docker and its kin: get, store, erase, list; the registry on stdin
    Docker(Words),
    /// Answer cargo, as its credential provider; JSON lines on stdin
    Cargo(Words),
    /// Answer terraform and tofu: get, store, forget and the host
    #[command(alias = "tofu")]
    Terraform(Words),
    /// Answer bazel: get; the URI on stdin
    Bazel(Words),
    /// Answer vault and bao as their token helper: get, store, erase
    #[command(alias = "bao")]
    Vault(Words),
    /// Answer the go command, which asks with the URL that was refused
    Goauth(Words),
    /// Answer the AWS tools with keys: of the account's role, or of `--role ROLE`
    Aws(Words),
    /// Answer Google's libraries with an id_token
    Google(Words),
    /// Answer pnpm's tokenHelper
    #[command(alias = "npm")]
    Pnpm(Words),
    /// Answer git's or wget's prompt; any other goes to ssh-askpass
    Askpass(Words),
    /// Answer pip and uv as the keyring program; the rest goes to the next one on PATH
    Keyring(Words),
    /// Answer the kubelet, which wants to pull an image
    Kubelet(Words),
    /// Print the XOAUTH2 response for a mail server
    Xoauth2(Words),
    /// Print the OAUTHBEARER response for a mail server
    Oauthbearer(Words),
    /// Print the headers as a JSON object
    Headers(Words),
    /// Answer NuGet, as its plugin
    Nuget(Words),
}

#[derive(Args)]
pub(super) struct Words {
    /// What the tool says
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

impl Tool {
    pub(super) fn words(&self) -> &[OsString] {
        match self {
            Self::Get(words)
            | Self::Header(words)
            | Self::Git(words)
            | Self::Kubectl(words)
            | Self::Json(words)
            | Self::Store(words)
            | Self::Erase(words)
            | Self::Docker(words)
            | Self::Cargo(words)
            | Self::Terraform(words)
            | Self::Bazel(words)
            | Self::Vault(words)
            | Self::Goauth(words)
            | Self::Aws(words)
            | Self::Google(words)
            | Self::Pnpm(words)
            | Self::Askpass(words)
            | Self::Keyring(words)
            | Self::Kubelet(words)
            | Self::Xoauth2(words)
            | Self::Oauthbearer(words)
            | Self::Headers(words)
            | Self::Nuget(words) => &words.words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tool;
    use clap::Subcommand as _;

    /// Without its line here a tool works, and `hallpass TOOL --help` knows nothing of it.
    #[test]
    fn every_tool_has_its_line() {
        let known = Tool::augment_subcommands(clap::Command::new("hallpass"));
        let names = hallpass_protocol::ALL.iter().flat_map(|protocol| protocol.names());
        // Names of programs, and an argument that only cargo gives.
        for name in names.filter(|name| !name.contains("hallpass") && !name.starts_with('-')) {
            assert!(known.find_subcommand(name).is_some(), "`{name}` has no line in src/person/doors.rs");
        }
    }
}
