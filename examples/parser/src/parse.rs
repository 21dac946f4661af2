//! A parser by recursive descent, for any tree.
//!
//! ```text
//! block      = statement { ";" statement }
//! statement  = "let" name "=" sum | sum
//! sum        = product { ("+" | "-") product }
//! product    = atom { "*" atom }
//! atom       = number | name | "-" atom | "(" sum ")" | "{" block "}" | function "(" arguments ")"
//! function   = "max" | "min" | "sum"
//! arguments  = sum { "," sum }
//! ```

use marena_std::Allocate;

use crate::error::Error;
use crate::lexer::{Lexer, Token};
use crate::tree::{Kind, Node};

/// A bound on the recursion, so that no text makes a thread run out of stack.
const MAX_DEPTH: usize = 200;

/// Parses a whole text into a tree that lies in `memory`.
pub(crate) fn parse<'a>(text: &str, memory: impl Allocate<'a>) -> Result<Node<'a>, Error> {
    let mut parser = Parser { lexer: Lexer::new(text)?, memory, pending: Vec::new(), depth: 0 };
    let tree = parser.block()?;
    match parser.lexer.next() {
        Token::End => Ok(tree),
        _ => Err(parser.expected("an operator, `;` or the end")),
    }
}

struct Parser<'a, 't, A> {
    lexer: Lexer<'t>,
    memory: A,
    /// The nodes of all lists that have begun and not ended, the innermost list's last. A list
    /// moves to the tree when its length is known, so it takes no more room there than it needs.
    pending: Vec<Node<'a>>,
    depth: usize,
}

impl<'a, 't, A: Allocate<'a>> Parser<'a, 't, A> {
    fn block(&mut self) -> Result<Node<'a>, Error> {
        self.list(Kind::Block, |parser| parser.separated(';', Self::statement))
    }

    fn statement(&mut self) -> Result<Node<'a>, Error> {
        if self.lexer.next() != Token::Word("let") {
            return self.sum();
        }
        self.lexer.take()?;
        let Token::Word(name) = self.lexer.next() else { return Err(self.expected("a name")) };
        self.lexer.take()?;
        self.lexer.expect('=', "`=`")?;
        let value = self.sum()?;
        let name: &str = self.memory.alloc_str(name)?;
        Ok(Node::Define(self.memory.alloc((name, value))?))
    }

    fn sum(&mut self) -> Result<Node<'a>, Error> {
        self.list(Kind::Sum, |parser| {
            let mut minus = false;
            loop {
                let term = parser.list(Kind::Product, |parser| parser.separated('*', Self::atom))?;
                let term = if minus { Node::Negate(parser.memory.alloc(term)?) } else { term };
                parser.pending.push(term);
                minus = match parser.lexer.next() {
                    Token::Symbol('+') => false,
                    Token::Symbol('-') => true,
                    _ => return Ok(()),
                };
                parser.lexer.take()?;
            }
        })
    }

    fn atom(&mut self) -> Result<Node<'a>, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep { at: self.lexer.at(), limit: MAX_DEPTH });
        }
        let expected = self.expected("a number, a name, `-`, `(` or `{`");
        let atom = match self.lexer.take()? {
            Token::Number(number) => Node::Number(number),
            Token::Word(name) => self.name_or_call(name)?,
            Token::Symbol('-') => {
                let of = self.atom()?;
                Node::Negate(self.memory.alloc(of)?)
            }
            Token::Symbol('(') => {
                let sum = self.sum()?;
                self.lexer.expect(')', "an operator or `)`")?;
                sum
            }
            Token::Symbol('{') => {
                let block = self.block()?;
                self.lexer.expect('}', "an operator, `;` or `}`")?;
                block
            }
            _ => return Err(expected),
        };
        self.depth -= 1;
        Ok(atom)
    }

    fn name_or_call(&mut self, name: &'t str) -> Result<Node<'a>, Error> {
        let kind = match name {
            "max" => Kind::Max,
            "min" => Kind::Min,
            "sum" => Kind::Sum,
            _ => return Ok(Node::Name(self.memory.alloc_str(name)?)),
        };
        self.lexer.expect('(', "`(`")?;
        let call = self.list(kind, |parser| parser.separated(',', Self::sum))?;
        self.lexer.expect(')', "an operator, `,` or `)`")?;
        Ok(call)
    }

    /// The list of the nodes that `read` pushes, of which there is one at least. Alone, that is the
    /// list.
    fn list(&mut self, kind: Kind, read: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<Node<'a>, Error> {
        let start = self.pending.len();
        read(self)?;
        match &self.pending[start..] {
            // A block also ends the scope of its names.
            &[node] if kind != Kind::Block => {
                self.pending.truncate(start);
                Ok(node)
            }
            _ => Ok(Node::List(kind, self.memory.alloc_slice_from_iter(self.pending.drain(start..))?)),
        }
    }

    /// Reads one `item` at least, and more after each `separator`.
    fn separated(&mut self, separator: char, item: fn(&mut Self) -> Result<Node<'a>, Error>) -> Result<(), Error> {
        loop {
            let node = item(self)?;
            self.pending.push(node);
            if !self.lexer.take_if(separator)? {
                return Ok(());
            }
        }
    }

    fn expected(&self, expected: &'static str) -> Error {
        Error::Syntax { at: self.lexer.at(), expected }
    }
}

#[cfg(test)]
mod tests {
    use marena_std::{AllocError, Arena, GrowingArena};

    use super::*;

    fn value(text: &str) -> Result<i64, Error> {
        parse(text, &GrowingArena::new())?.evaluate()
    }

    #[test]
    fn products_bind_closer_than_sums_and_both_go_from_left_to_right() {
        assert_eq!(value("2 + 3 * 4"), Ok(14));
        assert_eq!(value("10 - 4 - 3"), Ok(3));
        assert_eq!(value("-(2 + 3) * --4"), Ok(-20));
    }

    #[test]
    fn functions_take_any_number_of_arguments() {
        assert_eq!(value("max(1, sum(2, 3, 4), min(100)) + 1"), Ok(101));
    }

    #[test]
    fn a_name_is_known_until_its_block_ends() {
        assert_eq!(value("let a = 2; { let a = a * 10; a + 1 } + a"), Ok(23));
        assert_eq!(value("{ let b = 2; b } + b"), Err(Error::Undefined("b".to_owned())));
        assert_eq!(value("{ let b = 2 } + b"), Err(Error::Undefined("b".to_owned())));
    }

    #[test]
    fn errors_name_the_byte() {
        assert_eq!(value("1 + * 2"), Err(Error::Syntax { at: 4, expected: "a number, a name, `-`, `(` or `{`" }));
        assert_eq!(value("(1"), Err(Error::Syntax { at: 2, expected: "an operator or `)`" }));
        assert_eq!(value("1 2"), Err(Error::Syntax { at: 2, expected: "an operator, `;` or the end" }));
        assert_eq!(value("1 + 9223372036854775808"), Err(Error::Number { at: 4 }));
        assert!(matches!(value(""), Err(Error::Syntax { at: 0, .. })));
        assert!(matches!(value("sum(1, ü, ?)"), Err(Error::Syntax { at: 11, .. })));
    }

    #[test]
    fn neither_brackets_nor_long_texts_exhaust_the_stack() {
        assert!(value(&format!("{}1{}", "(".repeat(150), ")".repeat(150))).is_ok());
        for bracket in ["(", "{", "-", "max(", "let a = {"] {
            assert!(matches!(value(&bracket.repeat(1_000_000)), Err(Error::TooDeep { limit: 200, .. })), "{bracket}");
        }
        let count = if cfg!(miri) { 200 } else { 100_000 };
        for separator in ["+", "-", "*", ";"] {
            assert!(value(&format!("{}1", format!("1 {separator} ").repeat(count))).is_ok(), "{separator}");
        }
        assert_eq!(value(&format!("{}1", "1 + ".repeat(count))), Ok(count as i64 + 1));
        assert_eq!(value(&format!("sum({}1)", "1, ".repeat(count))), Ok(count as i64 + 1));
    }

    #[test]
    fn a_tree_outlives_the_text_and_the_leases() {
        let arena = GrowingArena::new();
        let tree = {
            let text = String::from("let a = 3; max(a, 2) * (a + 1)");
            parse(&text, &arena.leases(1024)).unwrap()
        };
        assert_eq!((tree.count(), tree.evaluate()), (10, Ok(12)));
    }

    #[test]
    fn a_full_arena_is_an_error() {
        let arena = Arena::with_capacity(64 << 10).unwrap();
        let full = parse(&("1 + ".repeat(10_000) + "1"), &arena.lease(1024));
        assert!(matches!(full, Err(Error::Tree(AllocError::Full { .. }))), "{full:?}");
    }
}
