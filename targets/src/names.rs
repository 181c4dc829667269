//! What to say to somebody who misspelt a name.

/// One line about an unknown `name` of a `kind`: the nearest known one, if it is near, and all.
pub(crate) fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), *k))
        .min()
        .filter(|(distance, k)| *distance <= k.len() / 3 + 1);
    let all = known.join(", ");
    match nearest {
        Some((_, k)) => {
            format!("there is no {kind} `{name}`; did you mean `{k}`? There are: {all}")
        }
        None => format!("there is no {kind} `{name}`; there are: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["stale-read", "dup-apply"];
        assert!(unknown("bug", "dup_apply", &known).contains("did you mean `dup-apply`?"));
        assert!(!unknown("bug", "xyz", &known).contains("did you mean"));
    }
}
