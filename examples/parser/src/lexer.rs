//! From text to tokens.

use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    Number(i64),
    Word(&'t str),
    /// Any other character.
    Symbol(char),
    End,
}

/// One token ahead.
pub(crate) struct Lexer<'t> {
    text: &'t str,
    /// Where the token after `next` begins.
    position: usize,
    next: Token<'t>,
    /// Where `next` begins.
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Result<Self, Error> {
        let mut lexer = Self { text, position: 0, next: Token::End, at: 0 };
        lexer.take()?;
        Ok(lexer)
    }

    pub(crate) fn next(&self) -> Token<'t> {
        self.next
    }

    /// Where the next token begins.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next token, which is then over.
    pub(crate) fn take(&mut self) -> Result<Token<'t>, Error> {
        let rest = self.text[self.position..].trim_start();
        self.at = self.text.len() - rest.len();
        let length = |accepts: fn(char) -> bool| rest.find(|c| !accepts(c)).unwrap_or(rest.len());
        let (token, length) = match rest.chars().next() {
            None => (Token::End, 0),
            Some('0'..='9') => {
                let length = length(|c| c.is_ascii_digit());
                let number = rest[..length].parse().map_err(|_| Error::Number { at: self.at })?;
                (Token::Number(number), length)
            }
            Some(c) if c.is_alphabetic() => {
                let length = length(char::is_alphanumeric);
                (Token::Word(&rest[..length]), length)
            }
            Some(c) => (Token::Symbol(c), c.len_utf8()),
        };
        self.position = self.at + length;
        Ok(std::mem::replace(&mut self.next, token))
    }

    /// Whether the next token was this symbol, which is then over.
    pub(crate) fn take_if(&mut self, symbol: char) -> Result<bool, Error> {
        let found = self.next == Token::Symbol(symbol);
        if found {
            self.take()?;
        }
        Ok(found)
    }

    pub(crate) fn expect(&mut self, symbol: char, expected: &'static str) -> Result<(), Error> {
        let at = self.at;
        if self.take_if(symbol)? { Ok(()) } else { Err(Error::Syntax { at, expected }) }
    }
}
