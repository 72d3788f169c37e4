//! Environments of a provider: one account for each `api_url`

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use crate::config;
use crate::failure::{fail, fail_hint};
use crate::paths::Paths;
use crate::shown::shown;

/// The account for an environment. Spellings that differ in case, default port or final slash are the same one.
pub(crate) fn account(paths: &Paths, api_url: &str, named: Option<&str>) -> Result<String> {
    match find(paths, api_url, named)? {
        Some(name) => Ok(name),
        None => {
            let what = format!("no account is for the environment `{}`", shown(api_url));
            let hint = format!("`hallpass login PROVIDER --api-url {}`", shown(api_url));
            Err(fail_hint(Exit::Missing, what, hint))
        }
    }
}

/// The account for an environment, if there is one.
pub(crate) fn find(paths: &Paths, api_url: &str, named: Option<&str>) -> Result<Option<String>> {
    let wanted = place(api_url)?;
    let config = config::load(paths)?;
    let mut fitting = config.accounts.iter().filter(|(name, (_, client))| {
        let is_here =
            client.provider.as_ref().is_some_and(|provider| place(&provider.api_url).is_ok_and(|here| here == wanted));
        is_here && named.is_none_or(|named| *name == named)
    });
    let (first, second) = (fitting.next(), fitting.next());
    match (first, second) {
        (Some((one, _)), Some((other, _))) => {
            let what = format!("accounts `{one}` and `{other}` are both for `{}`", shown(api_url));
            Err(fail_hint(Exit::Missing, what, "choose with `--account NAME`"))
        }
        (first, _) => Ok(first.map(|(name, _)| name.clone())),
    }
}

fn place(api_url: &str) -> Result<Place> {
    let place =
        Place::from_url(api_url).map_err(|why| fail(Exit::Usage, format!("`--api-url` is not usable: {why}")))?;
    Ok(Place { path: place.path.or(Some(String::new())), ..place })
}

/// A tenant's slug goes into a header: letters, digits, `.`, `_` and `-`.
pub(crate) fn check_slug(slug: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=64).contains(&slug.len()) && slug.bytes().all(plain) {
        true => Ok(()),
        false => Err(fail(Exit::Usage, format!("`{}` is no tenant's name", shown(slug)))),
    }
}
