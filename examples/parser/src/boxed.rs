//! The same tree in boxes: what the arena's is checked and measured against.

use crate::build::{Build, Function, Operator};
use crate::error::Error;

#[derive(Debug)]
pub(crate) enum Boxed {
    Number(i64),
    Name(Box<str>),
    Negate(Box<Boxed>),
    Binary(Operator, Box<[Boxed; 2]>),
    Call(Function, Box<[Boxed]>),
    Define(Box<(Box<str>, Boxed)>),
    Block(Box<[Boxed]>),
}

impl Boxed {
    pub(crate) fn evaluate(&self) -> Result<i64, Error> {
        self.evaluate_in(&mut Vec::new())
    }

    fn evaluate_in<'s>(&'s self, names: &mut Vec<(&'s str, i64)>) -> Result<i64, Error> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(name) => match names.iter().rfind(|(known, _)| *known == &**name) {
                Some(&(_, value)) => Ok(value),
                None => Err(Error::Undefined(name.to_string())),
            },
            Self::Negate(of) => Ok(of.evaluate_in(names)?.wrapping_neg()),
            Self::Binary(operator, operands) => {
                let [left, right] = &**operands;
                Ok(operator.apply(left.evaluate_in(names)?, right.evaluate_in(names)?))
            }
            Self::Call(function, arguments) => function.apply(arguments.iter().map(|node| node.evaluate_in(names))),
            Self::Define(definition) => {
                let value = definition.1.evaluate_in(names)?;
                names.push((&definition.0, value));
                Ok(value)
            }
            Self::Block(statements) => {
                let outer = names.len();
                let value = statements.iter().try_fold(0, |_, statement| statement.evaluate_in(names));
                names.truncate(outer);
                value
            }
        }
    }

    /// Bytes that the tree asked the allocator for, what the allocator adds for itself not included.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Name(name) => name.len(),
            Self::Negate(of) => size_of::<Self>() + of.bytes(),
            Self::Binary(_, operands) => operands.iter().map(|node| size_of::<Self>() + node.bytes()).sum(),
            Self::Call(_, nodes) | Self::Block(nodes) => {
                nodes.iter().map(|node| size_of::<Self>() + node.bytes()).sum()
            }
            Self::Define(definition) => size_of::<(Box<str>, Self)>() + definition.0.len() + definition.1.bytes(),
        }
    }
}

/// Builds in boxes.
#[derive(Clone, Copy)]
pub(crate) struct Boxes;

impl Build for Boxes {
    type Node = Boxed;

    fn number(&self, number: i64) -> Boxed {
        Boxed::Number(number)
    }

    fn name(&self, name: &str) -> Result<Boxed, Error> {
        Ok(Boxed::Name(name.into()))
    }

    fn negate(&self, of: Boxed) -> Result<Boxed, Error> {
        Ok(Boxed::Negate(Box::new(of)))
    }

    fn binary(&self, operator: Operator, left: Boxed, right: Boxed) -> Result<Boxed, Error> {
        Ok(Boxed::Binary(operator, Box::new([left, right])))
    }

    fn call(&self, function: Function, arguments: impl ExactSizeIterator<Item = Boxed>) -> Result<Boxed, Error> {
        Ok(Boxed::Call(function, arguments.collect()))
    }

    fn define(&self, name: &str, value: Boxed) -> Result<Boxed, Error> {
        Ok(Boxed::Define(Box::new((name.into(), value))))
    }

    fn block(&self, statements: impl ExactSizeIterator<Item = Boxed>) -> Result<Boxed, Error> {
        Ok(Boxed::Block(statements.collect()))
    }
}
