//! A B+-tree that counts: items in order, and of each how many come before it.
//!
//! Finding, adding, taking away and reading the k-th take O(log n). Nodes hold at most [`WIDTH`];
//! of two neighbours one is at least a quarter full or both together would not fit into one.

#![expect(clippy::indexing_slicing, reason = "an index comes from a search in the same node")]

/// How many items a leaf has at most, and how many children a node. Measured, see
/// [`Ranking`](super::Ranking); few in tests, so that these come to many nodes.
const WIDTH: usize = if cfg!(test) { 8 } else { 128 };
/// A node with fewer joins a neighbour if both fit into one.
const SPARSE: usize = WIDTH / 4;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    root: Node<T>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Vec<T>),
    Inner(Inner<T>),
}

/// Children side by side, so that a search reads only `bounds`, and a count only `lens`.
#[derive(Clone, Debug)]
struct Inner<T> {
    /// Nothing in child `i` is below `bounds[i]`, and all in child `i - 1` is; that of the first
    /// child is not looked at.
    bounds: Vec<T>,
    /// How many items are under each child.
    lens: Vec<u32>,
    nodes: Vec<Node<T>>,
}

impl<T: Ord + Copy> Tree<T> {
    pub(super) fn new() -> Self {
        Self { root: Node::Leaf(vec![]), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many of the first items are all `before`, which must hold of a beginning only.
    pub(super) fn count(&self, before: impl Fn(&T) -> bool) -> usize {
        let (mut node, mut count) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return count + items.partition_point(before),
                Node::Inner(inner) => {
                    let child = inner.bounds[1..].partition_point(&before);
                    count += sum(&inner.lens[..child]);
                    node = &inner.nodes[child];
                }
            }
        }
    }

    /// The items from the `from`-th on, counted from 0, `count` at most.
    pub(super) fn range(&self, from: usize, count: usize) -> Vec<T> {
        let mut out = Vec::with_capacity(count.min(self.len.saturating_sub(from)));
        self.root.range(from, count, &mut out);
        out
    }

    /// Adds an item; one that is there already must not be.
    pub(super) fn insert(&mut self, item: T) {
        self.len += 1;
        let Some((bound, right)) = self.root.insert(item) else { return };
        let left = std::mem::replace(&mut self.root, Node::Leaf(vec![]));
        // What the bound of a first child is does not matter.
        let (bounds, lens) = (vec![bound, bound], vec![left.len(), right.len()]);
        self.root = Node::Inner(Inner { bounds, lens, nodes: vec![left, right] });
    }

    /// Takes an item away; answers whether it was there.
    pub(super) fn remove(&mut self, item: &T) -> bool {
        let was_there = self.root.remove(item);
        self.len -= usize::from(was_there);
        if let Node::Inner(inner) = &mut self.root
            && inner.nodes.len() == 1
        {
            self.root = inner.nodes.remove(0);
        }
        was_there
    }
}

fn sum(lens: &[u32]) -> usize {
    lens.iter().sum::<u32>() as usize
}

impl<T: Ord + Copy> Node<T> {
    /// How many items are under it.
    fn len(&self) -> u32 {
        match self {
            Self::Leaf(items) => u32::try_from(items.len()).expect("at most `WIDTH`"),
            Self::Inner(inner) => inner.lens.iter().sum(),
        }
    }

    /// How many items, or children, it has itself.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(inner) => inner.nodes.len(),
        }
    }

    fn range(&self, mut from: usize, count: usize, out: &mut Vec<T>) {
        match self {
            Self::Leaf(items) => {
                let left = count.saturating_sub(out.len());
                out.extend(items.iter().skip(from).take(left));
            }
            Self::Inner(inner) => {
                for (len, node) in inner.lens.iter().zip(&inner.nodes) {
                    let len = *len as usize;
                    if from < len && out.len() < count {
                        node.range(from, count, out);
                    }
                    from = from.saturating_sub(len);
                }
            }
        }
    }

    /// Adds an item; what no longer fits is a node of its own, with its bound.
    fn insert(&mut self, item: T) -> Option<(T, Self)> {
        match self {
            Self::Leaf(items) => {
                let index = items.partition_point(|one| *one < item);
                items.insert(index, item);
                if items.len() <= WIDTH {
                    return None;
                }
                let right = split(items);
                Some((right[0], Self::Leaf(right)))
            }
            Self::Inner(inner) => {
                let child = inner.child(&item);
                inner.lens[child] += 1;
                let (bound, right) = inner.nodes[child].insert(item)?;
                inner.lens[child] -= right.len();
                inner.bounds.insert(child + 1, bound);
                inner.lens.insert(child + 1, right.len());
                inner.nodes.insert(child + 1, right);
                (WIDTH < inner.nodes.len()).then(|| inner.split())
            }
        }
    }

    fn remove(&mut self, item: &T) -> bool {
        match self {
            Self::Leaf(items) => {
                let found = items.binary_search(item);
                found.map(|index| items.remove(index)).is_ok()
            }
            Self::Inner(inner) => {
                let child = inner.child(item);
                let was_there = inner.nodes[child].remove(item);
                inner.lens[child] -= u32::from(was_there);
                if inner.nodes[child].width() < SPARSE {
                    inner.join(child);
                }
                was_there
            }
        }
    }

    /// Takes in the node behind it, whose bound is `bound`.
    fn append(&mut self, bound: T, right: Self) {
        match (self, right) {
            (Self::Leaf(items), Self::Leaf(right)) => items.extend(right),
            (Self::Inner(inner), Self::Inner(mut right)) => {
                right.bounds[0] = bound;
                inner.bounds.append(&mut right.bounds);
                inner.lens.append(&mut right.lens);
                inner.nodes.append(&mut right.nodes);
            }
            (Self::Leaf(_), Self::Inner(_)) | (Self::Inner(_), Self::Leaf(_)) => {
                unreachable!("all leaves are as deep")
            }
        }
    }
}

impl<T: Ord + Copy> Inner<T> {
    /// The child that has `item`, or would.
    fn child(&self, item: &T) -> usize {
        self.bounds[1..].partition_point(|bound| bound <= item)
    }

    fn split(&mut self) -> (T, Node<T>) {
        let (bounds, lens) = (split(&mut self.bounds), split(&mut self.lens));
        (bounds[0], Node::Inner(Self { bounds, lens, nodes: split(&mut self.nodes) }))
    }

    /// Makes one of the child and a neighbour, if both fit.
    fn join(&mut self, child: usize) {
        let fits = |left: &usize| {
            let two = self.nodes.get(*left).zip(self.nodes.get(left + 1));
            two.is_some_and(|(left, right)| left.width() + right.width() <= WIDTH)
        };
        let Some(left) = [Some(child), child.checked_sub(1)].into_iter().flatten().find(fits)
        else {
            return;
        };
        let (bound, len) = (self.bounds.remove(left + 1), self.lens.remove(left + 1));
        let right = self.nodes.remove(left + 1);
        self.lens[left] += len;
        self.nodes[left].append(bound, right);
    }
}

/// The second half, with room to grow in both.
fn split<I>(items: &mut Vec<I>) -> Vec<I> {
    let mut right = Vec::with_capacity(WIDTH + 1);
    right.extend(items.drain(items.len() / 2..));
    right
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_and_reads_as_a_sorted_list_does(
            moves in prop::collection::vec((any::<bool>(), 0_u16..1_500), 1..4_000),
            asked in prop::collection::vec(0_u16..1_500, 20),
        ) {
            let (mut tree, mut plain) = (Tree::new(), BTreeSet::new());
            for (is_added, item) in moves {
                if is_added && plain.insert(item) {
                    tree.insert(item);
                } else if !is_added {
                    prop_assert_eq!(tree.remove(&item), plain.remove(&item));
                }
            }
            let plain: Vec<u16> = plain.into_iter().collect();
            prop_assert_eq!(tree.len(), plain.len());
            prop_assert_eq!(tree.range(0, usize::MAX), plain.clone());
            for item in asked {
                let before = plain.iter().filter(|one| **one < item).count();
                prop_assert_eq!(tree.count(|one| *one < item), before);
                let window: Vec<u16> = plain.iter().skip(before).take(70).copied().collect();
                prop_assert_eq!(tree.range(before, 70), window);
            }
        }
    }

    #[test]
    fn a_tree_stays_shallow_however_it_is_filled_and_emptied() {
        let mut tree = Tree::new();
        (0_u32..100_000).for_each(|item| tree.insert(item));
        assert!(depth(&tree.root) <= 9, "half full: 4 to the power of 9 are more than enough");
        // All but every hundredth go, and nodes with them.
        (0..100_000).filter(|item| item % 100 > 0).for_each(|item| assert!(tree.remove(&item)));
        assert_eq!(tree.len(), 1_000);
        assert!(depth(&tree.root) <= 6 && leaves(&tree.root) <= 600);
        (0..100_000).step_by(100).for_each(|item| assert!(tree.remove(&item)));
        assert_eq!((tree.len(), depth(&tree.root)), (0, 1));
    }

    fn depth<T>(node: &Node<T>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Inner(inner) => 1 + depth(&inner.nodes[0]),
        }
    }

    fn leaves<T>(node: &Node<T>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Inner(inner) => inner.nodes.iter().map(leaves).sum(),
        }
    }
}
