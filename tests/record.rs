//! A plain record of the store, read and rewritten as the contract says it looks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

const HEAD: &str = "hallpass-record 1 plain ";

/// The checksum in a record's first line.
pub fn checksum(body: &[u8]) -> String {
    let mut h = 0x9E37_79B9_7F4A_7C15_u64 ^ body.len() as u64;
    for chunk in body.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        h = (h.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    format!("{h:016x}")
}

/// The JSON of the record, its checksum verified.
pub fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let text = match text.strip_prefix("hallpass-intent ") {
        Some(rest) => rest.split_once('\n').expect("a line after the intent").1,
        None => &text,
    };
    let (head, body) = text.split_once('\n').expect("a first line");
    let sum = head.strip_prefix(HEAD).unwrap_or_else(|| panic!("not a plain record: {head}"));
    assert_eq!(sum, checksum(body.as_bytes()), "checksum of {}", path.display());
    serde_json::from_str(body).expect("JSON after the first line")
}

/// A record with this JSON, put in place in one step.
pub fn write(path: &Path, json: &Value) {
    let body = json.to_string();
    let aside = path.with_extension("test");
    fs::write(&aside, format!("{HEAD}{}\n{body}", checksum(body.as_bytes()))).unwrap();
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&aside, path).unwrap();
}

#[test]
fn the_checksum_of_the_contract() {
    assert_eq!(checksum(b""), format!("{:016x}", 0x9E37_79B9_7F4A_7C15_u64));
    assert_ne!(checksum(b"a"), checksum(b"a\0"), "the length counts");
}
