//! A tour of hallpass on one machine: `cargo run --example demo [-- --by-itself]`.
//!
//! Builds the binary, starts an authorization server, a git host and a Kubernetes API on 127.0.0.1, signs in once and
//! lets real tools ask. Whatever it says it has measured; what turns out otherwise ends the tour with exit code 1.

mod authorization_server;
mod browser;
mod crowd;
mod git_host;
mod grants;
mod kubernetes;
mod scene;
mod screen;

use std::io::IsTerminal;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use authorization_server::AuthorizationServer;
use crowd::CALLERS;
use git_host::GitHost;
use grants::{CLIENT, Kind, PERSON};
use kubernetes::Kubernetes;
use scene::{Done, Interrupted, Scene, find};
use screen::{Screen, short};

const USAGE: &str = "usage: cargo run --example demo [-- --by-itself]";
/// For a person to find the button.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a tool to end.
const LIMIT: Duration = Duration::from_secs(30);
/// The life of the token that is to expire while we watch.
const SHORT_LIFE: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => tour(false),
        ["--by-itself"] => tour(true),
        // The tour starts this program again in these two roles.
        [browser::ROLE, url] => browser::press_allow(url),
        [browser::CURL, .., header, url] => browser::fetch(header, url).and_then(|page| Screen::new().say(&page)),
        _ => {
            screen::complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) if why.is::<Interrupted>() => ExitCode::from(130),
        Err(why) => {
            screen::complain(&format!("demo: error: {why:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything on stage.
struct Stage {
    screen: Screen,
    scene: Scene,
    server: Arc<AuthorizationServer>,
    git_host: Option<GitHost>,
    kubernetes: Kubernetes,
}

fn tour(by_itself: bool) -> Result<()> {
    let mut stage = set_the_stage()?;
    stage.sign_in(by_itself)?;
    stage.git()?;
    stage.kubectl()?;
    stage.shell()?;
    stage.status()?;
    stage.a_hit()?;
    stage.a_crowd()?;
    stage.how_to_go_on()?;
    stage.scene.remove()
}

fn set_the_stage() -> Result<Stage> {
    let stop = scene::stop_on_signals()?;
    let mut screen = Screen::new();
    screen.opening("hallpass: sign in once, and every tool gets a fresh token")?;
    screen.say("Everything below runs on 127.0.0.1 and in a scratch home that is removed at the end.")?;
    screen.say("Building the binary: cargo build --bin hallpass (minutes on a fresh machine)")?;
    let began = Instant::now();
    let scene = Scene::new(scene::build(&stop)?, stop)?;
    screen.say(&format!("  built in {:.1} s", began.elapsed().as_secs_f32()))?;

    let server = AuthorizationServer::start()?;
    let git_host = GitHost::start(&scene, server.clone())?;
    let kubernetes = Kubernetes::start(server.clone())?;
    screen.say(&format!("  {}  authorization server: a refresh token is good once", server.issuer))?;
    match &git_host {
        Some(host) => screen.say(&format!("  {}  git host: git http-backend, for valid tokens only", host.url))?,
        None => screen.say("  no git host: `git http-backend` is not here")?,
    }
    screen.say(&format!("  {}  Kubernetes API, a stub with one pod", kubernetes.url))?;
    screen.say("HALLPASS_STORE=file: tokens are kept in a plain file there. Your keychain is not touched.")?;

    let serves = match &git_host {
        Some(host) => format!("\"{}\", \"{}\"", host.url, server.issuer),
        None => format!("\"{}\"", server.issuer),
    };
    scene.write(
        scene::CONFIG,
        &format!(
            "[account.work]\nissuer = \"{}\"\nclient_id = \"{}\"\nscope = [\"openid\", \"offline_access\"]\n\
             serves = [{serves}]\n",
            server.issuer, CLIENT
        ),
    )?;
    Ok(Stage { screen, scene, server, git_host, kubernetes })
}

impl Stage {
    /// Shows a command line, runs it, and shows what came; anything but exit 0 ends the tour.
    fn show(&mut self, line: &str, command: Command) -> Result<Done> {
        self.screen.command(line)?;
        let done = self.scene.start(line, command)?.end(LIMIT)?;
        if !done.is_well() {
            self.screen.output(&done.both())?;
            bail!("`{line}` ended with {}", done.ending());
        }
        Ok(done)
    }

    fn sign_in(&mut self, by_itself: bool) -> Result<()> {
        self.screen.title("1. Sign in, once")?;
        let here = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if !by_itself && here && browser::is_here() && self.ask_the_person()? {
            return Ok(());
        }
        let mut command = self.scene.hallpass(&["login"]);
        command.env("BROWSER", browser::as_variable()?);
        let done = self.show("hallpass login", command)?;
        self.screen.output(&done.err)?;
        ensure!(done.err.contains(PERSON), "nobody called {PERSON} was signed in");
        self.screen.fact("by itself: a small browser of the demo's own pressed Allow on the consent page")
    }

    /// Whether the person pressed Allow in the browser that hallpass opened.
    fn ask_the_person(&mut self) -> Result<bool> {
        let time = format!("{}s", PATIENCE.as_secs());
        self.screen.command(&format!("hallpass login --timeout {time}"))?;
        self.screen.say(&format!("    Press Allow in your browser; after {time} the tour goes on by itself"))?;
        let command = self.scene.at_the_desktop(&["login", "--timeout", &time]);
        let done = self.scene.start("hallpass login", command)?.end(PATIENCE + LIMIT)?;
        if done.is_well() {
            self.screen.fact("you pressed Allow")?;
            return Ok(true);
        }
        self.screen.fact(&format!("no sign-in that way ({}); going on by itself", done.ending()))?;
        Ok(false)
    }

    fn git(&mut self) -> Result<()> {
        self.screen.title("2. git asks for a credential")?;
        let Some(host) = &self.git_host else { return self.screen.fact("git http-backend is not here: skipped") };
        let (repository, commit) = (host.repository(), host.commit.clone());
        let helper = include_str!("../git/gitconfig").replace("https://git.example.com", &host.url);
        ensure!(helper.contains(&host.url), "integrations/git/gitconfig names another example host");
        self.scene.write(".gitconfig", &helper)?;

        let done =
            self.show(&format!("git ls-remote {repository}"), self.scene.tool("git", &["ls-remote", &repository]))?;
        self.screen.output(&done.out)?;
        ensure!(done.out.contains(&commit), "git ls-remote did not name commit {commit}");
        let done = self.show(&format!("git clone {repository}"), self.scene.tool("git", &["clone", &repository]))?;
        self.screen.output(&done.err)?;
        let readme =
            std::fs::read_to_string(self.scene.home().join("hello/README")).context("the clone has no README")?;
        ensure!(readme == git_host::README, "the clone's README says {readme:?}");
        let Some(seen) = self.git_host.as_ref().map(GitHost::seen) else { return Ok(()) };
        ensure!(seen.basic + seen.bearer > 0 && seen.wrong == 0, "the git host saw {seen:?}");
        self.screen.fact(&format!(
            "the host turned away {} requests without a token and served {} with one (Basic {}, Bearer {})",
            seen.bare,
            seen.basic + seen.bearer,
            seen.basic,
            seen.bearer
        ))
    }

    fn kubectl(&mut self) -> Result<()> {
        self.screen.title("3. kubectl runs its plugin")?;
        let Some(kubectl) = kubernetes::kubectl() else { return self.screen.fact("kubectl is not here: skipped") };
        let config = include_str!("../kubectl/kubeconfig.yaml");
        self.scene.write(".kube/config", &self.kubernetes.kubeconfig(config)?)?;
        let done = self.show("kubectl get pods", self.scene.tool(kubectl, &["get", "pods"]))?;
        self.screen.output(&done.out)?;
        let seen = self.kubernetes.seen();
        ensure!(done.out.contains(kubernetes::POD), "kubectl did not show the pod {}", kubernetes::POD);
        ensure!(seen.served > 0 && seen.refused == 0, "the Kubernetes API saw {seen:?}");
        self.screen.fact(&format!("the API served {} requests with the id_token of {PERSON}", seen.served))
    }

    fn shell(&mut self) -> Result<()> {
        self.screen.title("4. A script asks")?;
        let Some(shell) = find("sh") else { return self.screen.fact("sh is not here: skipped") };
        let header = "-H \"Authorization: Bearer $(hallpass get)\"";
        let userinfo = format!("{}/userinfo", self.server.issuer);
        let line = format!("curl -sS {header} {userinfo}");
        // Where curl is missing, a function of that name is this program.
        let stand_in = format!("curl() {{ {} {} \"$@\"; }}; ", browser::program()?, browser::CURL);
        let script = if find("curl").is_some() { line.clone() } else { stand_in + &line };
        let done = self.show(&line, self.scene.tool(shell, &["-c", &script]))?;
        self.screen.output(&done.out)?;
        ensure!(done.out.contains(PERSON), "the server did not answer with {PERSON}");
        if script == line {
            Ok(())
        } else {
            self.screen.fact("curl is not here: a stand-in of the demo's own made the request")
        }
    }

    fn status(&mut self) -> Result<()> {
        self.screen.title("5. What is kept, and how")?;
        let done = self.show("hallpass status", self.scene.hallpass(&["status"]))?;
        self.screen.output(&done.out)?;
        let token = self.a_token()?;
        ensure!(done.out.contains(PERSON), "`hallpass status` does not name {PERSON}");
        ensure!(done.out.contains("NOT sealed"), "`hallpass status` does not say that the tokens lie in a plain file");
        ensure!(!done.out.contains(&token), "`hallpass status` shows a whole token");
        Ok(())
    }

    fn a_hit(&mut self) -> Result<()> {
        self.screen.title("6. A hit")?;
        let before = self.server.seen();
        let done = self.show("hallpass get", self.scene.hallpass(&["get"]))?;
        let after = self.server.seen();
        let token = done.out.trim_end();
        self.screen.output(&short(token))?;
        let requests = after.requests - before.requests;
        ensure!(
            self.server.knows(token, Kind::Access),
            "the server does not know the token that `hallpass get` printed"
        );
        ensure!(requests == 0, "a hit made {requests} requests to the authorization server");
        self.screen.fact(&format!("{requests} requests to the authorization server, {} ms", done.took.as_millis()))
    }

    fn a_crowd(&mut self) -> Result<()> {
        self.screen.title("7. A crowd: the token expires, and everybody asks at once")?;
        let life = SHORT_LIFE.as_secs();
        self.server.tokens_live(SHORT_LIFE);
        let done = self.show("hallpass refresh", self.scene.hallpass(&["refresh"]))?;
        self.screen.output(&done.err)?;
        let old = self.a_token()?;
        self.server.tokens_live(authorization_server::LIFE);
        self.scene.pause(SHORT_LIFE + Duration::from_secs(1))?;
        ensure!(!self.server.knows(&old, Kind::Access), "the token of {life} s is still good");
        self.screen.say(&format!("    {} expired after {life} s; now {CALLERS} times `hallpass get`", short(&old)))?;

        let crowd = crowd::gather(&self.scene, &self.server)?;
        self.screen.fact(&crowd.to_string())
    }

    /// The token that scripts get now; not shown.
    fn a_token(&self) -> Result<String> {
        let done = self.scene.start("hallpass get", self.scene.hallpass(&["get"]))?.end(LIMIT)?;
        ensure!(done.is_well(), "`hallpass get` ended with {}: {}", done.ending(), done.err);
        Ok(done.out.trim_end().to_owned())
    }

    fn how_to_go_on(&mut self) -> Result<()> {
        self.screen.title("With your own: hallpass login https://git.example.com --issuer URL --client-id ID, then")?;
        self.screen.say("  git      hallpass setup git")?;
        self.screen.say("  kubectl  hallpass setup kubectl")?;
        self.screen.say("  shell    TOKEN=$(hallpass get) || exit")
    }
}
