//! Taking away the lowest elements of a stack, one after another.

use super::super::How;
use super::super::container::{Container, NONE, stopped};
use super::Line;
use super::looks::Looks;
use super::trees::{Ends, Heights, Places};

/// In which order elements were taken away, and where their operations happen.
pub(super) struct Peeled {
    /// By element: its turn; [`NONE`] if it is still there.
    pub(super) turn: Vec<u32>,
    /// By element: the last place where it can be put in.
    pub(super) put: Vec<u32>,
    /// By element: the first place where it can be taken out; past the end if it is not.
    pub(super) taken: Vec<u32>,
    /// By peek: a place where it can happen.
    pub(super) peeked: Vec<u32>,
}

impl Peeled {
    /// Whether the element was taken away.
    pub(super) fn is_gone(&self, v: usize) -> bool {
        self.turn[v] != NONE
    }
}

/// An operation that waits for a place where it can happen.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) element: u32,
    /// Its place in [`Container::peeks`]; [`NONE`] if it puts in or takes out.
    pub(super) peek: u32,
    /// Its first and last place.
    pub(super) from: u32,
    pub(super) upto: u32,
}

/// Takes away what can be. `None` if it was told to stop. O(n log n).
pub(super) fn peel(stack: &Container, line: &Line, how: &How) -> Option<Peeled> {
    let mut peeling = Peeling::new(stack, line, how.witness);
    for turn in 0.. {
        let mut polled = 0;
        while let Some(place) = peeling.heights.zero() {
            peeling.reach(place);
            polled += 1;
            if stopped(&how.stop, polled) {
                return None;
            }
        }
        if stopped(&how.stop, turn) {
            return None;
        }
        let Some(v) = peeling.ready.pop() else { break };
        peeling.take_away(v as usize, turn as u32);
    }
    Some(peeling.peeled)
}

struct Peeling<'s> {
    stack: &'s Container,
    line: &'s Line,
    /// By place: how many elements are certainly inside. With peeks one less, until a place was
    /// reached where one is alone.
    heights: Heights,
    /// By first place.
    waiting: Vec<Waiting>,
    /// By place: how many of them begin no later.
    many: Vec<u32>,
    /// Of those waiting: the last place and one more.
    ends: Ends,
    /// By element: how many of its operations wait.
    missing: Vec<u32>,
    /// Elements that can be taken away.
    ready: Vec<u32>,
    looks: Option<Looks>,
    /// Where nothing is inside, if a witness is wanted.
    open: Option<Places>,
    peeled: Peeled,
}

impl<'s> Peeling<'s> {
    fn new(stack: &'s Container, line: &'s Line, witness: bool) -> Peeling<'s> {
        let (waiting, missing) = wait(stack, line);
        let (waiting, many) = by_place(line.len(), &waiting);
        let mut heights = vec![0; line.len() + 1];
        for v in (0..stack.len()).filter(|v| stack.is_inside(*v)) {
            let inside = line.inside(stack, v);
            heights[inside.start] += 1;
            heights[inside.end] -= 1;
        }
        let mut height = 0;
        for step in &mut heights {
            height += *step;
            *step = height;
        }
        heights.truncate(line.len());
        let looks =
            (!stack.peeks.is_empty()).then(|| Looks::new(stack, line, &waiting, &mut heights));
        let ends: Vec<u32> = waiting.iter().map(|w| w.upto + 1).collect();
        let mut peeled = Peeled {
            turn: vec![NONE; stack.len()],
            put: Vec::new(),
            taken: Vec::new(),
            peeked: vec![NONE; stack.peeks.len()],
        };
        if witness {
            peeled.put = vec![0; stack.len()];
            peeled.taken = vec![line.len() as u32; stack.len()];
        }
        Peeling {
            stack,
            line,
            heights: Heights::new(&heights),
            waiting,
            many,
            ends: Ends::new(&ends),
            missing,
            ready: Vec::new(),
            looks,
            open: witness.then(|| Places::new(line.len())),
            peeled,
        }
    }

    /// At this place nothing is inside any more, or nothing but one element.
    fn reach(&mut self, place: usize) {
        if let Some(looks) = &mut self.looks
            && let Some(v) = looks.alone(place)
        {
            self.heights.add(place, place + 1, 1);
            while let Some(i) = self.looks.as_ref().and_then(|looks| looks.of(v, place)) {
                self.happens(i, place);
            }
            return;
        }
        self.heights.lift(place);
        if let Some(open) = &mut self.open {
            open.insert(place);
        }
        let many = self.many[place] as usize;
        while let Some(i) = self.ends.last(many, place as u32 + 1) {
            self.happens(i, place);
        }
    }

    /// One of those waiting can happen here.
    fn happens(&mut self, i: usize, place: usize) {
        self.ends.clear(i);
        let Waiting { element, peek, .. } = self.waiting[i];
        if let Some(peeked) = self.peeled.peeked.get_mut(peek as usize) {
            *peeked = place as u32;
        }
        if let Some(looks) = &mut self.looks {
            looks.clear(i);
        }
        let missing = &mut self.missing[element as usize];
        *missing -= 1;
        if *missing == 0 {
            self.ready.push(element);
        }
    }

    fn take_away(&mut self, v: usize, turn: u32) {
        let (stack, line) = (self.stack, self.line);
        self.peeled.turn[v] = turn;
        if let Some(open) = &self.open {
            // As close to where it is certainly inside as possible, so that no place that others
            // were given before it comes in between.
            let put = open.before(line.upto(stack.b[v]));
            self.peeled.put[v] = put.map_or(0, |place| place as u32);
            if stack.c[v] != NONE
                && let Some(place) = open.after(line.from(stack.c[v]))
            {
                self.peeled.taken[v] = place as u32;
            }
        }
        let inside = line.inside(stack, v);
        self.heights.add(inside.start, inside.end, -1);
        if let Some(looks) = &mut self.looks {
            looks.take_away(v, inside);
        }
    }
}

/// The operations of elements that are certainly inside at some time, and how many each has.
fn wait(stack: &Container, line: &Line) -> (Vec<Waiting>, Vec<u32>) {
    let mut waiting = Vec::with_capacity(2 * stack.len() + stack.peeks.len());
    let mut missing = vec![0; stack.len()];
    let mut wait = |v: usize, peek: u32, inv: u32, res: u32| {
        let (from, upto) = (line.from(inv) as u32, line.upto(res) as u32);
        waiting.push(Waiting { element: v as u32, peek, from, upto });
        missing[v] += 1;
    };
    for v in (0..stack.len()).filter(|v| stack.is_inside(*v)) {
        wait(v, NONE, stack.a[v], stack.b[v]);
        if stack.c[v] != NONE {
            wait(v, NONE, stack.c[v], stack.d[v]);
        }
    }
    for (i, peek) in stack.peeks.iter().enumerate() {
        let v = peek.element as usize;
        if stack.is_inside(v) {
            wait(v, i as u32, peek.inv.max(stack.a[v]), peek.res.min(stack.d[v]));
        }
    }
    (waiting, missing)
}

/// Those waiting by first place, and by place how many begin no later.
fn by_place(places: usize, waiting: &[Waiting]) -> (Vec<Waiting>, Vec<u32>) {
    let mut many = vec![0; places];
    waiting.iter().for_each(|w| many[w.from as usize] += 1);
    let mut sum = 0;
    for many in &mut many {
        sum += *many;
        *many = sum;
    }
    let mut next = many.clone();
    let mut sorted = waiting.to_vec();
    for w in waiting.iter().rev() {
        let at = &mut next[w.from as usize];
        *at -= 1;
        sorted[*at as usize] = *w;
    }
    (sorted, many)
}
