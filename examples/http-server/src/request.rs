//! A request taken apart: every list and every decoded text lies in the request's memory.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE, HeaderName};
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::refusal::Refusal;
use crate::text::{Text, push};

/// What the client said, borrowed from the request where it could be.
pub(crate) struct Request<'r, A: Allocator> {
    /// The query's fields, decoded.
    pub(crate) fields: Vec<Field<A>, A>,
    pub(crate) cookies: Vec<(&'r str, &'r str), A>,
    /// The languages that the client reads, its favourite first.
    pub(crate) languages: Vec<Language<'r>, A>,
}

pub(crate) struct Field<A: Allocator> {
    pub(crate) name: Text<A>,
    pub(crate) value: Text<A>,
}

pub(crate) struct Language<'r> {
    pub(crate) tag: &'r str,
    quality: f32,
}

impl<'r, A: Allocator + Copy> Request<'r, A> {
    pub(crate) fn parse(head: &'r Parts, alloc: A) -> Result<Self, Refusal> {
        Ok(Self {
            fields: fields(head.uri.query().unwrap_or_default(), alloc)?,
            cookies: cookies(header(head, COOKIE), alloc)?,
            languages: languages(header(head, ACCEPT_LANGUAGE), alloc)?,
        })
    }

    /// The first field of this name; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> &[u8] {
        let found = self.fields.iter().find(|field| field.name.as_bytes() == name.as_bytes());
        found.map_or(&[], |field| field.value.as_bytes())
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&'r str> {
        self.cookies.iter().find(|(found, _)| *found == name).map(|&(_, value)| value)
    }
}

fn header(head: &Parts, name: HeaderName) -> &str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn fields<A: Allocator + Copy>(query: &str, alloc: A) -> Result<Vec<Field<A>, A>, Refusal> {
    let mut fields = Vec::new_in(alloc);
    for field in query.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        push(&mut fields, Field { name: decoded(name, alloc)?, value: decoded(value, alloc)? })?;
    }
    Ok(fields)
}

/// A name or a value of a query, in which `+` is a space and `%20` is one, too.
fn decoded<A: Allocator>(text: &str, alloc: A) -> Result<Text<A>, Refusal> {
    let mut decoded = Text::new_in(alloc);
    for (index, part) in text.split('+').enumerate() {
        if index > 0 {
            decoded.push_bytes(b" ")?;
        }
        for byte in percent_decode_str(part) {
            decoded.push_bytes(&[byte])?;
        }
    }
    Ok(decoded)
}

fn cookies<A: Allocator>(header: &str, alloc: A) -> Result<Vec<(&str, &str), A>, Refusal> {
    let mut cookies = Vec::new_in(alloc);
    for cookie in header.split(';').filter_map(|cookie| cookie.trim().split_once('=')) {
        push(&mut cookies, cookie)?;
    }
    Ok(cookies)
}

fn languages<A: Allocator>(header: &str, alloc: A) -> Result<Vec<Language<'_>, A>, Refusal> {
    let mut languages = Vec::new_in(alloc);
    for language in header.split(',').map(str::trim).filter(|language| !language.is_empty()) {
        let (tag, quality) = language.split_once(";q=").unwrap_or((language, "1"));
        push(&mut languages, Language { tag, quality: quality.parse().unwrap_or(0.0) })?;
    }
    // In place: the standard library's stable sort takes memory from the system.
    languages.sort_unstable_by(|a, b| b.quality.total_cmp(&a.quality));
    Ok(languages)
}

#[cfg(test)]
mod tests {
    use allocator_api2::alloc::Global;

    use super::*;

    #[test]
    fn query_fields_are_split_and_decoded() {
        let fields = fields("q=salt%20%26+pepper&limit=5&&flag", Global).unwrap();
        let pairs: std::vec::Vec<_> = fields.iter().map(|f| (f.name.as_bytes(), f.value.as_bytes())).collect();
        assert_eq!(pairs, [(&b"q"[..], &b"salt & pepper"[..]), (b"limit", b"5"), (b"flag", b"")]);
    }

    #[test]
    fn cookies_are_pairs() {
        let cookies = cookies("theme=dark; nonsense; currency=EUR", Global).unwrap();
        assert_eq!(cookies.as_slice(), [("theme", "dark"), ("currency", "EUR")]);
    }

    #[test]
    fn the_favourite_language_comes_first() {
        let languages = languages("en;q=0.5, de, fr;q=0.9, nl;q=x", Global).unwrap();
        let tags: std::vec::Vec<_> = languages.iter().map(|language| language.tag).collect();
        assert_eq!(tags, ["de", "fr", "en", "nl"]);
    }
}
