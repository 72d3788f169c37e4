//! A value that cannot be printed by accident
//!
//! and is wiped when dropped. Copies that a parser or a socket made of it are out of its reach.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A token, a password or another value that must not reach a message, a log or a file by accident.
///
/// A clone is the same bytes: there is one copy, which goes with the last of them.
///
/// There is no `Display`, `Debug` hides it, and it is not `Serialize`: a field that really is
/// to be written out says so with `#[serde(with = "secret::exposed")]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the value over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// The value itself, for the one place that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a line-based protocol or an HTTP header can carry it: not empty and no control byte.
    ///
    /// A newline inside a token would add a line of the sender's choice to an answer (CVE-2020-5260 class).
    #[must_use]
    pub fn is_one_line(&self) -> bool {
        // To the end in any case: that is sixteen bytes at a time, and control bytes are rare.
        let control = self.0.bytes().fold(false, |found, byte| found | byte.is_ascii_control());
        !self.0.is_empty() && !control
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// For `#[serde(with = "secret::exposed")]`: the value in clear, in a record or an answer.
pub mod exposed {
    use super::{Deserialize, Deserializer, Secret, Serialize, Serializer};

    /// Writes the value in clear.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        secret.expose().serialize(to)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// Like [`exposed`], for a value that may be absent.
pub mod exposed_option {
    use super::{Deserialize, Deserializer, Secret, Serialize, Serializer};

    /// Writes the value in clear, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(to)
    }

    /// Reads a string or null.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(hidden)");
    }

    #[test]
    fn a_line_break_is_not_one_line() {
        for bad in ["", "a\nb", "a\rb", "a\0b", "a\u{1b}b", "a\tb"] {
            assert!(!Secret::new(bad).is_one_line(), "{bad:?}");
        }
        assert!(Secret::new("eyJ.x-y_z~+/=").is_one_line());
    }
}
