//! Numbers on the command line.

/// Parses a number of bytes, perhaps with a suffix: `65536`, `64K`, `8M` or `1G`.
///
/// # Errors
///
/// The message for the user.
pub fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(['K', 'k', 'M', 'm', 'G', 'g']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return Err(NO_BYTES.into()),
    };
    let number: u64 = digits.parse().map_err(|_| NO_BYTES)?;
    let bytes = number.checked_mul(1 << shift).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| "more than this machine can address".into())
}

const NO_BYTES: &str = "not a number of bytes, such as 65536, 64K, 8M or 1G";

/// Parses a number of [`bytes`] of which there must be some.
///
/// # Errors
///
/// The message for the user.
pub fn size(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        0 => Err("at least 1 byte is needed".into()),
        bytes => Ok(bytes),
    }
}

/// Parses a number of threads: 1 to 1,024. More than there are processors gain nothing, and the
/// system does not start any number.
///
/// # Errors
///
/// The message for the user.
pub fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=1024).contains(count)).ok_or_else(|| "not a number from 1 to 1024".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_or_without_a_suffix() {
        for (text, expected) in [("65536", 65_536), ("64K", 65_536), ("8m", 8 << 20), ("1G", 1 << 30), ("0", 0)] {
            assert_eq!(bytes(text), Ok(expected));
        }
        for text in ["", "K", "-1", "1T", "1KK", "1.5M", "99999999999999999999", "99999999999G", "1ü"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(size("0").is_err() && size("0K").is_err() && size("1") == Ok(1));
    }
}
