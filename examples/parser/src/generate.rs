//! Programs that are made up along with their values, which are known before any parser has seen
//! them.

use std::fmt::Write;

use common::Random;

/// A program, and what it evaluates to.
pub(crate) struct Program {
    pub(crate) text: String,
    pub(crate) value: i64,
}

/// A program of `statements` statements; the same for the same `seed`.
pub(crate) fn generate(seed: u64, statements: usize) -> Program {
    let mut generator = Generator { random: Random::new(seed), text: String::new(), names: Vec::new() };
    let value = generator.block(statements, 0);
    Program { text: generator.text, value }
}

/// Brackets within brackets, at most.
const MAX_DEPTH: usize = 5;

struct Generator {
    random: Random,
    text: String,
    /// The names in scope.
    names: Vec<(String, i64)>,
}

impl Generator {
    fn block(&mut self, statements: usize, depth: usize) -> i64 {
        let outer = self.names.len();
        for _ in 1..statements {
            let name = format!("value{}", self.random.below(20));
            write!(self.text, "let {name} = ").expect("strings take all");
            let value = self.sum(depth);
            self.names.push((name, value));
            self.text.push_str(";\n");
        }
        let value = self.sum(depth);
        self.names.truncate(outer);
        value
    }

    fn sum(&mut self, depth: usize) -> i64 {
        let mut sum = self.product(depth);
        for _ in 0..self.random.below(3) {
            if self.random.below(2) == 0 {
                self.text.push_str(" + ");
                sum = sum.wrapping_add(self.product(depth));
            } else {
                self.text.push_str(" - ");
                sum = sum.wrapping_sub(self.product(depth));
            }
        }
        sum
    }

    fn product(&mut self, depth: usize) -> i64 {
        let mut product = self.atom(depth);
        for _ in 0..self.random.below(2) {
            self.text.push_str(" * ");
            product = product.wrapping_mul(self.atom(depth));
        }
        product
    }

    fn atom(&mut self, depth: usize) -> i64 {
        let kinds = if depth < MAX_DEPTH { 9 } else { 6 };
        match self.random.below(kinds) {
            0..=2 => self.number(),
            3..=4 => self.name(),
            5 => {
                self.text.push('-');
                self.number().wrapping_neg()
            }
            6 => self.within('(', ')', |generator| generator.sum(depth + 1)),
            7 => {
                let statements = 1 + self.random.below(3);
                self.within('{', '}', |generator| generator.block(statements, depth + 1))
            }
            _ => self.call(depth + 1),
        }
    }

    fn number(&mut self) -> i64 {
        let number = self.random.below(1000) as i64;
        write!(self.text, "{number}").expect("strings take all");
        number
    }

    /// A name in scope, or a number where there is none.
    fn name(&mut self) -> i64 {
        if self.names.is_empty() {
            return self.number();
        }
        let index = self.random.below(self.names.len());
        let name = self.names[index].0.clone();
        self.text.push_str(&name);
        // The latest definition hides the others.
        self.names.iter().rfind(|(known, _)| *known == name).map_or(0, |&(_, value)| value)
    }

    fn call(&mut self, depth: usize) -> i64 {
        let function = ["max", "min", "sum"][self.random.below(3)];
        self.text.push_str(function);
        let arguments = 1 + self.random.below(4);
        self.within('(', ')', |generator| {
            let mut value = generator.sum(depth);
            for _ in 1..arguments {
                generator.text.push_str(", ");
                let argument = generator.sum(depth);
                value = match function {
                    "max" => value.max(argument),
                    "min" => value.min(argument),
                    _ => value.wrapping_add(argument),
                };
            }
            value
        })
    }

    fn within(&mut self, open: char, close: char, inner: impl FnOnce(&mut Self) -> i64) -> i64 {
        self.text.push(open);
        let value = inner(self);
        self.text.push(close);
        value
    }
}

#[cfg(test)]
mod tests {
    use marena_std::GrowingArena;

    use super::*;
    use crate::parse::parse;

    #[test]
    fn a_tree_has_the_value_that_its_program_was_made_for() {
        let mut arena = GrowingArena::new();
        for seed in 1..=if cfg!(miri) { 3 } else { 200 } {
            let Program { text, value } = generate(seed, 10);
            let tree = parse(&text, &arena.leases(4096)).unwrap();
            assert_eq!(tree.evaluate(), Ok(value), "seed {seed}: {text}");
            arena.reset();
        }
    }
}
