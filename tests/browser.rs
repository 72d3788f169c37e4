//! The browser of a world: notes what it was given, and follows, ignores or fails as the file `mode` says.

use std::ffi::OsString;
use std::path::Path;

#[cfg(unix)]
pub fn script(folder: &Path) -> String {
    format!(
        r#"#!/bin/sh
d={}
printf '%s\n' "$*" >>"$d/argv"
for last; do :; done
printf '%s\n' "$last" >>"$d/opened"
case $(cat "$d/mode") in
follow)
    (curl -qsL --max-time 30 -D "$d/head.$$" -o "$d/page.$$" "$last"; mv "$d/page.$$" "$d/page") >/dev/null 2>&1 & ;;
broken) exit 1 ;;
esac
"#,
        folder.display()
    )
}

/// What `$BROWSER` says.
#[cfg(unix)]
pub fn program(folder: &Path) -> OsString {
    folder.join("run").into()
}

/// No script can be started everywhere: it is this very program, asked for one test.
#[cfg(not(unix))]
pub fn program(folder: &Path) -> OsString {
    let us = std::env::current_exe().unwrap();
    format!("{} --ignored --exact browser::browse {} %s", us.display(), folder.display()).into()
}

#[cfg(not(unix))]
#[test]
#[ignore = "is started by the others, with a folder and a URL"]
fn browse() {
    use std::fs::{OpenOptions, read_to_string, rename, write};
    use std::io::Write as _;

    let args: Vec<_> = std::env::args().collect();
    let [.., folder, url] = args.as_slice() else { return };
    let folder = Path::new(folder);
    for (name, line) in [("argv", args.join(" ")), ("opened", url.clone())] {
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        writeln!(file, "{line}").unwrap();
    }
    match read_to_string(folder.join("mode")).unwrap().as_str() {
        "follow" => {
            // A page that says no is a page too; what no address may have in it is said in another way.
            let agent = ureq::Agent::config_builder()
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false)
                .build()
                .new_agent();
            let mut url = url.clone();
            let page = loop {
                let mut answer = agent.get(&url).call().unwrap();
                match answer.headers().get("location") {
                    Some(next) => url = next.to_str().unwrap().replace('<', "%3C").replace('>', "%3E"),
                    None => break answer.body_mut().read_to_string().unwrap(),
                }
            };
            write(folder.join("page.new"), page).unwrap();
            rename(folder.join("page.new"), folder.join("page")).unwrap();
        }
        "broken" => panic!("as it was told"),
        _ => {}
    }
}
