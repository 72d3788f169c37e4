//! Where a token comes from that is shown in place of a person: another account, a file, a CI job's own identity
//!
//! Words, and whether we run where such an identity is to be had, which the environment alone says. `login` fetches it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::paths::set;

/// A service that gives each of its jobs an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workload {
    /// GitHub Actions, and Forgejo's, which keep the same contract.
    GitHub,
    GitLab,
    Buildkite,
    CircleCi,
    /// A pod's service account.
    Kubernetes,
}

/// Who is asked for the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Named {
    /// The tool brings it: then nothing is kept, and nobody gets another's.
    Caller,
    /// Whichever CI service this is.
    Ci,
    One(Workload),
}

/// The words of the configuration for them.
pub(crate) const NAMES: [(&str, Named); 7] = [
    ("caller", Named::Caller),
    ("ci", Named::Ci),
    ("github-actions", Named::One(Workload::GitHub)),
    ("gitlab", Named::One(Workload::GitLab)),
    ("buildkite", Named::One(Workload::Buildkite)),
    ("circleci", Named::One(Workload::CircleCi)),
    ("kubernetes", Named::One(Workload::Kubernetes)),
];

/// One source; what is named first here goes before the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) account: Option<String>,
    pub(crate) named: Option<Named>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) env: Option<String>,
    /// A command whose output is the token.
    pub(crate) command: Option<Vec<String>>,
    /// What kind of token it is (RFC 8693 3).
    pub(crate) kind: Option<String>,
    /// For whom a job's identity is asked for.
    pub(crate) audience: Option<String>,
}

impl Workload {
    /// What its people call it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub Actions",
            Self::GitLab => "GitLab CI",
            Self::Buildkite => "Buildkite",
            Self::CircleCi => "CircleCI",
            Self::Kubernetes => "Kubernetes",
        }
    }

    /// The variable that it sets for every job.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB_ACTIONS",
            Self::GitLab => "GITLAB_CI",
            Self::Buildkite => "BUILDKITE",
            Self::CircleCi => "CIRCLECI",
            Self::Kubernetes => "KUBERNETES_SERVICE_HOST",
        }
    }

    fn is_here(self) -> bool {
        set(self.variable()).is_some_and(|value| value != "false")
    }

    /// The CI service that runs us. A pod is none: a person can sit in one.
    pub(crate) fn ci() -> Option<Self> {
        [Self::GitHub, Self::GitLab, Self::Buildkite, Self::CircleCi].into_iter().find(|service| service.is_here())
    }
}

impl Source {
    /// The service whose identity this source means, if we run there.
    pub(crate) fn workload(&self) -> Option<Workload> {
        match self.named? {
            Named::Caller => None,
            Named::Ci => Workload::ci(),
            Named::One(workload) => Some(workload).filter(|workload| workload.is_here()),
        }
    }

    /// Nothing is named.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { account, named, file, env, command, kind: _, audience: _ } = self;
        account.is_none() && named.is_none() && file.is_none() && env.is_none() && command.is_none()
    }

    /// What it is called, if it is there: a job's identity, a file, a variable that is set.
    pub(crate) fn found(&self) -> Option<String> {
        match self {
            Self { account: Some(name), .. } => Some(format!("account `{name}`")),
            Self { named: Some(_), .. } => self.workload().map(|workload| workload.words().to_owned()),
            Self { file: Some(file), .. } => file.exists().then(|| format!("`{}`", file.display())),
            Self { env: Some(variable), .. } => set(variable).map(|_| variable.clone()),
            Self { command: Some(words), .. } => Some(format!("`{}`", words.first()?)),
            _ => None,
        }
    }
}
