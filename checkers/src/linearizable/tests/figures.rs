//! What is drawn of a violation is true: replayed step by step under the model.

use danso_vocab::figure::{Figure, Graph, Order, Step};
use danso_vocab::{Anomaly, Op, OpId, Ret, Status};

use super::super::object::argument;
use super::fuzz::touch;
use super::*;

/// The state after `op`, if it is possible in `state`.
fn step<M: Model>(model: &M, state: &M::State, op: Op<'_>) -> Option<M::State> {
    let ret = op.ret();
    let ret = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
    model.step(state, op.f(), &argument(op, model), ret)
}

/// Whether `a` had ended before `b` began.
fn precedes(a: Op<'_>, b: Op<'_>) -> bool {
    a.is_ok() && a.res_rank() < b.inv_rank()
}

/// Each order of an anomaly is a legal one, in real time too, with the states it says, and ends
/// before an operation that must come and cannot. Says how many orders there are.
pub(super) fn hold<M: Model>(model: &M, history: &History, anomaly: &Anomaly) -> usize {
    let Some(figure) = &anomaly.figure else { return 0 };
    let orders = match figure {
        Figure::Orders(orders) => orders,
        Figure::Graph(graph) => {
            cycles(history, graph);
            return 1;
        }
    };
    assert!(!orders.is_empty(), "nothing to draw: {anomaly:#?}");
    let op = |id: OpId| history.op(id).unwrap();
    for order in orders {
        let mut state = model.init();
        let mut done = Vec::new();
        for taken in &order.steps {
            let next = op(taken.op);
            assert!(!done.contains(&taken.op), "twice: {order:#?}");
            assert!(anomaly.ops.contains(&taken.op), "a stranger: {order:#?}");
            assert_ne!(next.status(), Status::Fail, "{order:#?}");
            let before = anomaly.ops.iter().filter(|id| !done.contains(*id)).map(|id| op(*id));
            let mut before = before.filter(|before| before.id() != taken.op);
            assert!(!before.any(|before| precedes(before, next)), "real time: {order:#?}");
            state = step(model, &state, next).unwrap_or_else(|| panic!("impossible: {order:#?}"));
            assert_eq!(model.describe(&state), taken.state, "{order:#?}");
            done.push(taken.op);
        }
        assert_eq!(model.describe(&state), order.state, "{order:#?}");
        let refused = op(order.refused);
        assert!(refused.is_ok() && !done.contains(&order.refused), "{order:#?}");
        assert!(step(model, &state, refused).is_none(), "it is possible: {order:#?}");
    }
    orders.len()
}

/// Every edge of a graph is true, and those that are guilty make one circle.
fn cycles(history: &History, graph: &Graph) {
    let op = |at: u32| history.op(graph.vertices[at as usize].op.unwrap()).unwrap();
    let guilty: Vec<_> = graph.edges.iter().filter(|edge| edge.guilty).collect();
    assert_eq!(guilty.len(), 2, "{graph:#?}");
    assert_eq!((guilty[0].from, guilty[0].to), (guilty[1].to, guilty[1].from), "{graph:#?}");
    for edge in &graph.edges {
        let (from, to) = (op(edge.from), op(edge.to));
        let ((left, _), (next, needed)) = (touch(from), touch(to));
        let is_true = match &*edge.kind {
            // Of one that nobody knows the end of, somebody saw the value by then.
            "rt" => precedes(from, to) || !from.is_ok(),
            "wr" => needed.is_some() && left == needed,
            "rw" => touch(from).1.is_some() && (next.or(needed) != touch(from).1),
            _ => false,
        };
        assert!(is_true, "{edge:?} {graph:#?}");
    }
}

/// The one order drawn of the one anomaly of a history, after it was found to say the same in
/// words.
fn drawn(history: &History) -> (String, Order) {
    use danso_vocab::Checker;
    let model = CasRegister::default();
    let finding = Linearizable::new(model.clone()).check(history, &Limits::default());
    let [anomaly] = &finding.anomalies[..] else { panic!("{finding:#?}") };
    assert_eq!(hold(&model, history, anomaly), 1, "{anomaly:#?}");
    let Some(Figure::Orders(orders)) = &anomaly.figure else { panic!("{anomaly:#?}") };
    let refused = history.op(orders[0].refused).unwrap();
    let said = format!("the state is {}, where {refused} is impossible", orders[0].state);
    assert!(anomaly.explain.iter().any(|line| line.ends_with(&said)), "{said}: {anomaly:#?}");
    (anomaly.name.to_string(), orders[0].clone())
}

#[test]
fn a_figure_says_what_the_explanation_says() {
    let step = |op, state: &str| Step { op: OpId(op), state: state.to_owned() };
    let stale = history([
        call(0, "write", 1),
        ok(0, ()),
        call(1, "write", 2),
        ok(1, ()),
        call(2, "read", ()),
        ok(2, 1),
    ]);
    let order =
        Order { steps: vec![step(0, "1"), step(2, "2")], refused: OpId(4), state: "2".to_owned() };
    assert_eq!(drawn(&stale), ("stale-read".to_owned(), order));
    // What cannot be at all is refused at first.
    let invented = history([call(0, "read", ()), ok(0, 7)]);
    let order = Order { steps: Vec::new(), refused: OpId(0), state: "nil".to_owned() };
    assert_eq!(drawn(&invented), ("thin-air".to_owned(), order));
}

#[test]
fn where_a_value_came_from_elsewhere_a_cycle_is_drawn() {
    use danso_vocab::Checker;
    let drawn = |events: Vec<Event>| {
        let (history, model) = (history(events), CasRegister::default());
        let finding = Linearizable::new(model.clone()).check(&history, &Limits::default());
        let anomaly = &finding.anomalies[0];
        assert_eq!(hold(&model, &history, anomaly), 1);
        let Some(Figure::Graph(graph)) = &anomaly.figure else { panic!("{anomaly:#?}") };
        let id = |at: u32| graph.vertices[at as usize].op.unwrap().0;
        let edges = graph.edges.iter().map(|e| format!("{} {} {}", id(e.from), e.kind, id(e.to)));
        (anomaly.name.to_string(), edges.collect::<Vec<_>>())
    };
    let swap = |old: i64, new: i64| Value::from([Value::Int(old), Value::Int(new)]);
    let begun = [call(0, "write", 7), ok(0, ()), call(0, "cas", swap(7, 8)), ok(0, true)];
    let mut stale = begun.to_vec();
    stale.extend([call(1, "write", 9), ok(1, ()), call(2, "read", ()), ok(2, 8)]);
    let edges = ["4 rt 6", "6 rw 4", "2 rt 4", "2 wr 6"].map(str::to_owned).to_vec();
    assert_eq!(drawn(stale), ("stale-read".to_owned(), edges));
    let mut twice = begun.to_vec();
    twice.extend([call(1, "cas", swap(8, 1)), call(2, "cas", swap(8, 2))]);
    twice.extend([ok(1, true), ok(2, true)]);
    let edges = ["5 rw 4", "4 rw 5", "2 wr 5", "2 wr 4"].map(str::to_owned).to_vec();
    assert_eq!(drawn(twice), ("lost-update".to_owned(), edges));
}
