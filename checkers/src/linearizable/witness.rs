//! Replaying a linearization: short, slow and independent of the search, so that the search need
//! not be trusted when it says valid.

use danso_vocab::Model;

use super::object::{Item, Object};

/// Whether these rows, in this order, are a linearization of the object: all operations that
/// happened are in it once, none that might have is in it twice, none comes after one that began
/// after its end, and the model accepts it.
pub(super) fn replays<M: Model>(object: &Object<'_>, rows: &[u32], model: &M) -> bool {
    let place = |row: &u32| object.items.binary_search_by_key(row, |item| item.row).ok();
    let mut seen = vec![false; object.items.len()];
    let mut state = model.init();
    let mut begun = 0;
    for row in rows {
        let Some(place) = place(row) else { return false };
        let item: &Item = &object.items[place];
        if std::mem::replace(&mut seen[place], true) || item.res < begun {
            return false;
        }
        begun = begun.max(item.inv);
        let class = object.class(item);
        match model.step(&state, class.f, &class.arg, class.ret()) {
            Some(next) => state = next,
            None => return false,
        }
    }
    object.items.iter().zip(seen).all(|(item, seen)| seen || !item.must())
}
