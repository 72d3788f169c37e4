//! The command line: what a person can type, and its help

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hallpass_protocol::talk::{Exit, Failure};

use super::doors::Tool;

const AFTER_HELP: &str = "\
Tools:
  hallpass git get|store|erase      git's credential helper:  git config --global credential.helper '!hallpass git'
  hallpass kubectl                  a kubeconfig's exec plugin
  hallpass get [ACCOUNT|URL]        the token on one line:    TOKEN=$(hallpass get) || exit
  hallpass header [ACCOUNT|URL]     the header line:          hallpass header | curl -H @- https://...
  hallpass json get|store|erase     JSON on stdin and stdout
  hallpass store|erase              git's key=value on stdin
  hallpass docker|cargo|terraform|bazel|vault|goauth|aws|google|pnpm|askpass|keyring|kubelet|nuget|xoauth2|oauthbearer|headers
                                    the helpers of other tools; `hallpass link DIR` makes the names they look for

Examples:
  hallpass login https://git.example.com --issuer https://id.example.com --client-id my-client
  hallpass status
  TOKEN=$(hallpass get work)

Exit codes: 0 answered, 2 usage, 3 no account or credential for this, 4 sign in first, 5 sign-in denied or abandoned,
6 network or server, 7 store, 8 waited too long, 9 refused for safety, 10 configuration, 129/130/143 interrupted";

const LOGIN_HELP: &str = "\
Providers:
  auth0 authentik autocom aws-identity-center azure-devops bitbucket bitbucket-data-center codeberg dex docker-hub entra
  forgejo gitea github github-enterprise gitlab google hcp-terraform huggingface hydra keycloak okta sourcegraph warmhub
  whet zitadel

Examples:
  hallpass login github --client-id ID
  hallpass login gitlab --api-url https://gitlab.example.com --client-id ID
  hallpass login https://k8s.example.com:6443 --provider dex --api-url https://dex.example.com --client-id ID";

const EXEC_HELP: &str = "\
Without `-e`, the variable is the one in which the programs of the account's provider look for a token.
The command takes hallpass's place: its signals and its exit code are its own.

Example:
  hallpass exec -e GITLAB_TOKEN=work -- glab mr list";

/// Sign in once; every tool that can ask a helper for a credential gets a fresh one.
#[derive(Parser)]
#[command(name = "hallpass", bin_name = "hallpass", version, after_help = AFTER_HELP)]
pub(super) struct Cli {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The account, where several could be meant
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// The environment of a provider, where an account has several
    #[arg(long, visible_alias = "base-url", visible_short_alias = 'u', global = true, value_name = "URL")]
    pub(super) api_url: Option<String>,
    /// The tenant, for providers that have them
    #[arg(long, global = true, value_name = "SLUG")]
    pub(super) tenant: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Sign in to an account, or to a new one for a URL or of a provider
    #[command(after_help = LOGIN_HELP)]
    Login(Login),
    /// Revoke the session at the server and forget it
    Logout(Logout),
    /// Every account: signed in or not, until when, kept where (offline)
    Status(Shown),
    /// Who is signed in (offline)
    Whoami(Shown),
    /// List the accounts, or choose the default one
    Accounts(Accounts),
    /// Which account answers a tool for a place, and why (offline)
    Why {
        /// git, docker, cargo, kubectl, get, ...
        tool: String,
        /// The place
        url: String,
    },
    /// What is wrong, and the next command for each
    Doctor(Named),
    /// Personal access tokens: create, list, revoke
    Token(Token),
    /// Link an account of another platform: the provider's backend keeps its tokens
    Connect(Connect),
    /// List the tenants of the account, or choose one
    Tenants(Tenants),
    /// Write what a tool needs into its configuration, and leave the rest as it is
    Setup(Setup),
    /// Take it out again: the file is as it was before
    Unsetup(Unsetup),
    /// Print what a shell needs to complete our command lines
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Get a new token now, whatever the old one's age
    Refresh(Named),
    /// Forget the cached key: sealed sessions need the keychain again
    Lock,
    /// Make the program names that tools look for (git-credential-hallpass, ...) in a folder
    Link {
        /// A folder on PATH
        dir: PathBuf,
    },
    /// Run a command with tokens in its environment, and nowhere else
    #[command(after_help = EXEC_HELP)]
    Exec(Exec),
    #[command(flatten)]
    Tool(Tool),
}

#[derive(Args)]
pub(super) struct Login {
    /// An account's name, a provider's (github, gitlab, ...), or the URL it is to serve
    pub(super) what: Option<String>,
    /// Paste the answer back: the browser is on another machine
    #[arg(long, visible_alias = "no-browser")]
    pub(super) paste: bool,
    /// Confirm a code on a page that any device can open
    #[arg(long, conflicts_with_all = ["paste", "with_token", "token"])]
    pub(super) device: bool,
    /// Take a token instead: from stdin, or typed unseen
    #[arg(long, visible_alias = "token-stdin", conflicts_with = "paste", num_args = 0..=1, value_name = "TOKEN", hide_possible_values = true)]
    pub(super) with_token: Option<Option<String>>,
    /// A token on the command line (others can see it there)
    #[arg(short, long, value_name = "TOKEN", conflicts_with = "paste")]
    pub(super) token: Option<String>,
    /// Print the page's address, alone on stdout, and open nothing
    #[arg(long)]
    pub(super) no_open: bool,
    /// The port of the loopback redirect
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// How long to wait for the person, as in 5m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) timeout: Option<u64>,
    /// Who signs in for a new account's URL: one of the providers below
    #[arg(long, value_name = "NAME", conflicts_with = "issuer")]
    pub(super) provider: Option<String>,
    /// The authorization server of a new account
    #[arg(long, value_name = "URL")]
    pub(super) issuer: Option<String>,
    /// The client registered there
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// A scope to ask for; may be given several times
    #[arg(long)]
    pub(super) scope: Vec<String>,
}

#[derive(Args)]
pub(super) struct Logout {
    /// The account
    pub(super) name: Option<String>,
    /// All accounts, and the cached key
    #[arg(long, conflicts_with = "name")]
    pub(super) all: bool,
    /// Only forget it here; the server is not told
    #[arg(long, conflicts_with = "revoke")]
    pub(super) local: bool,
    /// Revoke a pasted token at the server too; a session made here is revoked anyway
    #[arg(long)]
    pub(super) revoke: bool,
}

#[derive(Args)]
pub(super) struct Shown {
    /// The account
    pub(super) name: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct Accounts {
    #[command(subcommand)]
    pub(super) command: Option<AccountsCommand>,
}

#[derive(Subcommand)]
pub(super) enum AccountsCommand {
    /// List them
    List,
    /// Make one the default
    Use {
        /// The account
        name: String,
    },
}

#[derive(Args)]
pub(super) struct Token {
    #[command(subcommand)]
    pub(super) command: TokenCommand,
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make one; it is printed once and kept nowhere
    Create {
        /// What it is for
        name: String,
        /// A scope; may be given several times
        #[arg(long)]
        scope: Vec<String>,
        /// How long it lives
        #[arg(long)]
        days: Option<u64>,
    },
    /// List them, without their secrets
    List,
    /// Revoke one
    Revoke {
        /// Its identifier, from the list
        id: String,
    },
}

#[derive(Args)]
pub(super) struct Connect {
    /// The platform to link
    #[arg(required_unless_present_any = ["list", "revoke"])]
    pub(super) platform: Option<String>,
    /// What can be linked, and what is
    #[arg(long, conflicts_with_all = ["platform", "revoke"])]
    pub(super) list: bool,
    /// Revoke a link
    #[arg(long, value_name = "ID", conflicts_with = "platform")]
    pub(super) revoke: Option<String>,
    /// The backend
    #[arg(long, value_name = "URL")]
    pub(super) backend_base_url: Option<String>,
    /// The backend's key on the command line (others can see it there)
    #[arg(long, value_name = "KEY")]
    pub(super) api_key: Option<String>,
    /// Print the page's address, alone on stdout, and open nothing
    #[arg(long, conflicts_with = "json")]
    pub(super) no_open: bool,
    /// The port that the browser comes back to
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// How long to wait for the person, as in 300 or 5m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) timeout: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct Tenants {
    #[command(subcommand)]
    pub(super) command: Option<TenantsCommand>,
}

#[derive(Subcommand)]
pub(super) enum TenantsCommand {
    /// List them
    List,
    /// Make one the account's own
    Use {
        /// The tenant's slug
        slug: String,
    },
}

#[derive(Args)]
pub(super) struct Named {
    /// The account
    pub(super) name: Option<String>,
}

#[derive(Args)]
pub(super) struct Setup {
    /// The tool: git, kubectl, docker, cargo, aws, pip and more; `--list` names them
    #[arg(required_unless_present = "list")]
    pub(super) tool: Option<String>,
    /// Only show what would be written
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Which tools there are, and which are wired where
    #[arg(long, conflicts_with = "tool")]
    pub(super) list: bool,
}

#[derive(Args)]
pub(super) struct Unsetup {
    /// The tool
    pub(super) tool: String,
    /// Only show what would be written
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Args)]
pub(super) struct Exec {
    /// A variable, and the account or URL whose token it gets; may be given several times
    #[arg(short = 'e', long = "env", value_name = "VAR=ACCOUNT")]
    pub(super) env: Vec<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

fn time(text: &str) -> Result<u64, String> {
    hallpass_protocol::seconds(text)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "not a time such as 90s or 5m".to_owned())
}

/// clap's words in our voice. Only its first line: the rest can repeat what was typed.
pub(super) fn usage(why: &clap::Error) -> Failure {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    let text = why.render().to_string();
    let what = match why.kind() {
        DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand => "a command is missing",
        _ => text.lines().next().unwrap_or_default().trim_start_matches("error: "),
    };
    let near = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let hint = near.map_or(String::new(), |near| format!("{near}; "));
    Failure::new(Exit::Usage, what.replace('\'', "`")).hint(format!("{}`hallpass --help`", hint.replace('\'', "`")))
}

#[cfg(test)]
mod tests {
    use super::LOGIN_HELP;

    #[test]
    fn the_help_lists_every_provider() {
        let listed = LOGIN_HELP.split("\n\n").next().unwrap_or_default();
        let listed: Vec<_> = listed.split_whitespace().skip(1).collect();
        assert_eq!(listed, crate::provider::names().collect::<Vec<_>>());
    }
}
