//! Links a node into the list.

#![forbid(unsafe_code)]

use crate::damage::Damage;
use crate::node::{NewNode, Path, Place};
use crate::order::Order;
use crate::region::Region;
use crate::search::{Found, Steps, Target};

/// Whether a key's new node goes before its existing nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Always,
    /// Only if the key has no value.
    IfAbsent,
}

/// The outcome of linking a node.
#[derive(Debug)]
pub(crate) enum Linked<'n, R> {
    /// The node is in the list, before the node that was the key's newest.
    Before(Option<Place<'n, R>>),
    /// The node is not in the list: this node has a value for the key.
    Not(Place<'n, R>),
}

/// Returns the node that keeps a new one out.
#[inline]
pub(crate) fn occupant<'n, R: Region>(rule: Rule, found: &Found<'n, R>) -> Result<Option<Place<'n, R>>, Damage> {
    match found.node() {
        Some(node) if rule == Rule::IfAbsent && !node.node()?.is_tombstone() => Ok(Some(node)),
        _ => Ok(None),
    }
}

/// Links a node on the lowest level, which makes it a part of the list. `prepare` runs before each
/// attempt. Also returns the place whose link was changed.
///
/// All nodes of a key go into the same gap. So the compare-and-swap there decides which of them is
/// newer, and tells that no other was linked since the search.
#[inline]
pub(crate) fn link_bottom<'n, R: Region, O: Order, E: From<Damage>>(
    node: &NewNode<'n, R>,
    target: &Target<'_, O>,
    mut found: Found<'n, R>,
    rule: Rule,
    mut prepare: impl FnMut() -> Result<(), E>,
) -> Result<(Linked<'n, R>, Place<'n, R>), E> {
    // An attempt fails only if another node was linked, and the search after it passes that node at
    // most once. So all attempts together meet each such node twice.
    let mut steps = Steps::of(found.gap.previous.nodes());
    loop {
        let previous = found.gap.previous;
        if let Some(occupant) = occupant(rule, &found)? {
            return Ok((Linked::Not(occupant), previous));
        }
        if node.link(found.gap, &mut prepare)? {
            return Ok((Linked::Before(found.node()), previous));
        }
        steps.again(previous)?;
        // Other nodes were linked behind the place, which is never unlinked.
        found = target.find_behind(previous, &mut steps)?;
    }
}

/// Links a node, which is on the lowest level, on the levels above. They are shortcuts. In a file,
/// the node gets none from a place that is far away.
#[inline]
pub(crate) fn link_above<'n, R: Region, O: Order>(
    node: &NewNode<'n, R>,
    target: &Target<'_, O>,
    path: &Path<'n, R>,
) -> Result<(), Damage> {
    for level in 1..node.height() {
        let mut steps = Steps::of(node.bottom().nodes());
        let mut gap = path.gap(level);
        while !node.link(gap, || Ok::<_, Damage>(()))? {
            steps.again(gap.previous)?;
            gap = target.find_behind(gap.previous, &mut Steps::until_far(gap.previous.nodes()))?.gap;
        }
    }
    Ok(())
}
