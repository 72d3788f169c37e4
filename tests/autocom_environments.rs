//! autocom: environments side by side, and a token that stands in the environment.

use std::fs;

use crate::autocom::{age, every_door_gives, json, with};
use crate::autocom_more::files;
use crate::autocom_server::{CONFIGURED, Platform, TENANTS};
use crate::runs::ECHO_T;
use crate::world::World;

/// Two platforms whose sessions a person keeps side by side, each with its own URL and token.
fn two(world: &World) -> [(Platform, String, String, String); 2] {
    ["production", "staging"].map(|name| {
        let platform = Platform::start();
        let (api_url, pat) = (platform.api_url(), platform.pat());
        let login = ["login", "autocom", "--api-url", &api_url, "--account", name, "--tenant", "acme", "--token-stdin"];
        with(world, &[], &login, &pat).expect(0);
        (platform, api_url, name.to_owned(), pat)
    })
}

#[test]
fn two_environments_live_side_by_side() {
    let world = World::bare();
    let both = two(&world);
    let configuration = world.config_text();
    for (platform, api_url, name, pat) in &both {
        let (_, rest) = api_url.split_once("://").unwrap();
        for url in [api_url.clone(), format!("{api_url}/"), format!("HTTP://{}", rest)] {
            let here = ["--api-url", &url];
            let run = |args: &[&str]| world.run(&[args, &here].concat()).expect(0).out;
            assert_eq!(run(&["get"]), format!("{pat}\n"));
            assert_eq!(world.run(&[&here, ["get"].as_slice()].concat()).expect(0).out, format!("{pat}\n"));
            assert_eq!(run(&["header"]), format!("Authorization: Bearer {pat}\nX-Tenant: acme\n"));
            let answer = json(world.ask(&["json", "get", here[0], here[1]], "{}"));
            assert_eq!((&answer["account"], &answer["token"]), (&name.as_str().into(), &pat.as_str().into()));
            let status = run(&["status"]);
            assert!(status.lines().next().is_some_and(|line| line.trim_end_matches(" (default)") == name), "{status}");
            assert!(status.contains(api_url), "{status}");
            assert!(run(&["whoami"]).contains(name.as_str()));
            let exec = [&["exec", here[0], here[1], "-e", "T", "--"][..], &ECHO_T].concat();
            assert_eq!(world.run(&exec).expect(0).out.trim_end(), pat);
            world.run(&["token", "list", here[0], here[1]]).refused(&[10], &[name]); // found, and has none to list
            let asked = platform.seen(TENANTS).len();
            run(&["tenants"]);
            assert_eq!(platform.seen(TENANTS).len(), asked + 1);
        }
        // The URL of a request finds its environment by itself.
        assert_eq!(world.run(&["get", &format!("{api_url}/orders")]).expect(0).out, format!("{pat}\n"));
    }
    let unknown = "http://127.0.0.1:9/api/v1";
    let login = "hallpass login";
    for args in [["get"].as_slice(), &["header"], &["json", "get"], &["status"], &["whoami"], &["logout"], &["tenants"]]
    {
        world.ask(&[args, &["--api-url", unknown]].concat(), "{}").refused(&[3], &[login, unknown]);
    }
    // Signing in again by another spelling is no third account.
    let (platform, api_url, name, _) = &both[1];
    let pat = platform.pat();
    let again = ["login", "autocom", "--api-url", &format!("{api_url}/"), "--token-stdin"];
    with(&world, &[], &again, &pat).expect(0);
    assert_eq!((world.run(&["get", name]).expect(0).out, world.config_text()), (format!("{pat}\n"), configuration));
    assert_eq!(world.holdings(), ["production", "staging"]);
}

#[test]
fn what_happens_to_one_environment_is_nothing_to_the_other() {
    let world = World::bare();
    let both = two(&world);
    world.config(&format!("# mine\noutput = \"text\"\n{}", world.config_text()));
    let configuration = world.config_text();
    let other = fs::read(world.data("production")).unwrap();
    let (platform, api_url, _, _) = &both[1];
    with(&world, &[], &["login", "autocom", "--api-url", api_url, "--token-stdin"], &platform.pat()).expect(0);
    let calls = platform.every_call();
    world.run(&["logout", "--api-url", api_url]).expect(0).says(&["staging"]);
    assert_eq!(platform.every_call(), calls, "others may use the same pasted token: it is not revoked");
    assert_eq!(fs::read(world.data("production")).unwrap(), other);
    assert_eq!(world.holdings(), ["production"]);
    assert_eq!(world.config_text(), configuration);
    world.run(&["get", "--api-url", api_url]).refused(&[4], &["hallpass login staging"]);
    world.run(&["logout", "--api-url", &both[0].1]).expect(0).says(&["production"]);
    assert_eq!((world.holdings(), world.config_text()), (vec![], configuration));
}

#[test]
fn a_refresh_of_one_environment_leaves_the_other() {
    let both = [Platform::start(), Platform::start()];
    let world = World::bare();
    let client = format!("client_id = \"{CONFIGURED}\"\nredirect_ports = []\n");
    let table = |at: usize, name: &str| format!("{}{client}", both[at].account(name));
    world.config(&format!("{}{}", table(0, "production"), table(1, "staging")));
    for platform in &both {
        world.with_person(&["login", "--api-url", &platform.api_url()]).expect(0);
    }
    let (other, calls) = (fs::read(world.data("production")).unwrap(), both[0].every_call());
    age(&world, "staging", 4000);
    let token = world.run(&["get", "--api-url", &both[1].api_url()]).expect(0).out;
    assert!(both[1].lives(token.trim_end()) && !both[0].lives(token.trim_end()));
    assert_eq!((both[1].clients("refresh_token").len(), both[0].every_call()), (1, calls));
    assert_eq!(fs::read(world.data("production")).unwrap(), other);
}

#[test]
fn spellings_of_an_environment_are_one() {
    let world = World::bare();
    world.config("[account.far]\nprovider = \"autocom\"\napi_url = \"https://api.example.com/api/v1\"\n");
    let token = "autocom-token-of-the-environment-0123456789";
    let run = |api_url: &str| with(&world, &[("HALLPASS_TOKEN_FAR", token)], &["get", "--api-url", api_url], "");
    for same in [
        "https://api.example.com/api/v1/",
        "https://API.Example.COM/api/v1",
        "HTTPS://api.example.com:443/api/v1/",
        "https://api.example.com", // `<api>` of the page, as which it calls `<api>/api/v1/profile`
    ] {
        assert_eq!(run(same).expect(0).out, format!("{token}\n"), "{same}");
    }
    for other in ["https://api.example.com/API/v1", "https://api.example.com:444/api/v1", "https://example.com/api/v1"]
    {
        run(other).refused(&[3], &["hallpass login"]);
    }
}

/// The first one is what the provider's name stands for, and what is meant where nothing is named.
#[test]
fn the_first_environment_is_the_usual_one() {
    let world = World::bare();
    let both = [Platform::start(), Platform::start()];
    for (platform, name) in both.iter().zip([None, Some("staging")]) {
        let (api_url, pat) = (platform.api_url(), platform.pat());
        let named = name.map_or(vec![], |name| vec!["--account", name]);
        let args = [["login", "autocom", "--api-url", &api_url, "--token-stdin"].as_slice(), &named].concat();
        with(&world, &[], &args, &pat).expect(0);
        for spelling in ["--api-url", "--base-url", "-u"] {
            assert_eq!(world.run(&["get", spelling, &api_url]).expect(0).out, format!("{pat}\n"), "{spelling}");
        }
    }
    assert_eq!(world.holdings(), ["autocom", "staging"]);
    for args in [["get"].as_slice(), &["get", "autocom"], &["header"], &["whoami"]] {
        world.run(args).expect(0);
    }
    assert!(both[0].lives(world.token().as_str()));
    world.run(&["logout"]).expect(0).says(&["autocom"]);
    assert_eq!(world.holdings(), ["staging"]);
}

#[test]
fn an_environment_needs_no_name() {
    let world = World::bare();
    let platforms = [Platform::start(), Platform::start()];
    for platform in &platforms {
        let args = ["login", "autocom", "--api-url", &platform.api_url(), "--token-stdin"];
        with(&world, &[], &args, &platform.pat()).expect(0);
    }
    for platform in &platforms {
        let token = world.run(&["get", "--api-url", &platform.api_url()]).expect(0).out;
        assert!(platform.lives(token.trim_end()));
    }
    assert_eq!(world.holdings().len(), 2);
}

#[cfg(unix)]
#[test]
fn the_configuration_is_private() {
    let _ports = crate::autocom_client::callback_ports(); // `doctor` looks whether they are free
    let world = World::bare();
    let mode = || crate::record::mode(&world.config_file());
    let both = two(&world);
    let api_url = &both[0].1;
    assert_eq!(mode(), 0o600, "as `login` made it");
    world.run(&["doctor", "--api-url", api_url]).expect(0);
    crate::record::set_mode(&world.config_file(), 0o644);
    let done = world.run(&["doctor", "--api-url", api_url]);
    assert!(done.code != Some(0) && done.out.contains("config.toml`: it has mode 644"), "{done:?}");
    assert!(done.out.contains("chmod 600"), "{done:?}");
    assert_eq!(mode(), 0o644, "reported and left alone");
    world.run(&["tenants", "use", "globex", "--api-url", api_url]).expect(0);
    assert_eq!(mode(), 0o600, "written anew");
}

#[test]
fn the_environments_token_wins_and_leaves_no_trace() {
    let platform = Platform::start();
    let world = platform.world("");
    world.with_person(&["login", "autocom", "--tenant", "acme"]).expect(0);
    let own = world.token();
    let before = files(&world.path("home"));
    let pat = platform.pat();
    world.config(&format!("{}tenant = \"acme\"\n", world.config_text()));
    let configuration = world.config_text();
    every_door_gives(&world, &platform, &[("AUTOCOM_TOKEN", &pat)], &pat);
    every_door_gives(&world, &platform, &[("AUTOCOM_TOKEN", "other"), ("HALLPASS_TOKEN_AUTOCOM", &pat)], &pat);
    every_door_gives(&world, &platform, &[("AUTOCOM_TOKEN", "")], &own);
    every_door_gives(&world, &platform, &[], &own);
    let set = [("AUTOCOM_TOKEN", pat.as_str())];
    with(&world, &set, &["tenants"], "").expect(0);
    assert_eq!(platform.seen(TENANTS).pop().unwrap().authorization, Some(format!("Bearer {pat}")));
    let status = with(&world, &set, &["status"], "").expect(0).out;
    assert!(status.contains("AUTOCOM_TOKEN") && !status.contains(&pat), "{status}");
    // Never to another origin.
    let elsewhere = ["http://127.0.0.1:9/api/v1/orders", "https://autocom.example.com/api/v1", &platform.api];
    for place in elsewhere {
        for door in ["get", "header"] {
            with(&world, &set, &[door, place], "").refused(&[3], &[]);
            with(&world, &set, &[door, place, "--account", "autocom"], "").refused(&[3], &[]);
        }
        let done = with(&world, &set, &["json", "get"], &format!(r#"{{"url":"{place}"}}"#)).expect(3);
        assert!(!done.out.contains(&pat), "{done:?}");
    }
    let question = "protocol=https\nhost=autocom.example.com\n\n";
    assert!(!with(&world, &set, &["git", "get"], question).out.contains(&pat));
    assert_eq!(world.config_text(), configuration);
    world.config(&configuration.replace("tenant = \"acme\"\n", ""));
    assert_eq!(files(&world.path("home")), before, "the store and the configuration, byte for byte");
    with(&world, &set, &["logout"], "").expect(0).says(&["AUTOCOM_TOKEN"]);
    assert_eq!(with(&world, &set, &["get"], "").expect(0).out, format!("{pat}\n"));
}
