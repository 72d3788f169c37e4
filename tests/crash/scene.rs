//! A world in which every run can begin from the same place: a live session in the record, of a chosen age.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::grants::State;
use crate::idp::Idp;
use crate::record;
use crate::secret_service::Keychain;
use crate::world::World;

/// A generation with room below it.
const GENERATION: u64 = 5;

pub struct Scene {
    pub world: World,
    pub idp: Idp,
    keychain: Option<(Keychain, Vec<u8>)>,
    /// A session as a real sign-in left it; each run gets other tokens.
    template: Value,
    /// Files of the data folder that every run begins with, by name.
    kept: Vec<(PathBuf, Vec<u8>)>,
}

/// What the record says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub generation: u64,
    pub refresh: Option<String>,
    pub access: String,
}

impl Scene {
    /// Sessions in plain files.
    pub fn plain(idp: Idp) -> Scene {
        Scene::new(World::new(&idp), idp, None)
    }

    /// Sealed ones; None where no keychain can be had.
    pub fn sealed(idp: Idp) -> Option<Scene> {
        let keychain = Keychain::start()?;
        Some(Scene::new(keychain.world(&idp), idp, Some(keychain)))
    }

    fn new(world: World, idp: Idp, keychain: Option<Keychain>) -> Scene {
        let keep = if keychain.is_some() { "sealed" } else { "always" };
        world.config(&format!("keep = \"{keep}\"\n{}", world.config_text()));
        // Routes are written only for a configuration that has settled.
        let settled = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        File::options().write(true).open(world.config_file()).unwrap().set_modified(settled).unwrap();
        world.sign_in();
        let keychain = keychain.map(|keychain| {
            let key = keychain.key().unwrap();
            (keychain, key)
        });
        let mut scene = Scene { world, idp, keychain, template: Value::Null, kept: Vec::new() };
        scene.template = scene.json().unwrap();
        scene.world.token(); // writes the routes
        scene
    }

    pub fn record_file(&self) -> PathBuf {
        match &self.keychain {
            Some((_, key)) => self.world.data(&format!("work@{}", record::key_id(key))),
            None => self.world.data("work"),
        }
    }

    /// What lies in the data folder now belongs to every later beginning, but for the session.
    pub fn keep(&mut self) {
        let mut files = Vec::new();
        walk(&self.world.data(""), &mut files);
        files.retain(|file| !file.file_name().unwrap().to_string_lossy().starts_with("work"));
        self.kept = files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    }

    /// The keychain holds the key that the records of every beginning are sealed with.
    pub fn bring_back_key(&self) {
        if let Some((keychain, key)) = &self.keychain {
            keychain.put_key(key);
        }
    }

    /// Nobody is signed in.
    pub fn nobody(&self) {
        let data = self.world.data("");
        for entry in fs::read_dir(&data).unwrap().flatten() {
            let path = entry.path();
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.unwrap();
        }
        for (path, bytes) in &self.kept {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(path, mode).unwrap();
        }
    }

    /// A new session at the server and in the record, with a token that was obtained this many seconds ago.
    pub fn begin(&self, age: i64) -> Held {
        self.nobody();
        self.session(age)
    }

    /// The same over what is there: as a sign-in would.
    pub fn session(&self, age: i64) -> Held {
        let answer = self.idp.begin();
        let mut session = self.template.clone();
        let generation = self.held().map_or(GENERATION, |held| held.generation + 1);
        session["generation"] = json!(generation);
        session["refresh_token"] = answer["refresh_token"].clone();
        let token = &mut session["tokens"][0];
        token["secret"] = answer["access_token"].clone();
        token["obtained_at"] = json!(crate::grants::now());
        token["expires_at"] = json!(crate::grants::now() + answer["expires_in"].as_i64().unwrap());
        record::shift(&mut session, age);
        self.write(&session);
        let seen = format!("{}.seen", self.record_file().display());
        fs::write(seen, generation.to_string()).unwrap();
        self.held().unwrap()
    }

    pub fn write(&self, session: &Value) {
        match &self.keychain {
            Some((_, key)) => record::seal(&self.record_file(), key, session),
            None => record::write(&self.record_file(), session),
        }
    }

    /// The clock jumps: every token of the record is this much older, and so is an intent that was left behind.
    pub fn shift(&self, seconds: i64) {
        let mut session = self.json().expect("a record");
        record::shift(&mut session, seconds);
        self.write(&session);
        let next = self.next_file();
        let Ok(bytes) = fs::read(&next) else { return };
        let Some(line) = bytes.get(..256).and_then(|line| line.strip_prefix(b"hallpass-intent ")) else { return };
        let Ok(mut intent) = serde_json::from_slice::<Value>(line.trim_ascii_end()) else { return };
        intent["since"] = json!(intent["since"].as_i64().unwrap() - seconds);
        let line = format!("{:255}\n", format!("hallpass-intent {intent}"));
        fs::write(&next, [line.as_bytes(), &bytes[256..]].concat()).unwrap();
    }

    pub fn next_file(&self) -> PathBuf {
        PathBuf::from(format!("{}.next", self.record_file().display()))
    }

    fn json(&self) -> Option<Value> {
        self.read(&self.record_file()).unwrap()
    }

    /// A record file; None if there is none, an error if it is torn.
    fn read(&self, path: &Path) -> Result<Option<Value>, String> {
        let Ok(bytes) = fs::read(path) else { return Ok(None) };
        let json = match &self.keychain {
            // The journal is sealed under the record's name.
            Some((_, key)) => record::open(&self.record_file(), &bytes, key),
            None => record::parse(&bytes),
        };
        json.map(Some).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// The record; an error if it is torn.
    pub fn look(&self) -> Result<Option<Held>, String> {
        Ok(self.read(&self.record_file())?.as_ref().map(Held::of))
    }

    pub fn held(&self) -> Option<Held> {
        self.look().unwrap()
    }

    /// When the token was obtained, as the record says.
    pub fn obtained_at(&self) -> i64 {
        self.json().expect("a record")["tokens"][0]["obtained_at"].as_i64().expect("a time")
    }

    /// What the next holder of the lock will go on from: the record, or a complete newer one beside it.
    pub fn going_on(&self) -> Option<Held> {
        let held = self.held()?;
        let next = self.read(&self.next_file()).ok().flatten().as_ref().map(Held::of); // one that is not complete is no news
        Some(next.filter(|next| next.generation > held.generation).unwrap_or(held))
    }

    /// Whether the server exchanged the refresh token that is kept here, and its answer never came to be kept.
    pub fn answer_was_lost(&self) -> bool {
        let refresh = self.going_on().and_then(|held| held.refresh);
        refresh.is_some_and(|refresh| self.idp.state(&refresh) == State::Spent)
    }

    /// Files that no later run would use or clear away.
    pub fn strays(&self) -> Vec<String> {
        let record = self.record_file().file_name().unwrap().to_string_lossy().into_owned();
        let mut files = Vec::new();
        walk(&self.world.data(""), &mut files);
        let names = files
            .into_iter()
            .map(|file| file.strip_prefix(self.world.data("")).unwrap().to_string_lossy().into_owned());
        let own = |name: &str| {
            let suffix = name.strip_prefix(&record).or_else(|| name.strip_prefix("work"));
            let ours = ["", ".seen", ".lock", ".signin", ".ahead", ".mark", ".setback"];
            suffix.is_some_and(|suffix| ours.contains(&suffix))
                || (name.starts_with("routes/") && !name.contains("/."))
                || (name.starts_with('+') && !name.ends_with(".next"))
        };
        names.filter(|name| !own(name)).collect()
    }

    /// Whether both locks can be had at once.
    pub fn locks_are_free(&self) -> bool {
        ["work.lock", "work.signin"].iter().all(|name| match File::open(self.world.data(name)) {
            Ok(file) => file.try_lock().is_ok(),
            Err(_) => true,
        })
    }

    /// The kernel forgets the key: the next call must ask the keychain.
    pub fn forget_cached_key(&self) {
        self.world.run(&["lock"]).expect(0);
    }
}

impl Held {
    pub fn of(json: &Value) -> Held {
        Held {
            generation: json["generation"].as_u64().expect("a generation"),
            refresh: json["refresh_token"].as_str().map(str::to_owned),
            access: json["tokens"][0]["secret"].as_str().expect("a token").to_owned(),
        }
    }
}

/// Every file below, and every folder that stands aside.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_aside = entry.file_name().as_encoded_bytes().starts_with(b".");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_aside => walk(&entry.path(), files),
            _ => files.push(entry.path()),
        }
    }
}
