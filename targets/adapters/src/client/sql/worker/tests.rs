use std::sync::Mutex as Slot;

use danso_vocab::{NodeId, Process};

use super::super::session::Login;
use super::super::statement::{Answer, OpTable};
use super::*;
use crate::place::Host;

/// What a server does: an answer to each statement, by its text.
type Server = dyn Fn(&str) -> Result<Answer, Trouble> + Send + Sync;

/// A database that answers as told. `ATOMIC` as [`Session::ATOMIC`].
struct Fake<const ATOMIC: bool> {
    server: Box<Server>,
    /// Everything it was sent, and `open ADDRESS`.
    heard: Arc<Slot<Vec<String>>>,
}

struct Open<const ATOMIC: bool> {
    fake: Arc<Fake<ATOMIC>>,
    address: String,
    doubt: bool,
}

struct Handle<const ATOMIC: bool>(Arc<Fake<ATOMIC>>);

impl<const ATOMIC: bool> Database for Handle<ATOMIC> {
    type Session = Open<ATOMIC>;

    fn new(_: Login) -> Self {
        unreachable!("tests make it themselves")
    }

    fn parameter(number: usize) -> String {
        format!("${number}")
    }

    fn isolate(level: &str) -> String {
        level.to_owned()
    }

    async fn open(&self, address: &str) -> Result<Open<ATOMIC>, Trouble> {
        let mut open = Open { fake: self.0.clone(), address: address.to_owned(), doubt: false };
        open.say(&format!("open {address}")).await?;
        Ok(open)
    }
}

impl<const ATOMIC: bool> Open<ATOMIC> {
    async fn say(&mut self, sql: &str) -> Result<Answer, Trouble> {
        self.fake.heard.lock().unwrap().push(sql.to_owned());
        let answer = (self.fake.server)(sql);
        if answer == Err(Trouble::Broken("never".into())) {
            std::future::pending::<()>().await;
        }
        self.doubt = answer.as_ref().is_ok_and(|answer| answer.affected == DOUBTED);
        answer
    }
}

/// An answer the server has doubts about.
const DOUBTED: u64 = 99;

impl<const ATOMIC: bool> Session for Open<ATOMIC> {
    const ATOMIC: bool = ATOMIC;

    async fn prepare(&mut self, sql: &str) -> Result<(), Trouble> {
        self.say(&format!("prepare {sql}")).await.map(drop)
    }

    async fn run(&mut self, sql: &str, _: &[Value]) -> Result<Answer, Trouble> {
        self.say(sql).await
    }

    async fn command(&mut self, sql: &str) -> Result<(), Trouble> {
        self.say(sql).await.map(drop)
    }

    async fn rollback(&mut self) -> Result<bool, Trouble> {
        self.say("ROLLBACK").await.map(|answer| answer.affected == 0)
    }

    async fn primary(&mut self) -> Result<bool, Trouble> {
        let question = format!("primary {}", self.address);
        self.say(&question).await.map(|answer| answer.affected == 0)
    }

    fn doubt(&self) -> Option<String> {
        self.doubt.then(|| "doubt".to_owned())
    }
}

/// A worker, and what its servers hear.
struct Test<const ATOMIC: bool> {
    worker: Worker<Handle<ATOMIC>>,
    heard: Arc<Slot<Vec<String>>>,
}

const ONE: &str = r#"{"send":"S","ok":"affected | expect 1 | nil"}"#;
const TWO: &str = r#"{"send":["A","B"],"ok":"affected | expect 1 | nil"}"#;

fn test<const ATOMIC: bool>(
    op: &str,
    to: To,
    server: impl Fn(&str) -> Result<Answer, Trouble> + Send + Sync + 'static,
) -> Test<ATOMIC> {
    let table: OpTable = serde_json::from_str(op).unwrap();
    let heard = Arc::default();
    let fake = Arc::new(Fake { server: Box::new(server), heard: Arc::clone(&heard) });
    let shared = Shared {
        database: Handle(fake),
        ops: BTreeMap::from([(
            "f".to_owned(),
            Op::new(&table, Handle::<ATOMIC>::parameter).unwrap(),
        )]),
        port: None,
        to,
        isolate: None,
        fail: vec!["USER".to_owned()],
        init: vec!["init".to_owned()],
        begun: Mutex::new(false),
    };
    let hosts = (1..=3).map(|i| Host::theirs(NodeId(i), &format!("n{i}"), 1)).collect();
    let place = Place { hosts, home: 1, process: Process(0) };
    Test { worker: Worker::new(Arc::new(shared), place), heard }
}

impl<const ATOMIC: bool> Test<ATOMIC> {
    async fn call(&mut self) -> Outcome {
        self.worker.invoke(&Call::new("f", ())).await
    }

    /// What was heard since last asked.
    fn heard(&self) -> String {
        std::mem::take(&mut *self.heard.lock().unwrap()).join(", ")
    }
}

/// An answer to a statement.
type Reply = fn() -> Result<Answer, Trouble>;

fn yes() -> Result<Answer, Trouble> {
    Ok(Answer { rows: Vec::new(), affected: 1 })
}

fn none() -> Result<Answer, Trouble> {
    Ok(Answer::default())
}

fn refused(code: &str, undone: bool) -> Result<Answer, Trouble> {
    Err(Trouble::Refused { code: code.to_owned(), why: "no".to_owned(), undone })
}

fn broken() -> Result<Answer, Trouble> {
    Err(Trouble::Broken("broken".to_owned()))
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok(_) => "ok",
        Outcome::Fail(_) => "fail",
        Outcome::Info(_) => "info",
    }
}

/// How an operation ends if `at` is answered so, and everything else well; and whether the
/// session was used again.
async fn end<const ATOMIC: bool>(
    op: &str,
    at: &'static str,
    answer: Reply,
) -> (&'static str, bool) {
    let server = move |sql: &str| match sql {
        sql if sql == at => answer(),
        "ROLLBACK" => none(),
        _ => yes(),
    };
    let mut test = test::<ATOMIC>(op, To::Home, server);
    let outcome = test.call().await;
    let first = test.heard();
    assert!(first.starts_with("open n2:1, init"), "{first}");
    test.call().await;
    (word(&outcome), !test.heard().contains("open"))
}

#[tokio::test]
async fn a_statement_ends_as_the_table_says() {
    let table: &[(&str, Reply, &str, bool)] = &[
        ("S", yes, "ok", true),
        ("S", none, "fail", true),
        ("S", || refused("40001", true), "fail", true),
        ("S", || refused("USER", false), "fail", true),
        ("S", || refused("XX000", false), "info", false),
        ("S", broken, "info", false),
        ("S", || Ok(Answer { rows: Vec::new(), affected: DOUBTED }), "info", true),
        ("prepare S", || refused("XX000", false), "fail", true),
        ("prepare S", broken, "fail", false),
    ];
    for (at, answer, word, kept) in table {
        assert_eq!(end::<true>(ONE, at, *answer).await, (*word, *kept), "{at}: {:?}", answer());
        assert_eq!(end::<false>(ONE, at, *answer).await, (*word, *kept), "{at}: {:?}", answer());
    }
}

#[tokio::test]
async fn a_transaction_ends_as_the_table_says() {
    type Row = (&'static str, Reply, [(&'static str, bool); 2]);
    let both = |word, kept| [(word, kept); 2];
    let table: &[Row] = &[
        ("B", yes, both("ok", true)),
        ("B", none, both("fail", true)),
        ("BEGIN", broken, both("fail", false)),
        ("prepare B", broken, both("fail", false)),
        ("A", || refused("XX000", false), both("fail", true)),
        // Only who knows that nothing outlives a session may say so.
        ("B", broken, [("fail", false), ("info", false)]),
        ("COMMIT", broken, both("info", false)),
        ("COMMIT", || refused("40001", true), both("fail", true)),
        ("COMMIT", || refused("57P01", false), both("info", false)),
        ("COMMIT", || Ok(Answer { rows: Vec::new(), affected: DOUBTED }), both("info", true)),
    ];
    for (at, answer, [atomic, other]) in table {
        assert_eq!(end::<true>(TWO, at, *answer).await, *atomic, "{at}: {:?}", answer());
        assert_eq!(end::<false>(TWO, at, *answer).await, *other, "{at}: {:?}", answer());
    }
}

#[tokio::test]
async fn a_transaction_is_rolled_back_and_never_committed_when_a_step_fails() {
    for rolled_back in [none, yes, broken] {
        let server = move |sql: &str| match sql {
            "A" => refused("XX000", false),
            "ROLLBACK" => rolled_back(),
            _ => yes(),
        };
        let mut vouched = test::<true>(TWO, To::Home, server);
        assert_eq!(word(&vouched.call().await), "fail");
        let heard = vouched.heard();
        assert!(heard.ends_with("BEGIN, A, ROLLBACK"), "{heard}");
        // Here a rollback that is not vouched for proves nothing.
        let mut other = test::<false>(TWO, To::Home, server);
        let expected = if rolled_back() == none() { "fail" } else { "info" };
        assert_eq!(word(&other.call().await), expected);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_session_along() {
    let hangs = |sql: &str| match sql {
        "S" => Err(Trouble::Broken("never".to_owned())),
        _ => yes(),
    };
    let mut test = test::<true>(ONE, To::Home, hangs);
    for _ in 0..2 {
        let wait = tokio::time::timeout(Duration::from_millis(20), test.call());
        assert!(wait.await.is_err());
        assert!(test.heard().starts_with("open n2:1"));
    }
}

#[tokio::test]
async fn the_primary_is_looked_for_from_home_on_and_again_after_a_refusal() {
    let server = |sql: &str| match sql {
        "primary n1:1" => none(),
        "open n2:1" => broken(),
        "S" => refused("25006", true),
        _ => yes(),
    };
    let mut test = test::<true>(ONE, To::Primary, server);
    for _ in 0..2 {
        assert_eq!(word(&test.call().await), "fail");
        let heard = test.heard();
        assert!(heard.contains("primary n1:1"), "{heard}");
        assert!(heard.ends_with("prepare S, S"), "{heard}");
    }
    test.call().await;
    assert!(test.heard().starts_with("open n1:1"), "it begins where it was last");
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_not_the_next_one_asked() {
    let server = |sql: &str| match sql {
        "open n2:1" => Err(Trouble::Broken("never".to_owned())),
        "primary n3:1" => none(),
        _ => yes(),
    };
    let mut test = test::<true>(ONE, To::Primary, server);
    // The operation's time is up before that of opening a session.
    assert!(tokio::time::timeout(Duration::from_millis(20), test.call()).await.is_err());
    assert_eq!(test.heard(), "open n2:1");
    assert_eq!(word(&test.call().await), "ok");
    assert!(test.heard().starts_with("open n3:1, primary n3:1"));
}

#[tokio::test]
async fn nothing_is_sent_before_init_is_done_and_init_is_done_once() {
    let tries = Slot::new(0);
    let server = move |sql: &str| match sql {
        "init" => {
            *tries.lock().unwrap() += 1;
            if *tries.lock().unwrap() == 1 { refused("XX000", false) } else { yes() }
        }
        _ => yes(),
    };
    let mut test = test::<true>(ONE, To::Home, server);
    assert_eq!(word(&test.call().await), "fail");
    assert_eq!(test.heard(), "open n2:1, init");
    assert_eq!(word(&test.call().await), "ok");
    let mut other = Worker::new(test.worker.shared.clone(), test.worker.place.clone());
    assert_eq!(word(&other.invoke(&Call::new("f", ())).await), "ok");
    assert_eq!(test.heard().matches("init").count(), 1);
}
