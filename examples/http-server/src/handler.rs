//! The handler: finds products and writes a page about them. The same code for every allocator.
//!
//! Lists grow by `try_reserve`: `Vec::push` ends the process when its allocator is full, which in
//! an arena is an ordinary event.

use std::fmt::{self, Write};

use allocator_api2::alloc::Allocator;
use allocator_api2::collections::TryReserveError;
use allocator_api2::vec::Vec;
use hyper::StatusCode;
use marena_std::AllocError;
use percent_encoding::percent_decode_str;

use crate::catalogue::Product;

/// Products shown where the query names no `limit`.
const DEFAULT_LIMIT: usize = 10;

/// Why a request is not answered with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound,
    Method,
    /// All arenas are in use: as many responses are on their way as the server has memory for.
    Busy,
    /// One request cannot take more than its arena, whatever it asks for; the others do not notice.
    TooLarge,
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl From<AllocError> for Failure {
    fn from(_: AllocError) -> Self {
        Self::TooLarge
    }
}

impl From<TryReserveError> for Failure {
    fn from(_: TryReserveError) -> Self {
        Self::TooLarge
    }
}

/// Writing the page fails where it finds no room, and for no other reason.
impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        Self::TooLarge
    }
}

fn push<T, A: Allocator>(list: &mut Vec<T, A>, value: T) -> Result<(), TryReserveError> {
    list.try_reserve(1)?;
    list.push(value);
    Ok(())
}

/// Answers `/search?q=WORDS&limit=N&sort=name|price`. Lists lie in `alloc`, and all of them are
/// complete before the first piece of the page is written.
pub(crate) fn search<A: Allocator + Copy>(
    target: &str,
    catalogue: &[Product],
    alloc: A,
    page: &mut impl Write,
) -> Result<(), Failure> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != "/search" {
        return Err(Failure::NotFound);
    }
    let mut fields = Vec::new_in(alloc);
    for field in query.split('&') {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        push(&mut fields, (name, decoded(value, alloc)?))?;
    }
    let field = |wanted| fields.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, value)| value);
    let mut words = Vec::new_in(alloc);
    for word in field("q").split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        push(&mut words, word)?;
    }

    let mut found = Vec::new_in(alloc);
    for product in catalogue {
        if words.iter().all(|word| position(&product.name, word).is_some()) {
            push(&mut found, product)?;
        }
    }
    // In place: the standard library's stable sort takes memory from the system.
    match field("sort") {
        b"price" => found.sort_unstable_by_key(|product| (product.cents, &product.name)),
        _ => found.sort_unstable_by_key(|product| &product.name),
    }
    let limit = str::from_utf8(field("limit")).ok().and_then(|limit| limit.parse().ok()).unwrap_or(DEFAULT_LIMIT);

    write!(page, "<!doctype html>\n<html lang=\"en\"><body>\n<h1>Found: {}</h1>\n<ol>\n", found.len())?;
    for product in found.iter().take(limit) {
        page.write_str("<li>")?;
        marked(&product.name, words.first().copied(), page)?;
        let (euros, cents) = (product.cents / 100, product.cents % 100);
        writeln!(page, " <b>€{euros}.{cents:02}</b> ({} left)</li>", product.stock)?;
    }
    page.write_str("</ol></body></html>\n")?;
    Ok(())
}

/// A value of a query, in which `+` is a space and `%20` is one, too. In small letters, to search
/// for.
fn decoded<A: Allocator>(text: &str, alloc: A) -> Result<Vec<u8, A>, Failure> {
    let mut decoded = Vec::new_in(alloc);
    for (index, part) in text.split('+').enumerate() {
        let space = (index > 0).then_some(b' ');
        for byte in space.into_iter().chain(percent_decode_str(part)) {
            push(&mut decoded, byte.to_ascii_lowercase())?;
        }
    }
    Ok(decoded)
}

/// Where a word in small letters stands in a name.
fn position(name: &str, word: &[u8]) -> Option<usize> {
    name.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}

/// Writes the product's name as HTML, with the word marked where it first stands.
fn marked(name: &str, word: Option<&[u8]>, out: &mut impl Write) -> fmt::Result {
    let parts = word.and_then(|word| {
        let (before, rest) = name.split_at_checked(position(name, word)?)?;
        let (marked, after) = rest.split_at_checked(word.len())?;
        Some([before, marked, after])
    });
    // A query of bytes may name part of a character; nothing is marked then.
    let [before, word, after] = parts.unwrap_or([name, "", ""]);
    escaped(before, out)?;
    out.write_str("<mark>")?;
    escaped(word, out)?;
    out.write_str("</mark>")?;
    escaped(after, out)
}

fn escaped(text: &str, out: &mut impl Write) -> fmt::Result {
    text.chars().try_for_each(|c| match c {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        _ => out.write_char(c),
    })
}

#[cfg(test)]
mod tests {
    use allocator_api2::alloc::Global;

    use super::*;
    use crate::catalogue::catalogue;

    fn found(target: &str) -> Result<String, Failure> {
        let mut page = String::new();
        search(target, &catalogue(), Global, &mut page)?;
        Ok(page)
    }

    #[test]
    fn a_page_lists_what_has_all_words_of_the_query_up_to_the_limit() {
        let page = found("/search?q=AMBER+%6camp").unwrap();
        assert!(page.contains("<h1>Found: 3</h1>"), "{page}");
        assert_eq!(page.matches("<li>").count(), 3, "{page}");
        assert!(page.contains("<li>Large <mark>Amber</mark> Lamp <b>€"), "{page}");
        assert_eq!(found("/search?q=red&limit=2").unwrap().matches("<li>").count(), 2);
    }

    #[test]
    fn names_are_escaped_and_bytes_that_are_no_text_find_nothing() {
        let page = found("/search?q=salt+jug&limit=1").unwrap();
        assert!(page.contains("Large <mark>Salt</mark> &amp; Pepper Jug"), "{page}");
        assert!(found("/search?q=%ff%fe").unwrap().contains("<h1>Found: 0</h1>"));
        assert_eq!(found("/other"), Err(Failure::NotFound));
    }
}
