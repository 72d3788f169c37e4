//! The data key that seals records, and the id by which files name it

use std::fmt;
use std::str::FromStr;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

/// Opens the keychain item. It names the layout, so that a later hallpass can change it and tell old from new.
const LAYOUT: &[u8] = b"hallpass-key-1 ";

/// Layout, id, a space and the key.
pub(super) const ITEM_BYTES: usize = LAYOUT.len() + 16 + 1 + 64;

/// Names a data key without revealing anything of it: 16 lower-case hex characters, safe in a file name.
///
/// A record carries the id of the key that sealed it. Machines that share a home have different keys, and so
/// different records: neither mistakes the other's for its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 16 lower-case hex characters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAKeyId;

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        unhex(text.as_bytes()).map(KeyId).ok_or(NotAKeyId)
    }
}

/// The one secret of the keychain. Wiped on drop; `Debug` shows only the id.
pub(crate) struct DataKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

impl DataKey {
    /// A key that the caller has already read from somewhere.
    pub(crate) fn new(id: KeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    /// A key nobody has had before.
    pub(crate) fn fresh() -> Self {
        let (mut id, mut bytes) = ([0; 8], Zeroizing::new([0; 32]));
        let random = SystemRandom::new();
        random.fill(&mut id).expect("the system has random bytes");
        random.fill(&mut *bytes).expect("the system has random bytes");
        Self::new(KeyId(id), bytes)
    }

    pub(crate) fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// What the keychain item holds: printable ASCII, because KWallet keeps nothing but UTF-8.
    pub(crate) fn to_item(&self) -> Zeroizing<Vec<u8>> {
        let mut item = Zeroizing::new(Vec::with_capacity(ITEM_BYTES));
        item.extend_from_slice(LAYOUT);
        item.extend_from_slice(self.id.to_string().as_bytes());
        item.push(b' ');
        for byte in self.bytes.iter() {
            item.extend([byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]));
        }
        item
    }

    /// The reverse; `None` for anything that [`to_item`](Self::to_item) does not write.
    pub(crate) fn from_item(item: &[u8]) -> Option<Self> {
        let (id, bytes) = item.strip_prefix(LAYOUT)?.split_at_checked(16)?;
        let bytes = Zeroizing::new(unhex(bytes.strip_prefix(b" ")?)?);
        Some(Self::new(KeyId(unhex(id)?), bytes))
    }
}

/// Exactly `N` bytes written as `2 N` lower-case hex characters. Upper case is refused: one id, one spelling, one file.
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let half = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let mut whole = text.len() == 2 * N;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        match (half(pair[0]), half(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => whole = false,
        }
    }
    let answer = whole.then_some(bytes);
    bytes.zeroize();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_has_one_spelling() {
        let id: KeyId = "00ff1a2b3c4d5e6f".parse().expect("an id");
        assert_eq!(id.to_string(), "00ff1a2b3c4d5e6f");
        for wrong in [
            "",
            "00ff1a2b3c4d5e6",
            "00ff1a2b3c4d5e6f0",
            "00FF1A2B3C4D5E6F",
            "00ff1a2b3c4d5e6g",
            "+0ff1a2b3c4d5e6f",
            "é0ff1a2b3c4d5e6",
        ] {
            assert_eq!(wrong.parse::<KeyId>(), Err(NotAKeyId), "{wrong}");
        }
    }

    #[test]
    fn an_item_is_ascii_and_reads_back() {
        let key = DataKey::fresh();
        let item = key.to_item();
        assert!(item.is_ascii() && item.len() == 96);
        let back = DataKey::from_item(&item).expect("our own item");
        assert_eq!((back.id(), back.bytes()), (key.id(), key.bytes()));
        for end in 0..item.len() {
            assert!(DataKey::from_item(&item[..end]).is_none(), "cut at {end}");
        }
        assert!(DataKey::from_item(&[&item[..], b"0"].concat()).is_none());
        assert!(DataKey::from_item(&[&item[..95], b"\xff"].concat()).is_none());
    }

    #[test]
    fn debug_shows_no_key_byte() {
        let key = DataKey::new("00ff1a2b3c4d5e6f".parse().expect("an id"), Zeroizing::new([0xab; 32]));
        assert_eq!(format!("{key:?}"), "DataKey(00ff1a2b3c4d5e6f)");
    }
}
