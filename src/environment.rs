//! Environments of a provider: one account for each `api_url`

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::talk::Exit;

use crate::account::is_slug;
use crate::config;
use crate::failure::{fail, fail_hint};
use crate::paths::{Paths, set};
use crate::shown::shown;

/// The account that the options of a call name, else `HALLPASS_ACCOUNT`; `--api-url` names it by its environment.
pub(crate) fn named(paths: &Paths, account: Option<String>, api_url: Option<&str>) -> Result<Option<String>> {
    let named = account.or_else(|| set("HALLPASS_ACCOUNT"));
    match api_url {
        None => Ok(named),
        Some(api_url) => self::account(paths, api_url, named.as_deref()).map(Some),
    }
}

/// The account for an environment. Spellings that differ in case, default port or final slash are the same one.
pub(crate) fn account(paths: &Paths, api_url: &str, named: Option<&str>) -> Result<String> {
    match find(paths, api_url, named, None)? {
        Some(name) => Ok(name),
        None => {
            let what = format!("no account is for the environment `{}`", shown(api_url));
            let hint = format!("`hallpass login PROVIDER --api-url {}`", shown(api_url));
            Err(fail_hint(Exit::Missing, what, hint))
        }
    }
}

/// The account for an environment, if there is one; `of` a provider, if one is named.
pub(crate) fn find(paths: &Paths, api_url: &str, named: Option<&str>, of: Option<&str>) -> Result<Option<String>> {
    place(api_url, "")?; // usable at all
    let config = config::load(paths)?;
    let mut fitting = config.accounts.iter().filter(|(name, (_, client))| {
        let is_here = client.provider.as_ref().is_some_and(|provider| {
            if of.is_some_and(|of| of != provider.name) {
                return false;
            }
            let suffix = provider.api_suffix.as_deref().unwrap_or_default();
            matches!((place(&provider.api_url, suffix), place(api_url, suffix)), (Ok(here), Ok(asked)) if here == asked)
        });
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

/// An environment's address without what may stand at its end.
fn place(api_url: &str, suffix: &str) -> Result<Place> {
    let api_url = api_url.trim_end_matches('/');
    let api_url = api_url.strip_suffix(suffix).unwrap_or(api_url);
    let place =
        Place::from_url(api_url).map_err(|why| fail(Exit::Usage, format!("`--api-url` is not usable: {why}")))?;
    Ok(Place { path: place.path.or(Some(String::new())), ..place })
}

/// Refuses what is no tenant's slug.
pub(crate) fn check_slug(slug: &str) -> Result<()> {
    match is_slug(slug) {
        true => Ok(()),
        false => Err(fail(Exit::Usage, format!("`{}` is no tenant's name", shown(slug)))),
    }
}
