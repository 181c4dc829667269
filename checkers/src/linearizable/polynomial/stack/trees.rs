//! Trees in flat arrays.

/// Numbers that are added to in ranges, and of which the leftmost zero is looked for. All are at
/// least zero. Each node holds how much its least number exceeds that of its sibling, so that no
/// second array is needed for what was added.
pub(super) struct Heights {
    leaves: usize,
    over: Vec<i32>,
}

/// More than any number that is added.
const HIGH: i32 = 1 << 29;

impl Heights {
    /// Of these. O(n).
    pub(super) fn new(heights: &[i32]) -> Heights {
        // One more leaf on either side, so that ranges have neighbours.
        let leaves = (heights.len() + 2).next_power_of_two();
        let mut over = vec![HIGH; 2 * leaves];
        over[leaves + 1..=leaves + heights.len()].copy_from_slice(heights);
        let mut tree = Heights { leaves, over };
        (1..leaves).rev().for_each(|node| {
            tree.over[node] = 0;
            tree.pull(node);
        });
        tree
    }

    fn pull(&mut self, node: usize) {
        let least = self.over[2 * node].min(self.over[2 * node + 1]);
        self.over[2 * node] -= least;
        self.over[2 * node + 1] -= least;
        self.over[node] += least;
    }

    /// Adds to all from `from` up to, not including, `to`. O(log n).
    pub(super) fn add(&mut self, from: usize, to: usize, by: i32) {
        let (mut left, mut right) = (self.leaves + from, self.leaves + to + 1);
        while left ^ right != 1 {
            if left & 1 == 0 {
                self.over[left + 1] += by;
            }
            if right & 1 == 1 {
                self.over[right - 1] += by;
            }
            (left, right) = (left / 2, right / 2);
            self.pull(left);
            self.pull(right);
        }
        while left > 1 {
            left /= 2;
            self.pull(left);
        }
    }

    /// Makes one so high that it is never found again.
    pub(super) fn lift(&mut self, at: usize) {
        self.add(at, at + 1, HIGH);
    }

    /// The leftmost zero. O(log n).
    pub(super) fn zero(&self) -> Option<usize> {
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            node += usize::from(self.over[node] > 0);
        }
        (self.over[1] == 0).then(|| node - self.leaves - 1)
    }
}

/// Numbers, of which the last one in a beginning is looked for that is not less than another.
pub(super) struct Ends {
    leaves: usize,
    most: Vec<u32>,
}

impl Ends {
    /// Of these. O(n).
    pub(super) fn new(ends: &[u32]) -> Ends {
        let leaves = ends.len().next_power_of_two();
        let mut most = vec![0; 2 * leaves];
        most[leaves..leaves + ends.len()].copy_from_slice(ends);
        for node in (1..leaves).rev() {
            most[node] = most[2 * node].max(most[2 * node + 1]);
        }
        Ends { leaves, most }
    }

    /// Makes one 0. O(log n), mostly less.
    pub(super) fn clear(&mut self, at: usize) {
        let mut node = self.leaves + at;
        self.most[node] = 0;
        while node > 1 {
            node /= 2;
            let most = self.most[2 * node].max(self.most[2 * node + 1]);
            if std::mem::replace(&mut self.most[node], most) == most {
                return;
            }
        }
    }

    /// The last one before `before` that is at least `end`, which is not 0. O(log n).
    pub(super) fn last(&self, before: usize, end: u32) -> Option<usize> {
        let mut node = self.leaves + before.checked_sub(1)?;
        // Up, until something to the left reaches that far; then down to the last that does.
        if self.most[node] < end {
            while node & 1 == 0 || self.most[node - 1] < end {
                if node.is_power_of_two() {
                    return None;
                }
                node /= 2;
            }
            node -= 1;
        }
        while node < self.leaves {
            node = 2 * node + usize::from(self.most[2 * node + 1] >= end);
        }
        Some(node - self.leaves)
    }
}

/// A set of places, of which neighbours are looked for.
pub(super) struct Places {
    /// 64 places a word; then a bit a word of those; and so on.
    levels: Vec<Vec<u64>>,
}

impl Places {
    /// None of `0..n`.
    pub(super) fn new(n: usize) -> Places {
        let mut levels = vec![vec![0; n / 64 + 1]];
        while let Some(words) = levels.last().map(Vec::len).filter(|words| *words > 1) {
            levels.push(vec![0; words / 64 + 1]);
        }
        Places { levels }
    }

    pub(super) fn insert(&mut self, mut at: usize) {
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    /// The last one up to `at`.
    pub(super) fn before(&self, mut at: usize) -> Option<usize> {
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get(at / 64)? & (u64::MAX >> (63 - at % 64));
            if word != 0 {
                let start = at / 64 * 64 + word.ilog2() as usize;
                return Some(self.down(height, start, |word| word.ilog2()));
            }
            at = (at / 64).checked_sub(1)?;
        }
        None
    }

    /// The first one from `at` on.
    pub(super) fn after(&self, mut at: usize) -> Option<usize> {
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get(at / 64)? & (u64::MAX << (at % 64));
            if word != 0 {
                let start = at / 64 * 64 + word.trailing_zeros() as usize;
                return Some(self.down(height, start, u64::trailing_zeros));
            }
            at = at / 64 + 1;
        }
        None
    }

    fn down(&self, height: usize, start: usize, pick: impl Fn(u64) -> u32) -> usize {
        let levels = self.levels[..height].iter().rev();
        levels.fold(start, |at, level| at * 64 + pick(level[at]) as usize)
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::Rng;

    use super::*;

    #[test]
    fn trees_agree_with_plain_arrays() {
        let mut rng = Rng::new(5);
        for _ in 0..300 {
            let n = rng.between(1, 200);
            let mut plain: Vec<i32> = (0..n).map(|_| rng.below(4) as i32).collect();
            let mut ends: Vec<u32> = (0..n).map(|_| rng.below(50) as u32).collect();
            let mut set = vec![false; n as usize];
            let (mut heights, mut tree) = (Heights::new(&plain), Ends::new(&ends));
            let mut places = Places::new(n as usize);
            for _ in 0..60 {
                let from = rng.below(n) as usize;
                let to = rng.between(from as u64 + 1, n) as usize;
                let down = plain[from..to].iter().all(|height| *height > 0);
                let by = if down { -1 } else { 1 };
                plain[from..to].iter_mut().for_each(|height| *height += by);
                heights.add(from, to, by);
                assert_eq!(heights.zero(), plain.iter().position(|height| *height == 0));
                let end = rng.between(1, 50) as u32;
                let last = ends[..to].iter().rposition(|e| *e >= end);
                assert_eq!(tree.last(to, end), last);
                ends[from] = 0;
                tree.clear(from);
                places.insert(from);
                set[from] = true;
                let at = rng.below(n) as usize;
                assert_eq!(places.before(at), set[..=at].iter().rposition(|is| *is));
                assert_eq!(places.after(at), set[at..].iter().position(|is| *is).map(|i| i + at));
            }
        }
    }
}
