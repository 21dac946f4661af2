//! The tree in an arena: nodes are `Copy`, refer to each other by plain references, and are never dropped one by one.

use marena_std::{Lease, OwnedMemory};

use crate::build::{Build, Function, Operator};
use crate::error::Error;

/// `'a` is the arena's borrow. A node may go to any thread, and lives until the arena is reset.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Number(i64),
    Name(&'a str),
    Negate(&'a Node<'a>),
    /// Both operands side by side, by one allocation.
    Binary(Operator, &'a [Node<'a>; 2]),
    Call(Function, &'a [Node<'a>]),
    Define(&'a (&'a str, Node<'a>)),
    /// Its value is that of its last statement.
    Block(&'a [Node<'a>]),
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Node<'_>>() == 24);

impl<'a> Node<'a> {
    pub(crate) fn evaluate(&self) -> Result<i64, Error> {
        self.evaluate_in(&mut Vec::new())
    }

    fn evaluate_in(&self, names: &mut Vec<(&'a str, i64)>) -> Result<i64, Error> {
        match *self {
            Self::Number(number) => Ok(number),
            Self::Name(name) => match names.iter().rfind(|(known, _)| *known == name) {
                Some(&(_, value)) => Ok(value),
                None => Err(Error::Undefined(name.to_owned())),
            },
            Self::Negate(of) => Ok(of.evaluate_in(names)?.wrapping_neg()),
            Self::Binary(operator, [left, right]) => {
                Ok(operator.apply(left.evaluate_in(names)?, right.evaluate_in(names)?))
            }
            Self::Call(function, arguments) => function.apply(arguments.iter().map(|node| node.evaluate_in(names))),
            Self::Define(&(name, value)) => {
                let value = value.evaluate_in(names)?;
                names.push((name, value));
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

    /// Nodes of the tree, this one included.
    pub(crate) fn count(&self) -> usize {
        let below = match *self {
            Self::Number(_) | Self::Name(_) => 0,
            Self::Negate(of) => of.count(),
            Self::Binary(_, operands) => operands.iter().map(Self::count).sum(),
            Self::Call(_, nodes) | Self::Block(nodes) => nodes.iter().map(Self::count).sum(),
            Self::Define((_, value)) => value.count(),
        };
        below + 1
    }
}

/// Builds in a lease: no node costs an atomic operation, however many threads build in the same arena.
impl<'a> Build for &Lease<'a, OwnedMemory> {
    type Node = Node<'a>;

    fn number(&self, number: i64) -> Node<'a> {
        Node::Number(number)
    }

    fn name(&self, name: &str) -> Result<Node<'a>, Error> {
        Ok(Node::Name(self.alloc_str(name)?))
    }

    fn negate(&self, of: Node<'a>) -> Result<Node<'a>, Error> {
        Ok(Node::Negate(self.alloc(of)?))
    }

    fn binary(&self, operator: Operator, left: Node<'a>, right: Node<'a>) -> Result<Node<'a>, Error> {
        Ok(Node::Binary(operator, self.alloc([left, right])?))
    }

    fn call(&self, function: Function, arguments: impl ExactSizeIterator<Item = Node<'a>>) -> Result<Node<'a>, Error> {
        Ok(Node::Call(function, self.alloc_slice_from_iter(arguments)?))
    }

    fn define(&self, name: &str, value: Node<'a>) -> Result<Node<'a>, Error> {
        let name: &str = self.alloc_str(name)?;
        Ok(Node::Define(self.alloc((name, value))?))
    }

    fn block(&self, statements: impl ExactSizeIterator<Item = Node<'a>>) -> Result<Node<'a>, Error> {
        Ok(Node::Block(self.alloc_slice_from_iter(statements)?))
    }
}

#[cfg(test)]
mod tests {
    use marena_std::{AllocError, Arena};

    use super::*;
    use crate::parse::parse;

    #[test]
    fn a_tree_outlives_the_text_the_lease_and_the_scratch() {
        let arena = Arena::with_capacity(64 << 10).unwrap();
        let mut temporary = Arena::with_capacity(64 << 10).unwrap();
        let tree = {
            let text = String::from("let a = 3; max(a, 2) * (a + 1)");
            parse(&text, &arena.lease(1024), &temporary.scratch()).unwrap()
        };
        temporary.reset();
        assert_eq!((tree.count(), tree.evaluate()), (10, Ok(12)));
    }

    #[test]
    fn a_full_arena_is_an_error() {
        let arena = Arena::with_capacity(64 << 10).unwrap();
        let mut temporary = Arena::with_capacity(64 << 10).unwrap();
        let text = "1 + ".repeat(10_000) + "1";
        let refused = parse(&text, &arena.lease(1024), &temporary.scratch());
        assert!(matches!(refused, Err(Error::Tree(AllocError::Full { .. }))), "{refused:?}");
    }

    #[test]
    fn no_room_for_pending_lists_is_an_error() {
        let arena = Arena::with_capacity(1 << 20).unwrap();
        let mut temporary = Arena::with_capacity(64 << 10).unwrap();
        let text = "1; ".repeat(10_000) + "1";
        let refused = parse(&text, &arena.lease(1024), &temporary.scratch());
        assert_eq!(refused.err(), Some(Error::Pending));
    }
}
