//! One record per key.

use crate::record::Record;

/// Lets the first record of each key pass, given records in order: by key, then from the newest to
/// the oldest.
#[derive(Debug, Default)]
pub(crate) struct NewestOnly {
    last: Option<Vec<u8>>,
}

impl NewestOnly {
    pub(crate) fn admits(&mut self, key: &[u8]) -> bool {
        match &mut self.last {
            Some(last) if last == key => return false,
            Some(last) => {
                last.clear();
                last.extend_from_slice(key);
            }
            None => self.last = Some(key.to_vec()),
        }
        true
    }
}

/// The newest record of each key, given records in order: by key, then from the newest to the
/// oldest.
pub(crate) fn newest<'r>(records: impl Iterator<Item = Record<'r>>) -> impl Iterator<Item = Record<'r>> {
    let mut newest_only = NewestOnly::default();
    records.filter(move |record| newest_only.admits(record.key))
}
