//! Where we run, found out once: what a page can be opened with hangs on it

use std::net::IpAddr;
use std::path::Path;
use std::sync::OnceLock;

use crate::paths::set;

/// What kind of place this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Ci,
    Ssh,
    /// Linux inside Windows: the browser is outside.
    Wsl,
    Container,
    Desktop,
    /// A machine without a display.
    Bare,
}

/// Where we are.
pub(crate) fn here() -> Whereabouts {
    static HERE: OnceLock<Whereabouts> = OnceLock::new();
    *HERE.get_or_init(find)
}

fn find() -> Whereabouts {
    let any = |names: &[&str]| names.iter().any(|name| set(name).is_some());
    let containers = ["/.dockerenv", "/run/.containerenv"];
    match () {
        () if is_ci() => Whereabouts::Ci,
        () if any(&["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"]) => Whereabouts::Ssh,
        () if any(&["WSL_DISTRO_NAME", "WSL_INTEROP"]) => Whereabouts::Wsl,
        () if has_display() => Whereabouts::Desktop,
        () if any(&["container", "KUBERNETES_SERVICE_HOST"])
            || containers.iter().any(|mark| Path::new(mark).exists()) =>
        {
            Whereabouts::Container
        }
        () => Whereabouts::Bare,
    }
}

/// Whether something can be shown here.
pub(crate) fn has_display() -> bool {
    let x11 = cfg!(not(any(target_os = "macos", windows)));
    !x11 || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| set(name).is_some())
}

/// Whether we run in CI.
pub(crate) fn is_ci() -> bool {
    set("CI").is_some_and(|value| !matches!(value.as_str(), "false" | "0"))
        || ["GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "TF_BUILD", "JENKINS_URL"]
            .iter()
            .any(|name| set(name).is_some())
}

impl Whereabouts {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Ci => "CI",
            Self::Ssh => "an SSH session",
            Self::Wsl => "Linux inside Windows (WSL)",
            Self::Container => "a container",
            Self::Desktop => "a desktop",
            Self::Bare => "a machine without a display",
        }
    }
}

/// What is typed on the machine with the browser, so that it gets through to this port here.
pub(crate) fn tunnel(port: &str) -> String {
    format!("ssh -L {port}:localhost:{port} {}", destination().unwrap_or_else(|| "THIS_MACHINE".to_owned()))
}

/// How the SSH session that we are in got here (`SSH_CONNECTION`: client, its port, server, its port).
fn destination() -> Option<String> {
    let connection = set("SSH_CONNECTION")?;
    let mut words = connection.split_whitespace().skip(2);
    let address: IpAddr = words.next()?.parse().ok()?;
    let port: u16 = words.next()?.parse().ok()?;
    let plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let user = ["USER", "LOGNAME"].into_iter().find_map(set).filter(plain);
    let user = user.filter(|name| !name.starts_with('-')).map_or(String::new(), |name| format!("{name}@"));
    let port = if port == 22 { String::new() } else { format!("-p {port} ") };
    Some(format!("{port}{user}{address}"))
}
