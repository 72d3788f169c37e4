//! Places no account serves: the cases of git's own external-helper suite, through real `git credential`.

use std::fs;

use crate::idp::Idp;
use crate::runs::{Done, done, has};
use crate::world::{BIN, World};

/// git with hallpass as its only helper; prompts are answered by a script that says so.
pub struct Git {
    pub world: World,
    program: &'static str,
}

impl Git {
    /// None where git is missing.
    fn new(config: &str) -> Option<Git> {
        Git::at(World::bare(), config)
    }
    pub fn at(world: World, config: &str) -> Option<Git> {
        let git = has("git").then(|| Git { world, program: "git" })?;
        git.world.config(config);
        git.world.script(
            "askpass",
            "#!/bin/sh\ncase $1 in Username*) echo askpass-username ;; *) echo askpass-password ;; esac\n",
        );
        Some(git)
    }
    fn keeping() -> Option<Git> {
        Git::new("keep = \"always\"\n")
    }
    /// `git -c EXTRA credential OPERATION` with these lines on stdin.
    pub fn run(&self, extra: &str, operation: &str, lines: &str) -> Done {
        let helper = format!("credential.helper=!'{BIN}' git");
        let mut command = self
            .world
            .program(self.program, &["-c", "credential.helper=", "-c", &helper, "-c", extra, "credential", operation]);
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ASKPASS", self.world.path("askpass"))
            .env("GIT_TERMINAL_PROMPT", "0");
        let mut command = assert_cmd::Command::from_std(command);
        done(command.write_stdin(lines).timeout(std::time::Duration::from_secs(60)))
    }
    pub fn approve(&self, lines: &str) {
        self.run("a.b=c", "approve", lines).silent();
    }
    fn reject(&self, lines: &str) {
        self.run("a.b=c", "reject", lines).silent();
    }
    #[track_caller]
    pub fn fills(&self, lines: &str, want: &str) {
        self.fills_with("a.b=c", lines, want);
    }
    #[track_caller]
    fn fills_with(&self, extra: &str, lines: &str, want: &str) {
        let mut got: Vec<_> = self.run(extra, "fill", lines).expect(0).out.lines().map(str::to_owned).collect();
        let mut want: Vec<_> = want.lines().map(str::to_owned).collect();
        got.sort();
        want.sort();
        assert_eq!(got, want, "{lines:?}");
    }
    /// The authtype capability came with git 2.46.
    fn knows_authtype(&self) -> bool {
        let knows = self.run("a.b=c", "capability", "").out.contains("capability authtype");
        if !knows {
            crate::runs::skip("this git has no authtype");
        }
        knows
    }
}

pub fn at(host: &str) -> String {
    format!("protocol=https\nhost={host}\n")
}
pub fn pair(username: &str, password: &str) -> String {
    format!("username={username}\npassword={password}\n")
}
pub fn asked(host: &str) -> String {
    at(host) + &pair("askpass-username", "askpass-password")
}
/// One stored credential that the later steps look for.
pub fn store(git: &Git, host: &str, username: &str, password: &str) {
    git.approve(&(at(host) + &pair(username, password)));
}

/// Every case is a test here, in a store that keeps all it gets; `sealed_places` runs them once more with a keychain.
macro_rules! cases {
    ($($case:ident)*) => {
        #[cfg(target_os = "linux")]
        pub const CASES: &[(&str, fn(&Git))] = &[$((stringify!($case), $case)),*];
        mod unsealed {
            $(#[test]
            fn $case() {
                super::Git::keeping().iter().for_each(super::$case);
            })*
        }
    };
}
cases! {
    cases_1_to_6_a_password_is_kept_for_its_protocol_host_and_user
    case_7_the_path_counts_where_git_sends_it
    case_8_the_second_password_wins_and_can_be_rejected
    case_9_rejecting_a_host_forgets_all_of_it
    cases_10_to_13_two_users_live_side_by_side
    case_14_empty_username_and_password_are_kept_as_they_are
    case_15_rejecting_without_a_username_erases_all_that_match
    case_16_a_long_header_confuses_nobody
    cases_17_to_21_expiry_and_a_foreign_refresh_token_come_back
    cases_22_to_24_a_kept_authtype_needs_the_capability
    cases_25_to_27_a_kept_authtype_belongs_to_its_user
    case_28_the_ephemeral_is_not_kept
}

fn cases_1_to_6_a_password_is_kept_for_its_protocol_host_and_user(git: &Git) {
    git.fills(&at("example.com"), &asked("example.com"));
    store(git, "example.com", "store-user", "store-pass");
    git.fills(&at("example.com"), &(at("example.com") + &pair("store-user", "store-pass")));
    let http = "protocol=http\nhost=example.com\n";
    git.fills(http, &format!("{http}{}", pair("askpass-username", "askpass-password")));
    git.fills(&at("other.tld"), &asked("other.tld"));
    git.fills(&(at("example.com") + "username=other\n"), &(at("example.com") + &pair("other", "askpass-password")));
}

fn case_7_the_path_counts_where_git_sends_it(git: &Git) {
    let path = |name: &str| format!("{}path={name}\n", at("path.tld"));
    let useful = "credential.useHttpPath=true";
    git.run(useful, "approve", &(path("foo.git") + &pair("user", "pass"))).silent();
    git.fills_with(useful, &path("bar.git"), &(path("bar.git") + &pair("askpass-username", "askpass-password")));
    git.fills_with(useful, &path("foo.git"), &(path("foo.git") + &pair("user", "pass")));
}

fn case_8_the_second_password_wins_and_can_be_rejected(git: &Git) {
    let place = at("overwrite.tld") + "username=user\n";
    store(git, "overwrite.tld", "user", "pass1");
    store(git, "overwrite.tld", "user", "pass2");
    git.fills(&place, &(at("overwrite.tld") + &pair("user", "pass2")));
    git.reject(&(at("overwrite.tld") + &pair("user", "pass2")));
    git.fills(&place, &(at("overwrite.tld") + &pair("user", "askpass-password")));
}

fn case_9_rejecting_a_host_forgets_all_of_it(git: &Git) {
    store(git, "example.com", "one", "1");
    store(git, "example.com", "two", "2");
    git.reject(&at("example.com"));
    git.fills(&at("example.com"), &asked("example.com"));
    for user in ["one", "two"] {
        let place = format!("{}username={user}\n", at("example.com"));
        git.fills(&place, &(at("example.com") + &pair(user, "askpass-password")));
    }
}

fn cases_10_to_13_two_users_live_side_by_side(git: &Git) {
    let user = |name: &str| format!("{}username={name}\n", at("users.tld"));
    let has = |name: &str, password: &str| git.fills(&user(name), &(at("users.tld") + &pair(name, password)));
    store(git, "users.tld", "user1", "pass1");
    store(git, "users.tld", "user2", "pass2");
    has("user1", "pass1");
    has("user2", "pass2");
    git.reject(&(at("users.tld") + &pair("user1", "not-pass1")));
    has("user1", "pass1");
    git.reject(&user("user1"));
    has("user1", "askpass-password");
    has("user2", "pass2");
}

fn case_14_empty_username_and_password_are_kept_as_they_are(git: &Git) {
    store(git, "sso.tld", "", "");
    git.fills(&at("sso.tld"), &(at("sso.tld") + &pair("", "")));
}

fn case_15_rejecting_without_a_username_erases_all_that_match(git: &Git) {
    store(git, "all.tld", "user-a", "pass1");
    store(git, "all.tld", "user-b", "pass1");
    git.reject(&at("all.tld"));
    for user in ["user-a", "user-b"] {
        let place = format!("{}username={user}\n", at("all.tld"));
        git.fills(&place, &(at("all.tld") + &pair(user, "askpass-password")));
    }
}

fn case_16_a_long_header_confuses_nobody(git: &Git) {
    store(git, "victim.example.com", "user", "to-be-stolen");
    for size in [900, 1010, 1015, 1024, 2000, 65_000] {
        let header = format!("wwwauth[]=basic realm={}host=victim.example.com\n", "a".repeat(size));
        git.fills(&(at("badguy.example.com") + &header), &(asked("badguy.example.com") + &header));
    }
}

fn cases_17_to_21_expiry_and_a_foreign_refresh_token_come_back(git: &Git) {
    let lines = |expiry: &str| format!("{}{}{expiry}", at("expiry.tld"), pair("user", "pass"));
    let with = "password_expiry_utc=9999999998\n";
    git.approve(&lines(with));
    git.fills(&at("expiry.tld"), &lines(with));
    let later = "password_expiry_utc=9999999999\n";
    git.approve(&lines(later));
    git.fills(&at("expiry.tld"), &lines(later));
    let refresh = format!("{}{}oauth_refresh_token=xyzzy\n", at("refresh.tld"), pair("user", "pass"));
    git.approve(&refresh);
    git.fills(&at("refresh.tld"), &refresh);
}

fn cases_22_to_24_a_kept_authtype_needs_the_capability(git: &Git) {
    if !git.knows_authtype() {
        return;
    }
    let announced = "capability[]=authtype\n";
    let kept = "authtype=Bearer\ncredential=random-token\n";
    git.approve(&format!("{announced}{kept}{}", at("bearer.tld")));
    git.fills(&format!("{announced}{}", at("bearer.tld")), &format!("{announced}{kept}{}", at("bearer.tld")));
    git.fills(&at("bearer.tld"), &asked("bearer.tld"));
}

fn cases_25_to_27_a_kept_authtype_belongs_to_its_user(git: &Git) {
    if !git.knows_authtype() {
        return;
    }
    let announced = "capability[]=authtype\n";
    let kept = "authtype=Bearer\ncredential=other-token\n";
    let user = |name: &str| format!("{}username={name}\n", at("bearer.tld"));
    git.approve(&format!("{announced}{kept}{}", user("foobar")));
    git.fills(&format!("{announced}{}", user("foobar")), &format!("{announced}{kept}{}", user("foobar")));
    let done = git.run("a.b=c", "fill", &format!("{announced}{}", user("barbaz"))).expect(0);
    assert!(!done.out.contains("other-token") && done.out.contains("askpass-password"), "{done:?}");
}

fn case_28_the_ephemeral_is_not_kept(git: &Git) {
    if !git.knows_authtype() {
        return;
    }
    let announced = "capability[]=authtype\n";
    git.approve(&format!("{announced}authtype=Bearer\ncredential=git2-token\nephemeral=1\n{}", at("git2.tld")));
    git.approve(&format!("{announced}{}{}ephemeral=1\n", at("git3.tld"), pair("user", "fleeting")));
    git.fills(&at("git2.tld"), &asked("git2.tld"));
    git.fills(&at("git3.tld"), &asked("git3.tld"));
    assert_eq!(git.world.holdings(), [""; 0]);
}

#[test]
fn what_has_expired_is_not_kept() {
    let Some(git) = Git::keeping() else { return };
    let lines = format!("{}{}password_expiry_utc=1\n", at("old.tld"), pair("user", "pass"));
    git.world.ask(&["git", "store"], lines).silent();
    assert_eq!(git.world.holdings(), [""; 0]);
}

#[test]
fn a_plain_store_keeps_nothing_unless_told() {
    for config in ["", "keep = \"sealed\"\n", "keep = \"never\"\n"] {
        let Some(git) = Git::new(config) else { return };
        store(&git, "example.com", "user", "pass");
        git.reject(&at("example.com"));
        git.fills(&at("example.com"), &asked("example.com"));
        assert_eq!(git.world.holdings(), [""; 0], "{config:?}");
    }
}

#[test]
fn a_served_place_hides_and_refuses_kept_passwords() {
    let Some(git) = Git::keeping() else { return };
    let idp = Idp::start();
    let place = at("git.example.com");
    store(&git, "git.example.com", "user", "from-before");
    store(&git, "other.example.com", "user", "stays");
    let table = World::account("work", &idp, r#"["https://git.example.com"]"#);
    git.world.config(&format!("keep = \"always\"\n{table}"));
    git.world.sign_in();
    let holdings = git.world.holdings();
    store(&git, "git.example.com", "user", "typed-by-hand");
    assert_eq!(git.world.holdings(), holdings);
    let done = git.run("a.b=c", "fill", &place).expect(0);
    assert!(done.out.contains(&git.world.token()), "{done:?}");
    git.fills(&at("other.example.com"), &(at("other.example.com") + &pair("user", "stays")));
}

#[test]
fn kept_passwords_lie_in_private_files_with_hashed_names() {
    use std::os::unix::fs::PermissionsExt;
    let Some(git) = Git::keeping() else { return };
    store(&git, "secret-project.tld", "user", "pass");
    let mut folders = vec![git.world.data("")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert!(!entry.file_name().to_string_lossy().contains("secret-project"), "{entry:?}");
            assert_eq!(mode & 0o077, 0, "{entry:?} is {mode:o}");
            seen += 1;
            if entry.metadata().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 0);
}
