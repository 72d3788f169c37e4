//! Records of the store, read and rewritten as the contract says they look.

use std::fs;
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
    let found = fs::read(path).map_err(|why| why.to_string()).and_then(|bytes| parse(&bytes));
    found.unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The same of bytes that may be anything.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(after_intent(bytes)).map_err(|why| why.to_string())?;
    let (head, body) = text.split_once('\n').ok_or("no first line")?;
    let sum = head.strip_prefix(HEAD).ok_or("not a plain record")?;
    if sum != checksum(body.as_bytes()) {
        return Err("the checksum is wrong".to_owned());
    }
    serde_json::from_str(body).map_err(|why| why.to_string())
}

fn after_intent(bytes: &[u8]) -> &[u8] {
    let end = bytes.starts_with(b"hallpass-intent ").then(|| bytes.iter().position(|byte| *byte == b'\n')).flatten();
    end.map_or(bytes, |end| &bytes[end + 1..])
}

/// A record with this JSON, put in place in one step.
pub fn write(path: &Path, json: &Value) {
    let body = json.to_string();
    let aside = path.with_extension("test");
    fs::write(&aside, format!("{HEAD}{}\n{body}", checksum(body.as_bytes()))).unwrap();
    set_mode(&aside, 0o600);
    fs::rename(&aside, path).unwrap();
}

/// Who may do what to a file.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

/// Sets that, where files have such a mode.
pub fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

/// Makes every token of the record this much older.
pub fn shift(record: &mut Value, seconds: i64) {
    for token in record["tokens"].as_array_mut().unwrap() {
        for key in ["obtained_at", "expires_at"] {
            if let Some(time) = token[key].as_i64() {
                token[key] = (time - seconds).into();
            }
        }
    }
}

/// The id and the key of what hallpass keeps in a keychain.
#[cfg(target_os = "linux")]
fn parts(item: &[u8]) -> (String, Vec<u8>) {
    let text = std::str::from_utf8(item).expect("ASCII");
    let (id, key) = text.strip_prefix("hallpass-key-1 ").and_then(|text| text.split_once(' ')).expect("two words");
    let byte = |at| u8::from_str_radix(&key[at..at + 2], 16).expect("hex");
    (id.to_owned(), (0..key.len()).step_by(2).map(byte).collect())
}

#[cfg(target_os = "linux")]
pub fn key_id(item: &[u8]) -> String {
    parts(item).0
}

/// A sealed record is ChaCha20-Poly1305 over its body; the header line and the record's name are sealed with it.
#[cfg(target_os = "linux")]
fn cipher(path: &Path, item: &[u8]) -> (String, ring::aead::LessSafeKey, ring::aead::Aad<Vec<u8>>) {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
    let (id, key) = parts(item);
    let head = format!("hallpass-record 1 sealed {id}\n");
    let name = path.file_name().unwrap().to_str().unwrap().split('@').next().unwrap();
    let with = Aad::from(format!("{head}{name}").into_bytes());
    (head, LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap()), with)
}

/// The JSON of a sealed record.
#[cfg(target_os = "linux")]
pub fn unseal(path: &Path, item: &[u8]) -> Value {
    open(path, &fs::read(path).unwrap(), item).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The same of bytes that may be anything; `path` is where they stand.
#[cfg(target_os = "linux")]
pub fn open(path: &Path, bytes: &[u8], item: &[u8]) -> Result<Value, String> {
    let (head, key, with) = cipher(path, item);
    let sealed = after_intent(bytes).strip_prefix(head.as_bytes()).ok_or("not a sealed record of this key")?;
    let (nonce, text) = sealed.split_at_checked(12).ok_or("no nonce")?;
    let nonce = ring::aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| "no nonce")?;
    let mut text = text.to_vec();
    let body = key.open_in_place(nonce, with, &mut text).map_err(|_| "the seal is broken")?;
    serde_json::from_slice(body).map_err(|why| why.to_string())
}

/// A sealed record with this JSON, put in place in one step.
#[cfg(target_os = "linux")]
pub fn seal(path: &Path, item: &[u8], json: &Value) {
    let (head, key, with) = cipher(path, item);
    let nonce = std::array::from_fn(|at| std::process::id().to_le_bytes()[at % 4]);
    let mut text = json.to_string().into_bytes();
    key.seal_in_place_append_tag(ring::aead::Nonce::assume_unique_for_key(nonce), with, &mut text).unwrap();
    let aside = path.with_extension("test");
    fs::write(&aside, [head.as_bytes(), &nonce, &text].concat()).unwrap();
    set_mode(&aside, 0o600);
    fs::rename(&aside, path).unwrap();
}

#[test]
fn the_checksum_of_the_contract() {
    assert_eq!(checksum(b""), format!("{:016x}", 0x9E37_79B9_7F4A_7C15_u64));
    assert_ne!(checksum(b"a"), checksum(b"a\0"), "the length counts");
}
