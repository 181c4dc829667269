//! Permits that clients take and give back.

use danso_vocab::{Model, Ret, Unit, Value};

use super::mutex::refusal;
use crate::linearizable::polynomial::lock::alphabet::{Answer, Word, of_semaphore, permits};

/// A counting semaphore: `acquire` (also `down`, `wait`, `try-acquire`) takes one permit or as many
/// as its argument says if there are so many; `release` (also `up`, `signal`) gives them back,
/// never more than there were at first. Nobody asks who releases. An answer `false` says that
/// there were too few permits. All other operations are none of its business.
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    permits: u32,
}

impl Semaphore {
    /// A semaphore of so many permits.
    pub fn new(permits: u32) -> Self {
        Semaphore { permits }
    }

    /// The permits there are.
    pub fn permits(&self) -> u32 {
        self.permits
    }

    /// A semaphore of as many permits as the value says: one if it says nothing.
    pub fn of(initial: &Value) -> Self {
        Semaphore::new(permits(initial).unwrap_or(1))
    }
}

impl Model for Semaphore {
    /// The permits left.
    type State = u32;

    fn name(&self) -> &'static str {
        "semaphore"
    }

    fn init(&self) -> u32 {
        self.permits
    }

    fn step(&self, left: &u32, f: &str, arg: &Value, ret: Ret<'_>) -> Option<u32> {
        let (word, n) = (of_semaphore(f)?, permits(arg)?);
        let next = match word {
            Word::Take => left.checked_sub(n),
            _ => left.checked_add(n).filter(|left| *left <= self.permits),
        };
        Answer::of(ret).applied(left, next)
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        refusal(ret)
    }

    fn ignores(&self, f: &str) -> bool {
        of_semaphore(f).is_none()
    }

    fn describe(&self, left: &u32) -> String {
        format!("{left} of {} permits left", self.permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_and_go() {
        let model = Semaphore::new(3);
        let step = |left, f, arg: Value, ret: &Value| model.step(&left, f, &arg, Ret::Saw(ret));
        let (done, no) = (Value::Nil, Value::Bool(false));
        assert_eq!(step(3, "acquire", 2.into(), &done), Some(1));
        assert_eq!(step(1, "down", 2.into(), &done), None);
        assert_eq!(step(1, "wait", 2.into(), &no), Some(1));
        assert_eq!(step(2, "acquire", 2.into(), &no), None);
        assert_eq!(step(1, "release", ().into(), &done), Some(2));
        assert_eq!(step(3, "up", ().into(), &done), None);
        assert_eq!(step(3, "acquire", (-1).into(), &done), None);
        assert_eq!(model.step(&0, "acquire", &Value::Nil, Ret::Unknown), Some(0));
        assert_eq!(Semaphore::of(&5.into()).init(), 5);
        assert_eq!(Semaphore::of(&Value::Nil).init(), 1);
    }
}
