//! [`Shape`]: who is whose neighbour, as a node is told once.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// A shape of neighbourhoods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    /// Rows and columns, as many of one as of the other.
    #[default]
    Grid,
    /// One after the other.
    Line,
    /// Everybody with everybody.
    Total,
    /// A tree; each node has two below it.
    #[serde(alias = "tree2")]
    Tree,
    /// Three.
    Tree3,
    /// Four.
    Tree4,
}

impl Shape {
    /// Each node's neighbours, by name.
    pub(super) fn of(self, names: &[String]) -> Json {
        let count = names.len();
        let columns = (1..=count).find(|c| c * c >= count).unwrap_or(1);
        let linked = |a: usize, b: usize| match self {
            Shape::Total => true,
            Shape::Line => b == a + 1,
            Shape::Grid => b == a + columns || (b == a + 1 && !b.is_multiple_of(columns)),
            Shape::Tree => (b - 1) / 2 == a,
            Shape::Tree3 => (b - 1) / 3 == a,
            Shape::Tree4 => (b - 1) / 4 == a,
        };
        let of = |me: usize| -> Vec<&str> {
            let near = |other: &usize| *other != me && linked(me.min(*other), me.max(*other));
            (0..count).filter(near).map(|other| names[other].as_str()).collect()
        };
        let all: Map<String, Json> =
            (0..count).map(|me| (names[me].clone(), of(me).into())).collect();
        Json::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: Shape, count: usize) -> String {
        let names: Vec<String> = (1..=count).map(|n| format!("n{n}")).collect();
        shape.of(&names).to_string().replace('"', "")
    }

    #[test]
    fn neighbours() {
        assert_eq!(of(Shape::Grid, 5), "{n1:[n2,n4],n2:[n1,n3,n5],n3:[n2],n4:[n1,n5],n5:[n2,n4]}");
        assert_eq!(of(Shape::Line, 3), "{n1:[n2],n2:[n1,n3],n3:[n2]}");
        assert_eq!(of(Shape::Total, 3), "{n1:[n2,n3],n2:[n1,n3],n3:[n1,n2]}");
        assert_eq!(of(Shape::Tree, 4), "{n1:[n2,n3],n2:[n1,n4],n3:[n1],n4:[n2]}");
        assert_eq!(of(Shape::Tree3, 5), "{n1:[n2,n3,n4],n2:[n1,n5],n3:[n1],n4:[n1],n5:[n2]}");
        assert_eq!(of(Shape::Tree4, 1), "{n1:[]}");
    }
}
