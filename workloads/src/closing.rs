//! What most workloads ask in the end: one question to every node, until it is answered.

use std::collections::VecDeque;
use std::time::Duration;

use danso_vocab::{Call, Generator, Outcome, Rng, Seat, Step};

/// The pause before a question is asked again that was not answered.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks the same question of this worker's home until it was answered so many times, and waits
/// before each further time. Of the workers of one home only the first asks.
pub struct AskHome {
    question: Call,
    left: u32,
    settle: Duration,
    /// The next step is a pause.
    pause: Option<Duration>,
}

impl AskHome {
    /// Asks until it is answered once.
    pub fn once(seat: Seat, question: Call) -> AskHome {
        let left = u32::from(seat.speaks_for_home());
        AskHome { question, left, settle: Duration::ZERO, pause: None }
    }

    /// Asks until it is answered, then once more after `settle`: the last answer is what the
    /// system has come to, and what it shows beside the first answer had been there before.
    pub fn twice(seat: Seat, question: Call, settle: Duration) -> AskHome {
        let left = 2 * u32::from(seat.speaks_for_home());
        AskHome { question, left, settle, pause: None }
    }
}

impl Generator for AskHome {
    fn next(&mut self, _: &mut Rng) -> Step {
        if self.left == 0 {
            return Step::Done;
        }
        match self.pause.take() {
            Some(pause) => Step::Wait(pause),
            None => Step::Invoke(self.question.clone()),
        }
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        if let Outcome::Ok(_) = outcome {
            self.left = self.left.saturating_sub(1);
            self.pause = Some(self.settle);
        } else {
            self.pause = Some(AGAIN);
        }
    }
}

/// Asks these questions one after the other, each until it is answered. The first worker does it.
pub(crate) struct AskEach {
    left: VecDeque<Call>,
    pause: Option<Duration>,
}

impl AskEach {
    /// The questions, if this is the worker who asks them.
    pub(crate) fn new(seat: Seat, questions: Vec<Call>) -> AskEach {
        let left = if seat.worker == 0 { questions.into() } else { VecDeque::new() };
        AskEach { left, pause: None }
    }
}

impl Generator for AskEach {
    fn next(&mut self, _: &mut Rng) -> Step {
        match (self.pause.take(), self.left.front()) {
            (_, None) => Step::Done,
            (Some(pause), _) => Step::Wait(pause),
            (None, Some(call)) => Step::Invoke(call.clone()),
        }
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        if let Outcome::Ok(_) = outcome {
            self.left.pop_front();
        } else {
            self.pause = Some(AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::Value;

    use super::*;

    #[test]
    fn a_node_is_asked_until_it_answered() {
        let seat = Seat { worker: 1, workers: 6, nodes: 3 };
        let read = || Call::new("read", ());
        let mut closing = AskHome::twice(seat, read(), Duration::from_millis(7));
        let mut rng = Rng::new(0);
        let answers = [false, true, false, true];
        let pauses = [AGAIN, Duration::from_millis(7), AGAIN];
        for (answered, pause) in answers.into_iter().zip(pauses.map(Some).into_iter().chain([None]))
        {
            assert_eq!(closing.next(&mut rng), Step::Invoke(read()));
            let outcome =
                if answered { Outcome::Ok(Value::Nil) } else { Outcome::Fail("refused".into()) };
            closing.observe(&read(), &outcome);
            assert_eq!(closing.next(&mut rng), pause.map_or(Step::Done, Step::Wait));
        }
        let silent = Seat { worker: 4, ..seat };
        assert_eq!(AskHome::once(silent, read()).next(&mut rng), Step::Done);
    }

    #[test]
    fn every_question_is_asked_until_it_is_answered() {
        let calls: Vec<Call> = (0..2).map(|key| Call::new("read", ()).on(key)).collect();
        let seat = Seat { worker: 0, workers: 6, nodes: 3 };
        let mut closing = AskEach::new(seat, calls.clone());
        let mut rng = Rng::new(0);
        for (call, outcome) in [
            (&calls[0], Outcome::Fail("refused".into())),
            (&calls[0], Outcome::Ok(Value::Nil)),
            (&calls[1], Outcome::Ok(Value::Nil)),
        ] {
            assert_eq!(closing.next(&mut rng), Step::Invoke(call.clone()));
            closing.observe(call, &outcome);
            if outcome != Outcome::Ok(Value::Nil) {
                assert_eq!(closing.next(&mut rng), Step::Wait(AGAIN));
            }
        }
        assert_eq!(closing.next(&mut rng), Step::Done);
        assert_eq!(AskEach::new(Seat { worker: 1, ..seat }, calls).next(&mut rng), Step::Done);
    }
}
