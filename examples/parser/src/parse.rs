//! A parser by recursive descent, for any tree.
//!
//! ```text
//! block      = statement { ";" statement }
//! statement  = "let" name "=" sum | sum
//! sum        = product { ("+" | "-") product }
//! product    = atom { "*" atom }
//! atom       = number | name | "-" atom | "(" sum ")" | "{" block "}" | ("max" | "min" | "sum") "(" sum { "," sum } ")"
//! ```

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use crate::build::{Build, Function, Operator};
use crate::error::Error;
use crate::lexer::{Lexer, Token};

/// A bound on the recursion, so that no text makes the parser's thread run out of stack.
const MAX_DEPTH: usize = 200;

/// The tree of a whole text. `temporary` holds the lists whose end has not been read yet.
pub(crate) fn parse<B: Build, A: Allocator>(text: &str, build: B, temporary: A) -> Result<B::Node, Error> {
    let mut parser = Parser { lexer: Lexer::new(text)?, build, pending: Vec::new_in(temporary), depth: 0 };
    let tree = parser.block()?;
    match parser.lexer.next() {
        Token::End => Ok(tree),
        _ => Err(parser.expected("an operator, `;` or the end")),
    }
}

struct Parser<'t, B: Build, A: Allocator> {
    lexer: Lexer<'t>,
    build: B,
    /// The nodes of all lists that have begun and not ended, the innermost list's last. A list moves to the tree when its length
    /// is known, so that it takes no more room there than it needs.
    pending: Vec<B::Node, A>,
    depth: usize,
}

impl<'t, B: Build, A: Allocator> Parser<'t, B, A> {
    fn block(&mut self) -> Result<B::Node, Error> {
        let statements = self.list(';', Self::statement)?;
        self.build.block(self.pending.drain(statements..))
    }

    fn statement(&mut self) -> Result<B::Node, Error> {
        if self.lexer.next() != Token::Word("let") {
            return self.sum();
        }
        self.lexer.take()?;
        let Token::Word(name) = self.lexer.next() else { return Err(self.expected("a name")) };
        self.lexer.take()?;
        self.lexer.expect('=', "`=`")?;
        let value = self.sum()?;
        self.build.define(name, value)
    }

    fn sum(&mut self) -> Result<B::Node, Error> {
        let mut left = self.product()?;
        loop {
            let operator = match self.lexer.next() {
                Token::Symbol('+') => Operator::Add,
                Token::Symbol('-') => Operator::Subtract,
                _ => return Ok(left),
            };
            self.lexer.take()?;
            let right = self.product()?;
            left = self.build.binary(operator, left, right)?;
        }
    }

    fn product(&mut self) -> Result<B::Node, Error> {
        let mut left = self.atom()?;
        while self.lexer.take_if('*')? {
            let right = self.atom()?;
            left = self.build.binary(Operator::Multiply, left, right)?;
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<B::Node, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep { at: self.lexer.at(), limit: MAX_DEPTH });
        }
        let atom = self.atom_within()?;
        self.depth -= 1;
        Ok(atom)
    }

    fn atom_within(&mut self) -> Result<B::Node, Error> {
        let expected = self.expected("a number, a name, `-`, `(` or `{`");
        match self.lexer.take()? {
            Token::Number(number) => Ok(self.build.number(number)),
            Token::Word(name) => self.name_or_call(name),
            Token::Symbol('-') => {
                let of = self.atom()?;
                self.build.negate(of)
            }
            Token::Symbol('(') => {
                let sum = self.sum()?;
                self.lexer.expect(')', "an operator or `)`")?;
                Ok(sum)
            }
            Token::Symbol('{') => {
                let block = self.block()?;
                self.lexer.expect('}', "an operator, `;` or `}`")?;
                Ok(block)
            }
            _ => Err(expected),
        }
    }

    fn name_or_call(&mut self, name: &'t str) -> Result<B::Node, Error> {
        let function = match name {
            "max" => Function::Max,
            "min" => Function::Min,
            "sum" => Function::Sum,
            _ => return self.build.name(name),
        };
        self.lexer.expect('(', "`(`")?;
        let arguments = self.list(',', Self::sum)?;
        self.lexer.expect(')', "an operator, `,` or `)`")?;
        self.build.call(function, self.pending.drain(arguments..))
    }

    /// Reads one `item` at least, and more after each `separator`: they are pending from the returned index on.
    fn list(&mut self, separator: char, item: fn(&mut Self) -> Result<B::Node, Error>) -> Result<usize, Error> {
        let start = self.pending.len();
        loop {
            let node = item(self)?;
            // `push` alone would end the process where the memory is full.
            self.pending.try_reserve(1)?;
            self.pending.push(node);
            if !self.lexer.take_if(separator)? {
                return Ok(start);
            }
        }
    }

    fn expected(&self, expected: &'static str) -> Error {
        Error::Syntax { at: self.lexer.at(), expected }
    }
}

#[cfg(test)]
mod tests {
    use allocator_api2::alloc::Global;

    use super::*;
    use crate::boxed::Boxes;

    fn value(text: &str) -> Result<i64, Error> {
        parse(text, Boxes, Global)?.evaluate()
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
    fn brackets_cannot_exhaust_the_stack() {
        assert!(value(&format!("{}1{}", "(".repeat(150), ")".repeat(150))).is_ok());
        assert!(matches!(value(&"(".repeat(1_000_000)), Err(Error::TooDeep { at: 200, .. })));
    }
}
