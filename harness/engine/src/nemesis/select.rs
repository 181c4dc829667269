//! Node selectors: `one`, `minority`, `majority`, `minority-third`, `all`, `random(k)`, a list,
//! or what is known only at injection: `primaries`, `follower`, `followers`, `winner`, `speaker`.

use std::collections::BTreeMap;

use danso_vocab::{Fault, NodeId, Nodes, Rng, Value};

/// Settles a selector.
///
/// # Errors
/// If it is none, or selects nobody.
pub(super) fn select(
    selector: Option<&Value>,
    default: &str,
    nodes: &[NodeId],
    rng: &mut Rng,
) -> Result<Nodes, String> {
    let word = match selector {
        None | Some(Value::Nil) => default,
        Some(Value::Str(word)) => word,
        Some(Value::List(list)) => return these(list, nodes),
        Some(other) => return Err(format!("nodes = {other} is neither a word nor a list")),
    };
    let all = nodes.len() as u64;
    let majority = all / 2 + 1;
    if let Some(role) = Nodes::of_word(word) {
        return Ok(role);
    }
    let count = match word {
        "one" => 1,
        "minority" => all - majority,
        "majority" => majority,
        "minority-third" => all.saturating_sub(1) / 3,
        "all" => all,
        _ => match word.strip_prefix("random(").and_then(|w| w.strip_suffix(')')) {
            Some(k) => k.parse().map_err(|_| format!("`{word}`: random(k) wants a number"))?,
            None if word.parse::<NodeId>().is_ok() => return these(&[word.into()], nodes),
            None => {
                return Err(format!(
                    "`{word}` selects nothing known: one, minority, majority, minority-third, all, random(k), {} or a list such as [\"n1\", \"n3\"]",
                    Nodes::words().collect::<Vec<_>>().join(", ")
                ));
            }
        },
    };
    if count == 0 || count > all {
        return Err(format!("`{word}` of {all} nodes would be {count} nodes"));
    }
    let mut drawn = nodes.to_vec();
    rng.shuffle(&mut drawn);
    drawn.truncate(count as usize);
    drawn.sort_unstable();
    Ok(Nodes::These(drawn))
}

/// A fault that hits the nodes its arguments select, one by default.
pub(super) fn on_nodes(
    kind: &'static str,
    args: &BTreeMap<String, Value>,
    nodes: &[NodeId],
    rng: &mut Rng,
) -> Result<Fault, String> {
    let nodes = select(args.get("nodes"), "one", nodes, rng)?;
    Ok(Fault { kind: kind.into(), nodes, args: Value::of([]) })
}

fn these(list: &[Value], nodes: &[NodeId]) -> Result<Nodes, String> {
    let mut chosen = Vec::new();
    for value in list {
        let node = node(value, nodes)?;
        if !chosen.contains(&node) {
            chosen.push(node);
        }
    }
    if chosen.is_empty() {
        return Err("an empty list selects nobody".to_owned());
    }
    Ok(Nodes::These(chosen))
}

/// A member named by a value.
pub(super) fn node(value: &Value, nodes: &[NodeId]) -> Result<NodeId, String> {
    let name = value.str().ok_or_else(|| format!("{value} is no node: write \"n1\""))?;
    let node: NodeId = name.parse()?;
    if nodes.contains(&node) {
        Ok(node)
    } else {
        Err(format!("there is no {node} in a cluster of {}", nodes.len()))
    }
}
