//! One account, a person's on a laptop and a job's in CI: `[account.NAME.ci]`.

use crate::forms::field;
use crate::identities::{EXCHANGE, asked, jwt, run};
use crate::idp::Idp;
use crate::world::World;

#[test]
fn the_same_command_takes_a_person_on_a_laptop_and_the_job_in_ci() {
    let idp = Idp::start();
    let token = jwt(&idp, &idp.issuer, 300);
    let ci = "[account.work.ci]\nflow = \"token_exchange\"\nsubject_token_env = \"JOB_TOKEN\"\nclient_id = \"robot\"\nscope = [\"read\"]\n";
    let job = [("CI", "true"), ("JOB_TOKEN", token.as_str())];
    let args = ["get", "https://git.example.com/x"];

    let laptop = World::new(&idp);
    laptop.add(ci);
    laptop.sign_in();
    let own = laptop.run(&args).expect(0).out;
    assert_eq!(laptop.opened().len(), 1);
    assert!(laptop.run(&["doctor", "work"]).expect(0).out.contains("a person signs in"));
    // The job on the same machine is somebody else.
    run(&laptop, &args, &job).refused(&[9], &["by a person", "JOB_TOKEN", "XDG_DATA_HOME"]);
    assert_eq!(laptop.run(&args).expect(0).out, own);

    let runner = World::new(&idp);
    runner.add(ci);
    let got = run(&runner, &args, &job).expect(0);
    assert!(idp.live_access_token(got.out.trim_end()) && got.err.is_empty() && runner.opened().is_empty());
    let form = asked(&idp);
    for (key, value) in [("grant_type", EXCHANGE), ("client_id", "robot"), ("scope", "read"), ("subject_token", &token)]
    {
        assert_eq!(field(&form, key), Some(value), "{key}");
    }
    let told = run(&runner, &["status"], &job).expect(0).out;
    assert!(told.contains("JOB_TOKEN") && told.contains("machine identity"), "{told}");
    // In CI without what the table names nobody is asked either.
    let nobody = World::new(&idp);
    nobody.add(ci);
    run(&nobody, &args, &[("CI", "true")]).refused(&[4], &["work", "this is CI"]);
    assert!(nobody.opened().is_empty());
}

#[test]
fn what_is_wrong_in_the_table_is_known_on_the_laptop_too() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let config = world.config_text();
    let lines = config.lines().count();
    for (table, line, words) in [
        ("[account.work.ci]\n", 1, "`flow`"),
        ("[account.work.ci]\nflow = \"device\"\n", 1, "token_exchange"),
        ("[account.work.ci]\nflow = \"jwt_bearer\"\nserves = []\n", 3, "serves"),
        ("[account.work.ci]\nflow = \"jwt_bearer\"\nsubject_tokn = \"ci\"\n", 3, "did you mean `subject_token`"),
        ("[account.work.ci]\nflow = \"jwt_bearer\"\nsubject_token = \"jenkins\"\n", 3, "\"gitlab\""),
        ("[account.work.ci]\nflow = \"jwt_bearer\"\nsubject_token = \"caller\"\n", 1, "to know CI by"),
        ("[account.work.ci]\nflow = \"jwt_bearer\"\nsubject_token_command = [\"x\"]\n", 1, "to know CI by"),
        (
            "[account.work.ci]\nflow = \"jwt_bearer\"\nsubject_account = \"work\"\nsubject_token_env = \"X\"\n",
            1,
            "to know CI by",
        ),
        ("ci = true\n", 1, "no table"),
        ("resource = \"https://a.example/#x\"\n", 1, "fragment"),
        ("resource = [\"https://a.example\", \"b\"]\n", 1, "absolute URI"),
        ("actor_tokn = \"ci\"\n", 1, "actor_token"),
    ] {
        world.config(&format!("{config}{table}"));
        world.run(&["status"]).refused(&[10], &[&format!("config.toml:{}", lines + line), words]);
    }
}
