//! The tree in an arena: nodes are `Copy`, refer to each other by plain references, and are never
//! dropped one by one.

use crate::error::Error;

/// `'a` is the arena's borrow. A node may go to any thread, and lives until the arena is reset.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Number(i64),
    Name(&'a str),
    Negate(&'a Node<'a>),
    Define(&'a (&'a str, Node<'a>)),
    /// A long sum is one node, not a deep tree, so recursion is as deep as brackets are.
    List(Kind, &'a [Node<'a>]),
}

/// What a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its value is that of its last statement.
    Block,
    Sum,
    Product,
    Max,
    Min,
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
            Self::Define(&(name, value)) => {
                let value = value.evaluate_in(names)?;
                names.push((name, value));
                Ok(value)
            }
            Self::List(kind, nodes) => {
                let outer = names.len();
                let mut values = nodes.iter().map(|node| node.evaluate_in(names));
                // No list is empty.
                let first = values.next().unwrap_or(Ok(0))?;
                let value = values.try_fold(first, |left, right| Ok(kind.apply(left, right?)));
                names.truncate(outer);
                value
            }
        }
    }

    /// Nodes of the tree, this one included.
    pub(crate) fn count(&self) -> usize {
        let below = match *self {
            Self::Number(_) | Self::Name(_) => 0,
            Self::Negate(node) | Self::Define((_, node)) => node.count(),
            Self::List(_, nodes) => nodes.iter().map(Self::count).sum(),
        };
        below + 1
    }
}

impl Kind {
    fn apply(self, left: i64, right: i64) -> i64 {
        match self {
            Self::Block => right,
            Self::Sum => left.wrapping_add(right),
            Self::Product => left.wrapping_mul(right),
            Self::Max => left.max(right),
            Self::Min => left.min(right),
        }
    }
}
