//! A D-Bus session of our own with gnome-keyring on it: unlocked, locked, stopped, gone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::idp::Idp;
use crate::record;
use crate::runs::{Done, has, until};
use crate::world::World;

/// By which hallpass finds its one item.
const ITEM: [&str; 4] = ["service", "hallpass", "username", "data-key"];

const SECRETS: &str = "org.freedesktop.secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";

/// Nothing can be activated on this bus, so that nothing is ever started but what we start.
const BUS: &str = r#"<busconfig><type>session</type><listen>unix:path=SOCKET</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

/// Ended when the test ends, whatever state it is in.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id() as i32).unwrap(), signal).unwrap();
    }
}

pub struct Keychain {
    dir: TempDir,
    bus: Daemon,
    secrets: Option<Daemon>,
}

impl Keychain {
    /// Unlocked and empty. None where the programs for it are missing.
    pub fn start() -> Option<Keychain> {
        let programs = ["dbus-daemon", "dbus-send", "dbus-monitor", "gnome-keyring-daemon", "secret-tool"];
        if !programs.into_iter().all(has) || !kernel_caches() {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("hallpass-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        let config = dir.path().join("bus.conf");
        fs::write(&config, BUS.replace("SOCKET", run.join("bus").to_str().unwrap())).unwrap();
        let mut bus = dressed(dir.path(), "dbus-daemon");
        bus.arg("--config-file").arg(config).args(["--nofork", "--nopidfile"]);
        let bus = Daemon(bus.stdin(Stdio::null()).spawn().unwrap());
        let mut keychain = Keychain { dir, bus, secrets: None };
        // A secret service that finds no bus goes on without one.
        until("a bus", || (keychain.ping().code == Some(0)).then_some(()));
        keychain.unlock();
        Some(keychain)
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }
    pub fn address(&self) -> String {
        address(&self.runtime_dir().join("bus"))
    }
    /// A program on this bus; what it printed.
    fn ask(&self, program: &str, args: &[&str]) -> Done {
        dressed(self.dir.path(), program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .output()
            .unwrap()
            .into()
    }
    fn call(&self, destination: &str, path: &str, args: &[&str]) -> Done {
        let destination = format!("--dest={destination}");
        self.ask("dbus-send", &[&["--session", "--print-reply", &destination, path], args].concat())
    }
    fn ping(&self) -> Done {
        self.call("org.freedesktop.DBus", "/", &["org.freedesktop.DBus.GetId"])
    }
    fn property(&self, name: &str) -> String {
        let interface = "string:org.freedesktop.Secret.Collection";
        let args = ["org.freedesktop.DBus.Properties.Get", interface, &format!("string:{name}")];
        self.call(SECRETS, COLLECTION, &args).expect(0).out
    }

    /// The daemon, started (again) with the password of its collection.
    pub fn unlock(&mut self) {
        self.end();
        let mut command = dressed(self.dir.path(), "gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut daemon = Daemon(command.stdin(Stdio::piped()).spawn().unwrap());
        daemon.0.stdin.take().unwrap().write_all(b"secret").unwrap();
        self.secrets = Some(daemon);
        let owned = ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"];
        until("a secret service", || {
            self.call("org.freedesktop.DBus", "/", &owned).out.contains("boolean true").then_some(())
        });
        assert!(self.property("Locked").contains("boolean false"));
    }
    pub fn lock(&self) {
        let args = ["org.freedesktop.Secret.Service.Lock", &format!("array:objpath:{COLLECTION}")];
        self.call(SECRETS, "/org/freedesktop/secrets", &args).expect(0);
        assert!(self.property("Locked").contains("boolean true"));
    }
    /// The daemon keeps its name on the bus and says nothing any more.
    pub fn stop(&self) {
        self.secrets.as_ref().unwrap().signal(Signal::STOP);
    }
    pub fn go_on(&self) {
        self.secrets.as_ref().unwrap().signal(Signal::CONT);
    }
    /// The bus itself accepts connections and says nothing any more.
    pub fn stop_bus(&self) {
        self.bus.signal(Signal::STOP);
    }
    /// No secret service on the bus.
    pub fn end(&mut self) {
        self.secrets = None;
    }

    /// How many items it keeps, of whomever.
    pub fn items(&self) -> usize {
        self.property("Items").matches("object path").count()
    }
    /// What hallpass keeps in it.
    pub fn key(&self) -> Option<Vec<u8>> {
        let item = self.ask("secret-tool", &[&["lookup"], &ITEM[..]].concat()).out;
        (!item.is_empty()).then(|| item.into_bytes())
    }
    pub fn key_id(&self) -> String {
        record::key_id(&self.key().expect("a key in the keychain"))
    }
    /// The file of this account's record, which is sealed with our key.
    pub fn file(&self, world: &World, account: &str) -> PathBuf {
        world.data(&format!("{account}@{}", self.key_id()))
    }
    pub fn record(&self, world: &World, account: &str) -> Value {
        record::unseal(&self.file(world, account), &self.key().unwrap())
    }
    /// Makes every token of the record of `work` this much older.
    pub fn shift(&self, world: &World, seconds: i64) {
        let mut record = self.record(world, "work");
        record::shift(&mut record, seconds);
        record::seal(&self.file(world, "work"), &self.key().unwrap(), &record);
    }
    /// The key in its item, whatever was there.
    pub fn put_key(&self, key: &[u8]) {
        let mut command = dressed(self.dir.path(), "secret-tool");
        command.args(["store", "--label=hallpass data key"]).args(ITEM);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), key).unwrap();
        assert!(child.wait().unwrap().success());
    }
    pub fn forget_key(&self) {
        self.ask("secret-tool", &[&["clear"], &ITEM[..]].concat()).expect(0);
        assert_eq!(self.items(), 0);
    }

    /// What `during` calls on the bus, as `member=NAME` lines of the secret service's interfaces.
    pub fn watch(&self, during: impl FnOnce()) -> String {
        let log = self.dir.path().join("monitor");
        let mut command = dressed(self.dir.path(), "dbus-monitor");
        command.args(["--session", "type=method_call"]).stdout(fs::File::create(&log).unwrap());
        let monitor = Daemon(command.stdin(Stdio::null()).spawn().unwrap());
        let text = || fs::read_to_string(&log).unwrap();
        let saw = |text: &str| text.contains("member=GetId");
        until("the monitor", || (self.ping().code == Some(0) && saw(&text())).then_some(()));
        let before = text().len();
        during();
        until("the monitor's end", || (self.ping().code == Some(0) && saw(text().get(before..)?)).then_some(()));
        drop(monitor);
        let seen = text().split_off(before);
        seen.lines()
            .filter(|line| line.contains("interface=org.freedesktop.Secret."))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// One account `work` and this keychain; not signed in.
    pub fn world(&self, idp: &Idp) -> World {
        let mut world = World::new(idp);
        self.serve(&mut world);
        world
    }
    pub fn signed_in(&self, idp: &Idp) -> World {
        let world = self.world(idp);
        world.sign_in();
        world
    }
    /// The world finds this keychain and no other.
    pub fn serve(&self, world: &mut World) {
        world.unset("HALLPASS_STORE");
        world.set("DBUS_SESSION_BUS_ADDRESS", self.address());
    }
}

/// A socket that takes connections and never says a word. As a D-Bus address, while the listener lives.
pub fn mute(world: &World) -> (UnixListener, String) {
    let path = world.path("mute");
    (UnixListener::bind(&path).unwrap(), address(&path))
}

/// How many have come to a [`mute`] socket since it was last asked.
pub fn callers(mute: &UnixListener) -> usize {
    mute.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| mute.accept().ok()).count()
}

fn address(socket: &Path) -> String {
    format!("unix:path={}", socket.display())
}

fn dressed(home: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("DBUS_SESSION_BUS_ADDRESS", address(&home.join("run/bus")))
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether this kernel keeps keys for us; many containers do not allow it.
fn kernel_caches() -> bool {
    if !has("keyctl") {
        return false;
    }
    let name = format!("hallpass-test-{}", std::process::id());
    let keyctl = |args: &[&str]| Done::from(Command::new("keyctl").args(args).output().unwrap());
    let added = keyctl(&["add", "user", &name, "x", "@u"]);
    let works = added.code == Some(0);
    if works {
        keyctl(&["unlink", added.out.trim(), "@u"]);
    } else {
        crate::runs::skip("the kernel keeps no keys here");
        assert!(std::env::var_os("CI").is_none(), "the kernel keeps no keys in CI");
    }
    works
}
