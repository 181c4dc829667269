//! [`Trails`]: how each configuration of a frontier was reached.

/// Orders of items that share their beginnings. Only what leads to something held is kept, so
/// that it takes about one whole order and the width of the frontier.
#[derive(Default)]
pub(super) struct Trails {
    steps: Vec<Step>,
    free: Vec<u32>,
}

struct Step {
    item: u32,
    before: u32,
    /// Steps right after it and configurations that were reached with it.
    held: u32,
}

impl Trails {
    /// The empty order.
    pub(super) const START: u32 = u32::MAX;

    /// The order `trail` with these items after it, held once. It stays until released.
    pub(super) fn extend(&mut self, trail: u32, items: &[u32]) -> u32 {
        let mut end = trail;
        self.hold(end);
        for &item in items {
            let step = Step { item, before: end, held: 1 };
            end = match self.free.pop() {
                Some(place) => {
                    self.steps[place as usize] = step;
                    place
                }
                None => {
                    self.steps.push(step);
                    self.steps.len() as u32 - 1
                }
            };
        }
        end
    }

    /// Forgets an order, except for what others begin with.
    pub(super) fn release(&mut self, mut trail: u32) {
        while trail != Trails::START {
            let step = &mut self.steps[trail as usize];
            step.held -= 1;
            if step.held > 0 {
                return;
            }
            self.free.push(trail);
            trail = step.before;
        }
    }

    /// The items, in order.
    pub(super) fn items(&self, mut trail: u32) -> Vec<u32> {
        let mut items = Vec::new();
        while trail != Trails::START {
            let step = &self.steps[trail as usize];
            items.push(step.item);
            trail = step.before;
        }
        items.reverse();
        items
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.steps.capacity() * size_of::<Step>() + self.free.capacity() * 4
    }

    fn hold(&mut self, trail: u32) {
        if trail != Trails::START {
            self.steps[trail as usize].held += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_reused() {
        let mut trails = Trails::default();
        let stem = trails.extend(Trails::START, &[1, 2]);
        let (left, right) = (trails.extend(stem, &[3]), trails.extend(stem, &[4, 5]));
        trails.release(stem);
        assert_eq!(trails.items(left), [1, 2, 3]);
        trails.release(left);
        assert_eq!(trails.items(right), [1, 2, 4, 5]);
        let size = trails.steps.len();
        let again = trails.extend(right, &[6]);
        assert_eq!((trails.steps.len(), trails.items(again)), (size, vec![1, 2, 4, 5, 6]));
        trails.release(right);
        trails.release(again);
        assert_eq!(trails.free.len(), size);
    }
}
