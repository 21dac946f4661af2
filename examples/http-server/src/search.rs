//! The handler: finds products and writes a page about them. The same code for every allocator.

use std::fmt::Write;

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;
use hyper::Method;
use hyper::http::request::Parts;
use memchr::memmem::Finder;

use crate::catalogue::Product;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::text::{Text, push};

/// Products shown where the query names no `limit`.
const DEFAULT_LIMIT: usize = 10;

struct Match<'c, A: Allocator> {
    product: &'c Product,
    /// The name as HTML, with what was searched for marked.
    marked_name: Text<A>,
    price: Text<A>,
}

/// Answers `GET /search?q=WORDS&limit=N&sort=name|price`.
pub(crate) fn search<A: Allocator + Copy>(
    head: &Parts,
    catalogue: &[Product],
    alloc: A,
) -> Result<Vec<u8, A>, Refusal> {
    if head.uri.path() != "/search" {
        return Err(Refusal::NotFound);
    }
    // The server leaves the page out of its answer to HEAD.
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Refusal::Method);
    }
    let request = Request::parse(head, alloc)?;
    let words = words(request.field("q"), alloc)?;
    let mut finders = Vec::new_in(alloc);
    for word in &words {
        push(&mut finders, Finder::new(word.as_bytes()))?;
    }
    let currency = request.cookie("currency").filter(|&name| name == "USD").map_or("€", |_| "$");

    let mut found = Vec::new_in(alloc);
    for product in catalogue {
        if finders.iter().all(|finder| finder.find(product.key.as_bytes()).is_some()) {
            push(&mut found, product)?;
        }
    }
    match request.field("sort") {
        b"price" => found.sort_unstable_by_key(|product| (product.cents, &product.name)),
        _ => found.sort_unstable_by_key(|product| &product.name),
    }
    let limit = str::from_utf8(request.field("limit")).ok().and_then(|limit| limit.parse().ok());
    let mut shown = Vec::new_in(alloc);
    for &product in found.iter().take(limit.unwrap_or(DEFAULT_LIMIT)) {
        let marked_name = marked(product, finders.first(), alloc)?;
        let mut price = Text::new_in(alloc);
        write!(price, "{currency}{}.{:02}", product.cents / 100, product.cents % 100)?;
        push(&mut shown, Match { product, marked_name, price })?;
    }
    page(&request, found.len(), &shown, alloc)
}

/// The words to search for, in small letters.
fn words<A: Allocator + Copy>(query: &[u8], alloc: A) -> Result<Vec<Text<A>, A>, Refusal> {
    let mut words = Vec::new_in(alloc);
    for word in query.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        let mut text = Text::new_in(alloc);
        for byte in word {
            text.push_bytes(&[byte.to_ascii_lowercase()])?;
        }
        push(&mut words, text)?;
    }
    Ok(words)
}

/// The product's name as HTML, with the word marked where it first stands.
fn marked<A: Allocator>(product: &Product, word: Option<&Finder<'_>>, alloc: A) -> Result<Text<A>, Refusal> {
    let parts = word.and_then(|word| {
        let (before, rest) = product.name.split_at_checked(word.find(product.key.as_bytes())?)?;
        let (marked, after) = rest.split_at_checked(word.needle().len())?;
        Some([before, marked, after])
    });
    // A query of bytes may name part of a character; nothing is marked then.
    let [before, word, after] = parts.unwrap_or([&product.name, "", ""]);

    let mut marked = Text::new_in(alloc);
    escaped(before, &mut marked)?;
    marked.write_str("<mark>")?;
    escaped(word, &mut marked)?;
    marked.write_str("</mark>")?;
    escaped(after, &mut marked)?;
    Ok(marked)
}

fn escaped<A: Allocator>(text: &str, out: &mut Text<A>) -> Result<(), Refusal> {
    for part in text.split_inclusive(['&', '<', '>', '"']) {
        let plain = part.trim_end_matches(['&', '<', '>', '"']);
        out.write_str(plain)?;
        out.write_str(match &part[plain.len()..] {
            "&" => "&amp;",
            "<" => "&lt;",
            ">" => "&gt;",
            "\"" => "&quot;",
            _ => "",
        })?;
    }
    Ok(())
}

fn page<A: Allocator + Copy>(
    request: &Request<'_, A>,
    found: usize,
    shown: &[Match<'_, A>],
    alloc: A,
) -> Result<Vec<u8, A>, Refusal> {
    let favourite = request.languages.iter().map(|language| language.tag).find(|tag| matches!(*tag, "en" | "de"));
    let (language, heading, left) = match favourite {
        Some("de") => ("de", "Gefunden", "vorrätig"),
        _ => ("en", "Found", "left"),
    };
    let theme = if request.cookie("theme") == Some("dark") { "dark" } else { "light" };

    let mut page = Text::new_in(alloc);
    write!(page, "<!doctype html>\n<html lang=\"{language}\"><body class=\"{theme}\">\n<h1>{heading}: {found}</h1>\n")?;
    page.write_str("<ol>\n")?;
    for Match { product, marked_name, price } in shown {
        page.write_str("<li>")?;
        page.push_bytes(marked_name.as_bytes())?;
        page.write_str(" <b>")?;
        page.push_bytes(price.as_bytes())?;
        writeln!(page, "</b> ({} {left})</li>", product.stock)?;
    }
    page.write_str("</ol></body></html>\n")?;
    Ok(page.into_bytes())
}

#[cfg(test)]
mod tests {
    use allocator_api2::alloc::Global;
    use hyper::Request;

    use super::*;
    use crate::catalogue::catalogue;

    fn found(target: &str) -> Result<String, Refusal> {
        let (head, ()) = Request::get(target).header("cookie", "currency=USD").body(()).unwrap().into_parts();
        let page = search(&head, &catalogue(), Global)?;
        Ok(String::from_utf8(page.to_vec()).unwrap())
    }

    #[test]
    fn a_page_lists_what_has_all_words_of_the_query() {
        let page = found("/search?q=AMBER+lamp").unwrap();
        assert!(page.contains("<h1>Found: 3</h1>"), "{page}");
        assert_eq!(page.matches("<li>").count(), 3, "{page}");
        assert!(page.contains("<li>Large <mark>Amber</mark> Lamp <b>$"), "{page}");
    }

    #[test]
    fn a_page_shows_no_more_than_the_limit() {
        let page = found("/search?q=red&limit=2").unwrap();
        assert_eq!(page.matches("<li>").count(), 2, "{page}");
    }

    #[test]
    fn names_are_escaped() {
        let page = found("/search?q=salt+jug&limit=1").unwrap();
        assert!(page.contains("Large <mark>Salt</mark> &amp; Pepper Jug"), "{page}");
    }

    #[test]
    fn bytes_that_are_no_text_find_nothing() {
        assert!(found("/search?q=%ff%fe").unwrap().contains("<h1>Found: 0</h1>"));
    }

    #[test]
    fn other_pages_are_not_there() {
        assert_eq!(found("/other"), Err(Refusal::NotFound));
    }

    #[test]
    fn a_page_can_only_be_read() {
        let (head, ()) = Request::post("/search").body(()).unwrap().into_parts();
        assert_eq!(search(&head, &catalogue(), Global), Err(Refusal::Method));
    }
}
