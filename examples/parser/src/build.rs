//! What a parser needs of a tree. It does not know where the nodes lie, so that the arena and the boxes get the same parser.

use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
}

impl Operator {
    pub(crate) fn apply(self, left: i64, right: i64) -> i64 {
        match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Max,
    Min,
    Sum,
}

impl Function {
    pub(crate) fn apply(self, arguments: impl Iterator<Item = Result<i64, Error>>) -> Result<i64, Error> {
        // A call has an argument at least.
        let both = |left: Result<i64, Error>, right| {
            let (left, right) = (left?, right?);
            Ok(match self {
                Self::Max => left.max(right),
                Self::Min => left.min(right),
                Self::Sum => left.wrapping_add(right),
            })
        };
        arguments.reduce(both).unwrap_or(Ok(0))
    }
}

/// Makes nodes. A list's nodes come as an iterator that knows their number.
pub(crate) trait Build {
    type Node;

    fn number(&self, number: i64) -> Self::Node;
    fn name(&self, name: &str) -> Result<Self::Node, Error>;
    fn negate(&self, of: Self::Node) -> Result<Self::Node, Error>;
    fn binary(&self, operator: Operator, left: Self::Node, right: Self::Node) -> Result<Self::Node, Error>;
    fn call(
        &self,
        function: Function,
        arguments: impl ExactSizeIterator<Item = Self::Node>,
    ) -> Result<Self::Node, Error>;
    fn define(&self, name: &str, value: Self::Node) -> Result<Self::Node, Error>;
    fn block(&self, statements: impl ExactSizeIterator<Item = Self::Node>) -> Result<Self::Node, Error>;
}
