//! A block of lines between two comments

use super::insert::insert;

/// What begins a comment in the files that take blocks.
const COMMENT: &str = "#";

fn marks(tool: &str) -> (String, String) {
    (
        format!("{COMMENT} >>> hallpass setup {tool}; `hallpass unsetup {tool}` takes this out"),
        format!("{COMMENT} <<< hallpass setup {tool}"),
    )
}

/// The text with the block at its end.
pub(in crate::setup) fn put(text: &str, tool: &str, body: &str) -> String {
    let (begin, end) = marks(tool);
    insert(text, text.len(), &format!("{begin}\n{body}{end}\n"))
}

/// Whether all of the block is there, whatever somebody put between its lines.
pub(in crate::setup) fn stands(text: &str, tool: &str, body: &str) -> bool {
    let (begin, end) = marks(tool);
    let mut lines = text.lines().map(str::trim_end);
    let ours = std::iter::once(begin.as_str()).chain(body.lines()).chain([end.as_str()]);
    text.matches(&begin).count() == 1 && ours.into_iter().all(|our| lines.any(|line| line == our.trim_end()))
}

/// The text without the block, whatever somebody did to it since: lines that are ours go, lines that are not stay. Without
/// knowledge of ours, all of them go.
pub(in crate::setup) fn take(text: &str, tool: &str, ours: Option<&str>) -> Result<String, &'static str> {
    let (begin, end) = marks(tool);
    let count = |mark: &str| text.lines().filter(|line| line.trim() == mark).count();
    let mut left = String::with_capacity(text.len());
    match (count(&begin), count(&end)) {
        (0, 0) => return Ok(text.to_owned()),
        (1, 1) => {}
        _ => return Err("the marks around what `setup` wrote are not a pair any more"),
    }
    let mut known: Vec<&str> = ours.map_or_else(Vec::new, |ours| ours.lines().map(str::trim_end).collect());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare.trim_start() == begin {
            inside = true;
        } else if bare.trim_start() == end {
            if !inside {
                return Err("the marks around what `setup` wrote are the wrong way round");
            }
            inside = false;
        } else if !inside {
            left += line;
        } else if let Some(at) = known.iter().position(|our| *our == bare) {
            known.remove(at);
        } else if ours.is_some() {
            left += line; // somebody put it there
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::{put, stands, take};

    const BODY: &str = "[credential]\n\thelper = x\n";

    #[test]
    fn what_is_put_can_be_taken() {
        for text in ["", "[user]\n\tname = Hal\n", "[user]\r\n\tname = Hal\r\n"] {
            let wired = put(text, "git", BODY);
            assert!(wired.starts_with(text) && stands(&wired, "git", BODY), "{wired:?}");
            assert_eq!(text.contains('\r'), wired.contains("helper = x\r\n"));
            assert_eq!(take(&wired, "git", Some(BODY)).as_deref(), Ok(text));
            assert_eq!(take(&wired, "git", None).as_deref(), Ok(text));
        }
        assert_eq!(put("a", "git", BODY).lines().next(), Some("a"), "on a line of its own");
    }

    #[test]
    fn what_others_wrote_stays() {
        let wired = put("a\n", "git", BODY);
        let edited = wired.replace("\thelper = x\n", "\thelper = x\n\tmine = y\n") + "b\n";
        assert!(stands(&edited, "git", BODY) && !stands(&edited.replace("helper = x", ""), "git", BODY));
        assert_eq!(take(&edited, "git", Some(BODY)).as_deref(), Ok("a\n\tmine = y\nb\n"));
        let changed = wired.replace("helper = x", "helper = z");
        assert_eq!(take(&changed, "git", Some(BODY)).as_deref(), Ok("a\n\thelper = z\n"));
        assert_eq!(take("a\n", "git", None).as_deref(), Ok("a\n"));
        let half = wired.replace("# <<<", "# ...");
        assert!(take(&half, "git", None).is_err());
    }
}
