//! Tools that keep our stderr to themselves: a terminal hears it all the same, and only there.

use crate::idp::Idp;
use crate::terminal::Terminal;
use crate::world::World;

#[test]
fn what_terraform_and_go_swallow_is_on_the_terminal() {
    let idp = Idp::start();
    let world = World::new(&idp);
    for (question, heard) in [
        ("terraform get git.example.com", true),
        ("goauth https://git.example.com/mod </dev/null", true),
        ("bazel get <question", false), // shows our stderr itself
    ] {
        std::fs::write(world.path("home/question"), "{\"uri\":\"https://git.example.com\"}").unwrap();
        let snippet = format!("HALLPASS_INTERACTIVE=never \"$HALLPASS\" {question} 2>err; echo \"end=$?\"");
        let terminal = Terminal::run(&world, &snippet);
        let screen =
            crate::runs::until("the end", || Some(terminal.screen()).filter(|screen| screen.contains("end=4")));
        assert_eq!(screen.contains("hallpass login work"), heard, "{question}: {screen}");
        let err = std::fs::read_to_string(world.path("home/err")).unwrap();
        assert!(err.contains("hallpass login work"), "{question}: {err}");
        drop(terminal);
    }
    let silent =
        Terminal::run(&world, "HALLPASS_INTERACTIVE=never \"$HALLPASS\" terraform get git.example.com; echo end");
    let screen = crate::runs::until("the end", || Some(silent.screen()).filter(|screen| screen.contains("end\r\n")));
    assert_eq!(screen.matches("hallpass: error:").count(), 1, "twice where stderr is the terminal: {screen}");
}
