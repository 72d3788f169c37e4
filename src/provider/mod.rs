//! Provider rows: what is known of a provider, as data
//!
//! A row is a file in `integrations/providers/`. Its `[account]` table holds the same keys as an account of
//! `config.toml`, which may override each of them; its `[provider]` table says what only a provider can. `hallpass login
//! PROVIDER` makes an account of it.

mod rows;

use std::collections::BTreeMap;

use anyhow::Result;
use hallpass_protocol::talk::Exit;
use toml_edit::{Document, Item, Table};

use crate::failure::{fail, fail_hint};
use crate::flow::Flow;
use crate::paths::set;
use rows::Listed;
pub(crate) use rows::{API_URL_VARIABLES, BUILT_IN, ROWS};

/// What only a provider's row says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// The environment this account is for.
    pub(crate) api_url: String,
    /// The variable that moves the row's own account to another environment.
    pub(crate) api_url_env: Option<String>,
    /// What may stand at its end and names no other environment.
    pub(crate) api_suffix: Option<String>,
    /// What a client is called there, with what is to be chosen for it, and where one is registered.
    pub(crate) client: Option<String>,
    pub(crate) client_page: Option<String>,
    /// The variable with a client id.
    pub(crate) client_id_env: String,
    /// The client id that this build brings along.
    pub(crate) built_in_client_id: Option<&'static str>,
    /// Keys that only the account's own table can have.
    pub(crate) needs: Vec<String>,
    /// `prompt` of the authorization request, in place of what OpenID Connect wants.
    pub(crate) prompt: Option<String>,
    /// The variable with a token that stands in for the session.
    pub(crate) token_env: Option<String>,
    /// `hex`: what tokens that a person brings are made of.
    pub(crate) token_alphabet: Option<String>,
    pub(crate) token_length: Option<usize>,
    /// How its row says to sign in.
    pub(crate) flow: Flow,
    /// Seconds that a token lives when its server does not say.
    pub(crate) token_life: Option<u64>,
    /// What the fields of `userinfo_endpoint`'s answer are called; a dot goes into an object.
    pub(crate) profile_name: Option<String>,
    pub(crate) profile_email: Option<String>,
    pub(crate) profile_tenant: Option<String>,
    /// An address that tells, by refusing it or not, whether a token is good.
    pub(crate) check_endpoint: Option<String>,
    /// Its private places answer 404 to those who bring no token: tools that wait to be asked must be told to bring it.
    pub(crate) proactive_auth: bool,
    /// Where a person gets a token.
    pub(crate) token_page: Option<String>,
    /// The header that names the tenant.
    pub(crate) tenant_header: Option<String>,
    pub(crate) tenants_endpoint: Option<String>,
    /// Where personal access tokens are made, how many days they live by themselves, and at the most.
    pub(crate) pats_endpoint: Option<String>,
    pub(crate) pat_days: u64,
    pub(crate) pat_longest_days: u64,
    /// The backend that keeps links to other platforms.
    pub(crate) connect: Option<Connect>,
}

/// How a backend that keeps links is spoken to. A path may have `{platform}` or `{id}` in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) backend_url: String,
    /// The variable with another backend's URL.
    pub(crate) backend_url_env: String,
    /// The variable with the backend's key.
    pub(crate) api_key_env: String,
    /// Where the backend's own OAuth clients are configured.
    pub(crate) clients_page: String,
    /// Where the browser comes back to, and on which ports.
    pub(crate) redirect_uri: String,
    pub(crate) redirect_ports: Vec<u16>,
    /// `POST /oauth/{platform}/start` and the like, by what is asked.
    calls: BTreeMap<String, String>,
    /// The names of fields, by what they hold.
    fields: BTreeMap<String, String>,
}

impl Connect {
    /// Method and path of a call.
    pub(crate) fn call<'a>(&'a self, name: &'a str) -> (&'a str, &'a str) {
        self.calls.get(name).and_then(|call| call.split_once(' ')).unwrap_or(("GET", name))
    }

    /// What the backend calls a field.
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> &'a str {
        self.fields.get(name).map_or(name, String::as_str)
    }
}

/// What a row `needs` where clients have secrets.
pub(crate) const CLIENT_SECRET: &str = "client_secret_file";

/// A row for one environment: the provider, and its `[account]` table as TOML.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) provider: Provider,
    pub(crate) account: String,
}

/// The names of all rows.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

/// The row of a provider for an environment: the one named, else its variable's, else its own. `None` for a row that
/// has none of its own and was given none.
pub(crate) fn row(name: &str, api_url: Option<&str>) -> Result<Option<Row>> {
    let Some(Listed { name, text, client_id_env, built_in_client_id }) = ROWS.iter().find(|row| row.name == name)
    else {
        let list: Vec<_> = names().collect();
        let what = format!("there is no provider `{}`", crate::shown::shown(name));
        return Err(fail_hint(Exit::Config, what, format!("there are {}", list.join(", "))));
    };
    let document = Document::parse(*text).map_err(|why| broken(name, why.message()))?;
    let provider = table(name, document.as_table(), "provider")?;
    let string = |key: &str| provider.get(key).and_then(Item::as_str).map(str::to_owned);
    let strings = |key: &str| {
        let list = provider.get(key).and_then(Item::as_array).into_iter().flatten();
        list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let number = |key: &str| provider.get(key).and_then(Item::as_integer).and_then(|number| u64::try_from(number).ok());
    let own = string("api_url");
    let stays = own.as_ref().filter(|_| !text.contains("{api"));
    if let (Some(own), Some(asked)) = (stays, api_url)
        && own != asked.trim_end_matches('/')
    {
        return Err(fail(Exit::Config, format!("provider `{name}` is at `{own}` and nowhere else")));
    }
    let from_environment = string("api_url_env").and_then(|variable| set(&variable));
    let Some(api_url) = api_url.map(str::to_owned).or(from_environment).or(own) else {
        return Ok(None);
    };
    let api_url = api_url.trim_end_matches('/');
    let api = string("api_suffix").and_then(|suffix| api_url.strip_suffix(&suffix).map(str::to_owned));
    let fill = |text: &str| {
        let text = text.replace("{api_url}", api_url).replace("{api}", api.as_deref().unwrap_or(api_url));
        text.replace("{portal}", &portal(api_url))
    };
    let account = table(name, document.as_table(), "account")?;
    Ok(Some(Row {
        account: fill(&account.to_string()),
        provider: Provider {
            name: (*name).to_owned(),
            api_url: api_url.to_owned(),
            api_url_env: string("api_url_env"),
            api_suffix: string("api_suffix"),
            client: string("client"),
            client_page: string("client_page").map(|page| fill(&page)),
            client_id_env: string("client_id_env").unwrap_or_else(|| (*client_id_env).to_owned()),
            built_in_client_id: *built_in_client_id,
            needs: strings("needs"),
            prompt: string("prompt"),
            token_env: string("token_env"),
            token_alphabet: string("token_alphabet"),
            token_length: provider.get("token_length").and_then(Item::as_integer).and_then(|n| n.try_into().ok()),
            flow: match account.get("flow").and_then(Item::as_str) {
                Some("device") => Flow::Device,
                Some("token") => Flow::Token,
                _ => Flow::Auto,
            },
            token_life: number("token_life"),
            profile_name: string("profile_name"),
            profile_email: string("profile_email"),
            profile_tenant: string("profile_tenant"),
            check_endpoint: string("check_endpoint").map(|url| fill(&url)),
            proactive_auth: provider.get("proactive_auth").and_then(Item::as_bool).unwrap_or_default(),
            token_page: string("token_page").map(|page| fill(&page)),
            tenant_header: string("tenant_header"),
            tenants_endpoint: string("tenants_endpoint").map(|url| fill(&url)),
            pats_endpoint: string("pats_endpoint").map(|url| fill(&url)),
            pat_days: number("pat_days").unwrap_or(30),
            pat_longest_days: number("pat_longest_days").unwrap_or(365),
            connect: document.get("connect").and_then(Item::as_table).map(connect),
        },
    }))
}

/// AWS has two hosts in each region: what one gives, the other takes.
pub(crate) fn portal(server: &str) -> String {
    server.replacen("://oidc.", "://portal.sso.", 1)
}

fn connect(table: &Table) -> Connect {
    let string = |key: &str| table.get(key).and_then(Item::as_str).unwrap_or_default().to_owned();
    let words = |key: &str| {
        let table = table.get(key).and_then(Item::as_table).into_iter().flat_map(|table| table.iter());
        table.filter_map(|(key, item)| Some((key.to_owned(), item.as_str()?.to_owned()))).collect()
    };
    let ports = table.get("redirect_ports").and_then(Item::as_array).into_iter().flatten();
    Connect {
        backend_url: string("backend_url"),
        backend_url_env: string("backend_url_env"),
        api_key_env: string("api_key_env"),
        clients_page: string("clients_page"),
        redirect_uri: string("redirect_uri"),
        redirect_ports: ports.filter_map(|port| port.as_integer()?.try_into().ok()).collect(),
        calls: words("calls"),
        fields: words("fields"),
    }
}

fn table<'a>(name: &str, document: &'a Table, key: &str) -> Result<&'a Table> {
    document.get(key).and_then(Item::as_table).ok_or_else(|| broken(name, &format!("it has no [{key}]")))
}

fn broken(name: &str, why: &str) -> anyhow::Error {
    fail(Exit::Bug, format!("the provider row `{name}` cannot be read: {why}"))
}

impl Provider {
    /// Whether a token that a person brings can be one of this provider's, without saying anything about it.
    pub(crate) fn fits(&self, token: &str) -> Result<(), String> {
        let hex = self.token_alphabet.as_deref() != Some("hex") || token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let length = self.token_length.is_none_or(|length| token.len() == length);
        if hex && length {
            return Ok(());
        }
        let alphabet = self.token_alphabet.as_deref().map_or(String::new(), |alphabet| format!(" {alphabet}"));
        let length = self.token_length.map_or(String::new(), |length| format!(" {length}"));
        Err(format!("its tokens are{length}{alphabet} characters without a prefix"))
    }
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn both_spellings_of_an_environment_are_one() {
        for url in ["https://h.example/api/v1", "https://h.example/api/v1/"] {
            let row = row("autocom", Some(url)).expect("a row").expect("complete");
            assert!(row.account.contains("\"https://h.example/oauth/token\""), "{}", row.account);
            assert_eq!(row.provider.api_url, "https://h.example/api/v1");
        }
    }

    /// Methods and paths, where to come back to, and fields of a backend that keeps links.
    #[test]
    fn links() {
        let connect = row("whet", None).expect("a row").expect("complete").provider.connect.expect("a backend");
        for (name, part) in
            [("start", "{platform}"), ("finish", "{platform}"), ("platforms", ""), ("links", ""), ("revoke", "{id}")]
        {
            let (method, path) = connect.call(name);
            assert!(["GET", "POST", "PUT", "DELETE"].contains(&method), "{name}");
            assert!(path.starts_with('/') && path.contains(part), "{name}");
        }
        assert_eq!(connect.call("revoke"), ("DELETE", "/oauth/credentials/{id}"));
        assert_eq!((connect.redirect_ports.as_slice(), connect.field("state")), ([11789].as_slice(), "state"));
    }

    #[test]
    fn only_what_is_more_than_one_place_can_be_moved() {
        let there = "https://git.example.com/";
        for (name, moves) in [("gitlab", true), ("gitea", true), ("github", false), ("docker-hub", false)] {
            assert_eq!(row(name, Some(there)).is_ok(), moves, "{name}");
        }
        assert!(row("github", Some("https://github.com/")).is_ok_and(|row| row.is_some()));
        assert!(row("gitea", None).is_ok_and(|row| row.is_none()), "it has no place of its own");
    }

    #[test]
    fn tokens_have_a_shape() {
        let whet = row("whet", None).expect("a row").expect("complete").provider;
        assert_eq!(whet.fits(&"7a".repeat(32)), Ok(()));
        for wrong in ["7a".repeat(31), "7g".repeat(32), format!("0x{}", "7a".repeat(31))] {
            assert!(whet.fits(&wrong).is_err_and(|why| !why.contains(&wrong)));
        }
    }
}
