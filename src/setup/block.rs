//! A block of lines between two comments

use super::note::Note;

fn marks(comment: &str, tool: &str) -> (String, String) {
    (
        format!("{comment} >>> hallpass setup {tool}; `hallpass unsetup {tool}` takes this out"),
        format!("{comment} <<< hallpass setup {tool}"),
    )
}

/// The text with the block at its end.
pub(super) fn put(text: &str, comment: &str, tool: &str, body: &str) -> String {
    let (begin, end) = marks(comment, tool);
    let joint = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let block = format!("{joint}{begin}\n{body}{end}\n");
    // As the rest of the file ends its lines.
    let block = if text.contains("\r\n") { block.replace('\n', "\r\n") } else { block };
    format!("{text}{block}")
}

/// The text without the block, whatever somebody did to it since: lines that are ours go, lines that are not stay.
pub(super) fn take(text: &str, comment: &str, tool: &str, note: Option<&Note>) -> Result<String, &'static str> {
    let (begin, end) = marks(comment, tool);
    let count = |mark: &str| text.lines().filter(|line| line.trim() == mark).count();
    let mut left = String::with_capacity(text.len());
    match (count(&begin), count(&end)) {
        (0, 0) => return Ok(text.to_owned()),
        (1, 1) => {}
        _ => return Err("the marks around what `setup` wrote are not a pair any more"),
    }
    let mut ours: Vec<&str> = note.map_or_else(Vec::new, |note| note.inserted.lines().map(str::trim_end).collect());
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
        } else if let Some(at) = ours.iter().position(|our| *our == bare) {
            ours.remove(at);
        } else if note.is_some() {
            left += line; // somebody put it there
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::super::note::Note;
    use super::{put, take};
    use std::path::Path;

    const BODY: &str = "[credential]\n\thelper = x\n";

    #[test]
    fn what_is_put_can_be_taken() {
        for text in ["", "[user]\n\tname = Hal\n", "[user]\r\n\tname = Hal\r\n"] {
            let wired = put(text, "#", "git", BODY);
            assert!(wired.starts_with(text) && wired.contains("helper = x"), "{wired:?}");
            assert_eq!(text.contains('\r'), wired.contains("helper = x\r\n"));
            let note = Note::of(Path::new("f"), Some(text), &wired);
            assert_eq!(take(&wired, "#", "git", Some(&note)).as_deref(), Ok(text));
            assert_eq!(take(&wired, "#", "git", None).as_deref(), Ok(text));
        }
        assert_eq!(put("a", "#", "git", BODY).lines().next(), Some("a"), "on a line of its own");
    }

    #[test]
    fn what_others_wrote_stays() {
        let wired = put("a\n", "#", "git", BODY);
        let note = Note::of(Path::new("f"), Some("a\n"), &wired);
        let edited = wired.replace("\thelper = x\n", "\thelper = x\n\tmine = y\n") + "b\n";
        assert_eq!(take(&edited, "#", "git", Some(&note)).as_deref(), Ok("a\n\tmine = y\nb\n"));
        let changed = wired.replace("helper = x", "helper = z");
        assert_eq!(take(&changed, "#", "git", Some(&note)).as_deref(), Ok("a\n\thelper = z\n"));
        assert_eq!(take("a\n", "#", "git", None).as_deref(), Ok("a\n"));
        let half = wired.replace("# <<<", "# ...");
        assert!(take(&half, "#", "git", None).is_err());
    }
}
