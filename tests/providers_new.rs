//! Rows that nobody signed in to: they claim nothing, cost nothing, and say what a sign-in needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml_edit::{Document, Item};

use crate::idp::Idp;
use crate::world::World;

/// Every row by name.
fn rows() -> BTreeMap<String, Document<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/providers");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap().parse().unwrap())).collect()
}

fn text<'a>(row: &'a Document<String>, table: &str, key: &str) -> Option<&'a str> {
    row.get(table)?.get(key)?.as_str()
}

fn list(row: &Document<String>, table: &str, key: &str) -> Vec<String> {
    let array = row.get(table).and_then(|table| table.get(key)).and_then(Item::as_array);
    array.into_iter().flatten().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// The routes of a world that has been asked something.
fn routes(world: &World) -> Vec<String> {
    let folders = fs::read_dir(world.data("routes")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_row_that_nobody_signed_in_to_claims_no_place() {
    let world = World::bare();
    for host in ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "dev.azure.com", "huggingface.co"] {
        let asked = world.ask(&["git", "get"], format!("protocol=https\nhost={host}\n\n")).expect(0);
        assert_eq!((asked.out.as_str(), asked.err.as_str()), ("", ""), "{host}");
        world.run(&["get", &format!("https://{host}/")]).refused(&[3], &[host]);
    }
    let hub = world.ask(&["docker", "get"], "https://index.docker.io/v1/");
    assert!(hub.out.contains("credentials not found"), "{hub:?}");
    // Its own accounts are there without configuration, and nothing else is.
    let of_rows = ["account_autocom", "account_whet", "http___localhost_7891", "https___api.autocom.wexron.io_443"];
    assert_eq!(routes(&world), of_rows, "what a hit looks among");
    assert_eq!(world.run(&["accounts"]).expect(0).out, "");
    let status = world.run(&["status"]).expect(0).out;
    assert!(status.starts_with("no accounts") && status.lines().count() == 1 && !status.contains("github"), "{status}");
    assert!(!world.run(&["completions", "bash"]).expect(0).out.contains("bitbucket"));
    assert!(!world.config_file().exists());
}

#[test]
fn who_has_no_client_reads_where_one_is_registered_and_how() {
    let mut looked_at = 0;
    for (name, row) in rows() {
        // Some name themselves with a slash at the end.
        let slash = text(&row, "account", "issuer").is_some_and(|issuer| issuer.ends_with('/'));
        let idp = Idp::builder().under(if slash { "/" } else { "" }).start();
        let here = idp.issuer.trim_end_matches('/');
        let world = World::bare();
        let moves = row.raw().lines().any(|line| !line.starts_with('#') && line.contains("{api"));
        let mut args = vec!["login", &name];
        if moves {
            args.extend(["--api-url", here]);
        }
        if text(&row, "account", "flow") == Some("token") {
            let needs = list(&row, "provider", "needs");
            if let Some(key) = needs.first() {
                world.run(&args).refused(&[10], &[&name, key, &format!("[account.{name}]")]);
            }
            continue;
        } else if text(&row, "account", "registration_endpoint").is_some() {
            // It needs no client, and perhaps something else.
            let needs = list(&row, "provider", "needs");
            if !needs.is_empty() {
                let said = world.run(&args).refused(&[10], &[&name, &format!("[account.{name}]")]).err;
                assert!(needs.iter().all(|key| said.contains(key.as_str())), "{name}: {said}");
            }
            continue;
        } else {
            looked_at += 1;
            let said = world.run(&args).refused(&[10], &[&name, "client_id"]).err;
            if !["autocom", "warmhub"].contains(&name.as_str()) {
                let page = text(&row, "provider", "client_page").unwrap().replace("{api_url}", here);
                let uri = text(&row, "account", "redirect_uri").unwrap();
                let ports = list(&row, "account", "redirect_ports");
                let with = |port: &String| uri.replacen("/callback", &format!(":{}/callback", port.trim()), 1);
                let uris: Vec<_> = if ports.is_empty() { vec![uri.into()] } else { ports.iter().map(with).collect() };
                for words in uris.iter().chain([&page]) {
                    assert!(said.contains(words.as_str()), "{name}: no {words}: {said}");
                }
            }
            let needs = list(&row, "provider", "needs");
            assert!(needs.iter().all(|key| said.contains(key.as_str())), "{name}: {said}");
            let variable = format!("HALLPASS_CLIENT_ID_{}", name.to_uppercase().replace('-', "_"));
            let variable = text(&row, "provider", "client_id_env").unwrap_or(&variable);
            assert!(!needs.is_empty() || said.contains(variable), "{name}: {said}");
        }
        assert!(!world.config_file().exists(), "{name}: nothing is claimed by a sign-in that cannot begin");
        assert_eq!(world.holdings(), [""; 0], "{name}");
    }
    assert!(looked_at > 15, "{looked_at}");
}

#[test]
fn what_is_in_one_place_is_not_signed_in_to_elsewhere() {
    let world = World::bare();
    world
        .run(&["login", "github", "--api-url", "https://git.example.com", "--client-id", "cli"])
        .refused(&[10], &["github", "https://github.com"]);
    world.run(&["login", "keycloak"]).refused(&[10], &["keycloak", "--api-url"]);
    world.run(&["login", "keycloak", "--issuer", "https://id.example.com"]).refused(&[2], &["--api-url"]);
    assert!(!world.config_file().exists());
}

#[test]
fn a_place_of_a_provider_is_recognised() {
    let world = World::bare();
    // Nobody goes there from here: the proxy is not there.
    let login = |url: &str| crate::runs::done(world.hallpass(&["login", url]).env("HTTPS_PROXY", "http://127.0.0.1:9"));
    login("https://github.com/hal/pass.git").refused(&[10], &["`hallpass login github`"]);
    login("https://eu.pkg.dev/").refused(&[10], &["`hallpass login google`"]);
    login("https://elsewhere.example/").refused(&[10], &["--issuer URL"]);
}

#[test]
fn a_second_account_of_a_provider_has_a_name_of_its_own() {
    let world = World::bare();
    let login = |name: &str| {
        let usual = ["login", "github", "--client-id", "cli", "--account", name, "--scope", "gist"];
        // Nobody goes to github.com from here: its name is not known without a proxy that is not there.
        let mut command = world.hallpass(&usual);
        crate::runs::done(command.env("HTTPS_PROXY", "http://127.0.0.1:9")).refused(&[6], &[name]);
    };
    login("github");
    login("work");
    let text = world.config_text();
    for table in ["[account.github]", "[account.work]"] {
        assert!(
            text.contains(&format!("{table}\nprovider = \"github\"\nclient_id = \"cli\"\nscope = [\"gist\"]\n")),
            "{text}"
        );
    }
}

/// `integrations/providers/README.md` has a line for each row, and no other.
#[test]
fn the_table_lists_every_row() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/providers/README.md")).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("| [`")?.split_once("`]("));
    let lines: Vec<_> = lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect();
    let rows = rows();
    assert_eq!(lines.iter().map(|(name, _)| name).collect::<Vec<_>>(), rows.keys().collect::<Vec<_>>());
    for (name, rest) in lines {
        assert!(rest.starts_with(&format!("{name}.toml)")), "{name}");
        let row = &rows[&name];
        let says = |words: &str, is_so: bool| assert_eq!(rest.contains(words), is_so, "{name}: {words}: {rest}");
        let own = text(row, "provider", "api_url").is_some();
        says("`--api-url`", !own);
        says("a secret", list(row, "provider", "needs").contains(&"client_secret_file".to_owned()));
        says("device", text(row, "account", "flow") == Some("device"));
        says("a token", text(row, "account", "flow") == Some("token"));
        let username = text(row, "account", "username").unwrap_or("oauth2");
        says(&format!("`{username}`"), text(row, "account", "username").is_some());
    }
}
