//! Buys other credentials with an account's token: keys of AWS, a token of Vault
//!
//! What was bought before is handed out while it has life enough left; while its seller cannot be reached, as long as it
//! lasts. The account's token goes to no seller that the account did not serve when the person signed in.

use std::path::Path;

use anyhow::Result;
use hallpass_protocol::place::Place;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::{Credential, Exit, Kind, Kinds, Request, Target};

use crate::account::Client;
use crate::bought::{Bought, Shop};
use crate::choice::Rule;
use crate::failure;
use crate::paths::Paths;
use crate::sso::Assigned;
use crate::store::{self, Stored};
use crate::sts::Role;
use crate::token::Session;
use crate::vault::Mount;

/// Who sells, and on which terms.
#[derive(Debug)]
pub(crate) enum Seller<'a> {
    /// For an id_token.
    Aws(Role<'a>),
    /// For an access token of IAM Identity Center.
    AwsPortal(Assigned<'a>),
    Vault(Mount<'a>),
}

/// One account at one seller.
#[derive(Debug)]
pub(crate) struct Trade<'a> {
    paths: &'a Paths,
    rule: &'a Rule,
    command: &'a str,
    seller: Seller<'a>,
    slot: String,
    min_life: Option<u64>,
}

impl<'a> Trade<'a> {
    /// The trade that a request means; `None` where the account's own token is what it wants.
    pub(crate) fn of(
        paths: &'a Paths,
        rule: &'a Rule,
        client: &'a Client,
        command: &'a str,
        request: &'a Request,
    ) -> Result<Option<Self>> {
        let name = &rule.account.name;
        let (seller, slot) = match (request.kinds, &request.target) {
            (Kinds::Aws, _) => {
                let named = request.role.as_deref();
                let seller = match Assigned::of(name, client, named)? {
                    Some(assigned) => Seller::AwsPortal(assigned),
                    None => Seller::Aws(Role::of(name, client, named)?),
                };
                (seller, named.map_or_else(|| "aws".to_owned(), |role| format!("aws {role}")))
            }
            (Kinds::Vault, Target::Place(place)) => match Mount::of(name, client, place) {
                Some(mount) => (Seller::Vault(mount), format!("vault {place}")),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(Self { paths, rule, command, seller, slot, min_life: request.min_life }))
    }

    /// What was bought, or is bought now with the token that `get` answers a request with.
    pub(crate) fn answer(&self, request: &Request, get: impl Fn(&Request) -> Result<Credential>) -> Result<Credential> {
        let place = self.place()?;
        let ask =
            Request { kinds: self.currency(), min_life: None, target: Target::Place(place.clone()), ..request.clone() };
        // One that stands in for the session is in use nowhere else, and nothing of it is kept.
        if self.rule.account.token_from_environment().is_some() {
            let token = get(&ask)?;
            return Ok(self.credential(self.sell(&token.secret, None)?));
        }
        let known = self.session()?.filter(|session| session.covers(&place)).map(|session| self.owner(&session));
        let fresh = known.as_ref().and_then(|owner| self.shop().has_fresh(owner));
        let buy = || {
            let token = get(&ask)?;
            match self.session()? {
                Some(session) => {
                    let who = session.identity.as_deref();
                    self.shop().buy(&self.owner(&session), || self.sell(&token.secret, who))
                }
                // Signed in to a moment ago, and sealed since: what belongs to nobody we know of is not kept.
                None => self.sell(&token.secret, None),
            }
        };
        let bought = match fresh.map_or_else(buy, Ok) {
            Err(why) if failure::of(&why).exit == Exit::Network => {
                known.as_ref().and_then(|owner| self.shop().has_usable(owner)).ok_or(why)?
            }
            bought => bought?,
        };
        Ok(self.credential(bought))
    }

    /// Whether a tool brings back what was bought for it.
    pub(crate) fn is_ours(&self, secret: &Secret) -> bool {
        let owner = self.session().ok().flatten().map(|session| self.owner(&session));
        owner.and_then(|owner| self.shop().has_usable(&owner)).is_some_and(|bought| bought.secret == *secret)
    }

    /// The tool is done with what was bought for it; the account stays signed in.
    pub(crate) fn forget(&self) -> Result<()> {
        self.shop().forget()
    }

    fn shop(&self) -> Shop<'_> {
        Shop { paths: self.paths, rule: self.rule, slot: &self.slot, command: self.command, min_life: self.min_life }
    }

    fn session(&self) -> Result<Option<Session>> {
        let data: &Path = &self.paths.data;
        let stored: Option<Stored<Session>> =
            store::load(data, &self.rule.account.name, self.rule.sealed, store::BACKGROUND)?;
        Ok(stored.map(|stored| stored.value))
    }

    /// Whose it is: another sign-in, or other terms, buy anew.
    fn owner(&self, session: &Session) -> String {
        let terms = match &self.seller {
            Seller::Aws(role) => role.arn.to_owned(),
            Seller::AwsPortal(assigned) => assigned.role.to_owned(),
            Seller::Vault(mount) => mount.terms(),
        };
        format!("{} {terms}", session.signed_in_at)
    }

    fn place(&self) -> Result<Place> {
        match &self.seller {
            Seller::Aws(role) => role.place(),
            Seller::AwsPortal(assigned) => assigned.place(),
            Seller::Vault(mount) => Ok(mount.place.clone()),
        }
    }

    /// What is paid with.
    fn currency(&self) -> Kinds {
        match &self.seller {
            Seller::Aws(_) => Kinds::Id,
            Seller::AwsPortal(_) => Kinds::Access,
            Seller::Vault(_) => Kinds::Either,
        }
    }

    fn sell(&self, token: &Secret, who: Option<&str>) -> Result<Bought> {
        match &self.seller {
            Seller::Aws(role) => role.assume(token, who),
            Seller::AwsPortal(assigned) => assigned.keys(token),
            Seller::Vault(mount) => mount.login(token),
        }
    }

    fn credential(&self, bought: Bought) -> Credential {
        let account = &self.rule.account;
        let leeway = self.shop().leeway(&bought);
        Credential {
            account: account.name.clone(),
            username: String::new(),
            secret: bought.secret,
            kind: match &self.seller {
                Seller::Aws(_) | Seller::AwsPortal(_) => Kind::Aws,
                Seller::Vault(_) => Kind::Bearer,
            },
            // Not less `min_life`: clients of AWS ask again long before the end, and must then find newer ones.
            expires_at: bought.expires_at.map(|expires_at| expires_at.saturating_sub(leeway)),
            id: String::new(),
            form: account.form.into(),
            headers: Vec::new(),
            rule: String::new(),
        }
    }
}
