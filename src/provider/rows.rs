//! Which rows there are
//!
//! A new provider is a file in `integrations/providers/` and a line here.

/// A row as it stands in its file, and what a build adds to it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// The variable with a client id, where the row names no other.
    pub(crate) client_id_env: &'static str,
    /// The client id that a build brings along: `HALLPASS_CLIENT_ID_AUTOCOM=... cargo build`. None is part of the source.
    pub(crate) built_in_client_id: Option<&'static str>,
}

/// The name, and the same as variables have it.
macro_rules! row {
    ($name:literal, $variable:literal) => {
        Listed {
            name: $name,
            text: include_str!(concat!("../../integrations/providers/", $name, ".toml")),
            client_id_env: concat!("HALLPASS_CLIENT_ID_", $variable),
            built_in_client_id: option_env!(concat!("HALLPASS_CLIENT_ID_", $variable)),
        }
    };
}

/// Every row, by name.
pub(crate) const ROWS: &[Listed] = &[
    row!("auth0", "AUTH0"),
    row!("authentik", "AUTHENTIK"),
    row!("autocom", "AUTOCOM"),
    row!("aws-identity-center", "AWS_IDENTITY_CENTER"),
    row!("azure-devops", "AZURE_DEVOPS"),
    row!("bitbucket", "BITBUCKET"),
    row!("bitbucket-data-center", "BITBUCKET_DATA_CENTER"),
    row!("codeberg", "CODEBERG"),
    row!("dex", "DEX"),
    row!("docker-hub", "DOCKER_HUB"),
    row!("entra", "ENTRA"),
    row!("forgejo", "FORGEJO"),
    row!("gitea", "GITEA"),
    row!("github", "GITHUB"),
    row!("github-enterprise", "GITHUB_ENTERPRISE"),
    row!("gitlab", "GITLAB"),
    row!("google", "GOOGLE"),
    row!("hcp-terraform", "HCP_TERRAFORM"),
    row!("huggingface", "HUGGINGFACE"),
    row!("hydra", "HYDRA"),
    row!("keycloak", "KEYCLOAK"),
    row!("okta", "OKTA"),
    row!("sourcegraph", "SOURCEGRAPH"),
    row!("warmhub", "WARMHUB"),
    row!("whet", "WHET"),
    row!("zitadel", "ZITADEL"),
];

/// The rows whose account is there without configuration. Any other becomes one when somebody signs in to it: until then
/// it claims no place, stands in no list, and is not even read.
pub(crate) const BUILT_IN: &[&str] = &["autocom", "whet"];

/// Every row's `api_url_env`: known without reading a row, because each look at the routes asks for them.
pub(crate) const API_URL_VARIABLES: &[&str] = &["WHET_BASE_URL"];

#[cfg(test)]
mod tests {
    use super::{API_URL_VARIABLES, BUILT_IN, ROWS};

    #[test]
    fn what_is_known_without_reading_them() {
        let mut api_url_variables = Vec::new();
        for row in ROWS {
            let variable = row.name.to_ascii_uppercase().replace('-', "_");
            assert_eq!(row.client_id_env, format!("HALLPASS_CLIENT_ID_{variable}"));
            api_url_variables.extend(row.text.lines().find_map(|line| line.strip_prefix("api_url_env = ")));
        }
        assert_eq!(api_url_variables, API_URL_VARIABLES.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>());
        assert!(ROWS.is_sorted_by_key(|row| row.name));
        assert!(BUILT_IN.iter().all(|name| ROWS.iter().any(|row| row.name == *name)));
    }
}
