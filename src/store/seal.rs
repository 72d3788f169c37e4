//! Seals and opens a record with the data key (ChaCha20-Poly1305)

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::key::DataKey;

/// The nonce, then the encrypted text, then the tag.
///
/// The nonce is random and new at every call, so that nothing has to be counted across processes and restored
/// backups. 96 bits allow 2^32 saves under one key at a chance of 2^-32 that two of them share a nonce.
/// `associated` is not kept: who opens must bring the same bytes.
pub(crate) fn seal(key: &DataKey, associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).expect("the system has random bytes");
    // room for everything at once: a vector that grew would leave the plain text behind in freed memory
    let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + CHACHA20_POLY1305.tag_len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let tag = cipher(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated),
            &mut sealed[NONCE_LEN..],
        )
        .expect("a record is far below the cipher's limit of 256 GiB");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

/// The plain text, in the memory that held the sealed one; wiped on drop, as it is when this fails.
///
/// `None` means that the key, the associated data or a byte of the text is not what it was: which of them cannot be
/// told, and no part of the text may be used.
pub(crate) fn open(key: &DataKey, associated: &[u8], sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(sealed);
    let nonce = Nonce::try_assume_unique_for_key(text.get(..NONCE_LEN)?).ok()?;
    let length = cipher(key).open_within(nonce, Aad::from(associated), &mut text, NONCE_LEN..).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn cipher(key: &DataKey) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.bytes()).expect("the key has the cipher's 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_the_same_memory() {
        let key = DataKey::fresh();
        for plain in [&b""[..], b"x", &[7; 5000]] {
            let sealed = seal(&key, b"work", plain);
            assert_eq!(sealed.len(), plain.len() + 28);
            assert_eq!(sealed.capacity(), sealed.len());
            let memory = sealed.as_ptr();
            let opened = open(&key, b"work", sealed).expect("what we sealed");
            assert_eq!(&opened[..], plain);
            assert_eq!(opened.as_ptr(), memory);
        }
    }

    #[test]
    fn every_save_has_its_own_nonce() {
        let key = DataKey::fresh();
        let (one, two) = (seal(&key, b"", b"same"), seal(&key, b"", b"same"));
        assert_ne!(one[..NONCE_LEN], two[..NONCE_LEN]);
        assert_ne!(one[NONCE_LEN..], two[NONCE_LEN..]);
    }

    #[test]
    fn another_key_does_not_open_it() {
        assert!(open(&DataKey::fresh(), b"work", seal(&DataKey::fresh(), b"work", b"token")).is_none());
    }

    #[test]
    fn other_associated_data_do_not_open_it() {
        let key = DataKey::fresh();
        for wrong in [&b"home"[..], b"", b"wor", b"work "] {
            assert!(open(&key, wrong, seal(&key, b"work", b"token")).is_none());
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unseen() {
        let key = DataKey::fresh();
        let sealed = seal(&key, b"work", b"token");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, b"work", flipped).is_none(), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(open(&key, b"work", sealed[..end].to_vec()).is_none(), "cut at {end}");
        }
        assert!(open(&key, b"work", [&sealed[..], b"\0"].concat()).is_none());
    }
}
