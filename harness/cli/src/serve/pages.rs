//! What is at which address.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use danso_reports::browse::{
    self, Choice, Comparison, File, Folder, List, Overview, Run, Side, State as RunState, Tail,
};
use danso_vocab::Results;
use tokio::sync::Semaphore;

use super::files;
use super::live::Followers;
use super::root::{Found, Place, Root, entries};
use super::runs::{self, Runs};
use crate::commands::report;
use crate::load;

/// Runs on a page.
const PAGE: usize = 100;
/// Entries of a folder that are listed.
const ENTRIES: usize = 2_000;
/// Bytes of a log that are shown.
const TAIL: u64 = 64 << 10;
/// Bytes of a history that is read as a whole, for waiting times or a report.
const HISTORY: u64 = 1 << 30;
/// Other runs of the same name that are offered for comparison.
const OTHERS: usize = 8;

/// Everything the pages are made from.
pub(super) struct App {
    root: Arc<Root>,
    runs: Runs,
    followers: Followers,
    /// What reads whole histories, one at a time.
    heavy: Semaphore,
}

impl App {
    pub(super) fn open(folder: &FilePath) -> std::io::Result<App> {
        let root = Arc::new(Root::open(folder)?);
        let runs = Runs::new(root.clone());
        Ok(App { root, runs, followers: Followers::default(), heavy: Semaphore::new(1) })
    }
}

type Shared = State<Arc<App>>;
type Answer = Result<Response<Body>, Refusal>;

/// Why there is no page.
pub(super) struct Refusal(StatusCode, String);

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        refusal(self.0, &self.1)
    }
}

/// The page that says so.
pub(super) fn refusal(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = html(browse::refusal(status.as_u16(), words));
    *response.status_mut() = status;
    response
}

fn missing() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "There is nothing at this address.".to_owned())
}

fn unreadable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("It cannot be read: {error}"))
}

/// All addresses.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/latest", get(latest))
        .route("/run/{*path}", get(run))
        .route("/compare", get(compare))
        .route("/files", get(top))
        .route("/files/", get(top))
        .route("/files/{*path}", get(file))
        .route("/log/{*path}", get(log))
        .route("/-/style.css", get(|| async { asset("text/css; charset=utf-8", browse::STYLE) }))
        .route(
            "/-/browse.js",
            get(|| async { asset("text/javascript; charset=utf-8", browse::SCRIPT) }),
        )
        .fallback(|| async { missing() })
        .with_state(app)
}

fn html(page: String) -> Response<Body> {
    typed("text/html; charset=utf-8", page)
}

fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    typed(kind, text)
}

fn typed(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Reads the disk where nobody else has to wait for it.
async fn on_disk(app: Arc<App>, work: impl FnOnce(&App) -> Answer + Send + 'static) -> Answer {
    let done = tokio::task::spawn_blocking(move || work(&app)).await;
    done.unwrap_or_else(|error| Err(unreadable(&error)))
}

/// As [`on_disk`], one at a time.
async fn slowly(app: Arc<App>, work: impl FnOnce(&App) -> Answer + Send + 'static) -> Answer {
    let shared = app.clone();
    let _turn = shared.heavy.acquire().await.map_err(|e| unreadable(&e))?;
    on_disk(app, work).await
}

fn fields(query: Option<String>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

async fn list(State(app): Shared, RawQuery(query): RawQuery) -> Answer {
    let mut choice = Choice { page: 1, ..Choice::default() };
    for (name, value) in fields(query) {
        match name.as_str() {
            "q" => choice.text = value.trim().to_owned(),
            "verdict" => choice.verdict = value,
            "target" => choice.target = value,
            "workload" => choice.workload = value,
            "page" => choice.page = value.parse().unwrap_or(1),
            _ => {}
        }
    }
    on_disk(app, move |app| {
        let all = app.runs.all().map_err(|e| unreadable(&e))?;
        let found: Vec<&Run> =
            all.runs.iter().map(|run| &**run).filter(|run| choice.takes(run)).collect();
        let pages = found.len().div_ceil(PAGE).max(1);
        choice.page = choice.page.clamp(1, pages);
        let names = |of: fn(&Run) -> &str| -> Vec<&str> {
            let names: std::collections::BTreeSet<&str> =
                all.runs.iter().map(|run| of(run)).collect();
            names.into_iter().filter(|name| !name.is_empty()).collect()
        };
        let shown = found.chunks(PAGE).nth(choice.page - 1).unwrap_or_default();
        let note = "There are more folders than are looked into: serve one further down.";
        Ok(html(browse::list(&List {
            folder: &app.root.path().display().to_string(),
            choice: &choice,
            runs: shown,
            found: found.len(),
            all: all.runs.len(),
            pages,
            targets: names(|run| &run.target),
            workloads: names(|run| &run.workload),
            suites: &all.suites,
            note: all.cut.then(|| note.to_owned()),
        })))
    })
    .await
}

async fn latest(State(app): Shared) -> Answer {
    on_disk(app, |app| {
        let all = app.runs.all().map_err(|e| unreadable(&e))?;
        let newest = all.runs.first().ok_or_else(missing)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let address = HeaderValue::from_str(&browse::address("/run/", &newest.path));
        response.headers_mut().insert(header::LOCATION, address.map_err(|e| unreadable(&e))?);
        Ok(response)
    })
    .await
}

/// The run that an address names.
fn named(app: &App, path: &str) -> Result<(Place, Arc<Run>), Refusal> {
    let place = Place::parse(path).filter(|place| app.runs.is_run(place)).ok_or_else(missing)?;
    let run = app.runs.read(&place).map_err(|e| unreadable(&e))?;
    Ok((place, run))
}

async fn run(State(app): Shared, Path(path): Path<String>) -> Answer {
    on_disk(app, move |app| {
        let (place, run) = named(app, &path)?;
        if run.state == RunState::Running {
            return live(app, &place, &run);
        }
        app.followers.forget(&place);
        overview(app, &place, &run)
    })
    .await
}

fn live(app: &App, place: &Place, run: &Run) -> Answer {
    let plan = app.runs.plan(place).map_err(|why| unreadable(&why))?;
    let follower = app.followers.of(place);
    let mut follower = follower.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut len = 0;
    // Before the cluster stands there is none.
    if let Ok((history, about)) = app.root.file(&place.join("history.jsonl")) {
        len = about.len();
        follower.read(history).map_err(|e| unreadable(&e))?;
    }
    Ok(html(follower.page(run, &plan, len)))
}

fn overview(app: &App, place: &Place, run: &Run) -> Answer {
    let results = app.runs.results(place).ok();
    let files = listed(app, place)?;
    let all = app.runs.all().map_err(|e| unreadable(&e))?;
    let others = all.runs.iter().filter(|other| other.name == run.name && other.path != run.path);
    let has = |name: &str| runs::there(&app.root, &place.join(name));
    Ok(html(browse::run(&Overview {
        run,
        anomalies: results.as_ref().map(stories).unwrap_or_default(),
        reproduce: results.as_ref().map_or("", |results| &results.reproduce),
        files: &files,
        logs: &logs(app, place),
        others: others.take(OTHERS).map(|run| &**run).collect(),
        has_report: has("report.html") || results.is_some() && has("history.jsonl"),
    })))
}

fn stories(results: &Results) -> Vec<(String, String)> {
    let anomalies = results.findings.iter().flat_map(|finding| &finding.anomalies);
    anomalies.map(|anomaly| (anomaly.name.to_string(), anomaly.because.clone())).collect()
}

/// What is in a folder.
fn listed(app: &App, place: &Place) -> Result<Vec<File>, Refusal> {
    let folder = app.root.folder(place).map_err(|_| missing())?;
    let entries = entries(&folder).map_err(|e| unreadable(&e))?;
    let file =
        |e: super::root::Entry| File { name: e.name, bytes: (!e.is_folder).then_some(e.bytes) };
    Ok(entries.into_iter().map(file).collect())
}

/// The outputs of a run's nodes, and danso's own log.
fn logs(app: &App, place: &Place) -> Vec<File> {
    let mut logs = Vec::new();
    let mut add = |name: String| {
        if let Ok((_, about)) = app.root.file(&place.join(&name))
            && about.len() > 0
        {
            logs.push(File { name, bytes: Some(about.len()) });
        }
    };
    add("danso.log".to_owned());
    let nodes = app.root.folder(&place.join("nodes")).and_then(|folder| entries(&folder));
    // A run that never started its nodes has none.
    for node in nodes.unwrap_or_default().into_iter().filter(|e| e.is_folder) {
        for stream in ["stderr", "stdout"] {
            add(format!("nodes/{}/{stream}.log", node.name));
        }
    }
    logs
}

async fn compare(State(app): Shared, RawQuery(query): RawQuery) -> Answer {
    let runs: Vec<String> =
        fields(query).into_iter().filter(|(name, _)| name == "run").map(|(_, path)| path).collect();
    let Ok([one, other]) = <[String; 2]>::try_from(runs) else {
        let words = "Two runs can be compared: tick two in the list.".to_owned();
        return Err(Refusal(StatusCode::BAD_REQUEST, words));
    };
    slowly(app, move |app| {
        let (one, other) = (named(app, &one)?, named(app, &other)?);
        Ok(html(browse::compare(&Comparison { sides: [side(app, &one), side(app, &other)] })))
    })
    .await
}

fn side<'a>(app: &App, (place, run): &'a (Place, Arc<Run>)) -> Side<'a> {
    let results = app.runs.results(place).unwrap_or_default();
    let waits = whole(app, place).map(|loaded| browse::waits(&loaded.history));
    Side {
        run,
        plan: app.runs.plan(place),
        anomalies: stories(&results),
        faults: results.faults,
        waits,
    }
}

/// A run with its history.
fn whole(app: &App, place: &Place) -> Result<load::Loaded, String> {
    // Only what can be reached without a link, and is not too much.
    for name in ["plan.json", "history.jsonl"] {
        let (_, about) = app.root.file(&place.join(name)).map_err(|e| format!("{name}: {e}"))?;
        if about.len() > HISTORY {
            return Err(format!("{name} is too large to be read here"));
        }
    }
    // Nor may a node have put a link in the place of its folder: its log goes into a report.
    let run = app.root.path().join(place.to_string());
    let nodes = std::fs::read_dir(run.join("nodes")).into_iter().flatten().flatten();
    let mut places = nodes.map(|node| node.path()).chain([run.join("nodes")]);
    if let Some(link) = places.find(|path| path.is_symlink()) {
        return Err(format!("{} is a link", link.display()));
    }
    load::load_run(&run).map_err(|e| e.to_string())
}

async fn top(State(app): Shared) -> Answer {
    on_disk(app, |app| folder(app, &Place::ROOT)).await
}

fn folder(app: &App, place: &Place) -> Answer {
    let mut files = listed(app, place)?;
    let more = files.len().saturating_sub(ENTRIES);
    files.truncate(ENTRIES);
    Ok(html(browse::folder(&Folder { path: &place.to_string(), files: &files, more })))
}

async fn file(State(app): Shared, Path(path): Path<String>, asked: HeaderMap) -> Answer {
    let place = Place::parse(&path).ok_or_else(missing)?;
    let Some((above, name)) = place.split() else {
        return on_disk(app, |app| folder(app, &Place::ROOT)).await;
    };
    let (above, name) = (above, name.to_owned());
    let report = name == "report.html";
    if report && missing_report(&app, &above, &place).await? {
        // It is not stored: whoever deleted it had a reason, and reading is all we do.
        return slowly(app, move |app| {
            let loaded = whole(app, &above).map_err(|why| unreadable(&why))?;
            let results = loaded.results.clone().ok_or_else(missing)?;
            let page = report::html(&loaded, &results).map_err(|e| unreadable(&e))?;
            Ok(files::page(page))
        })
        .await;
    }
    on_disk(app, move |app| match app.root.find(&place).map_err(|_| missing())? {
        Found::Folder(_) => folder(app, &place),
        Found::File(file, about) => {
            let ours = report && app.runs.is_run(&above)
                || name == "index.html" && app.runs.is_suite(&above);
            Ok(match ours {
                true => files::page_of(file, about.len()),
                false => files::download(&name, file, about.len(), &asked),
            })
        }
    })
    .await
}

/// Whether a run has results and no report.
async fn missing_report(app: &Arc<App>, run: &Place, report: &Place) -> Result<bool, Refusal> {
    let (app, run, report) = (app.clone(), run.clone(), report.clone());
    let asked = tokio::task::spawn_blocking(move || {
        app.root.find(&report).is_err()
            && app.runs.is_run(&run)
            && runs::there(&app.root, &run.join("results.json"))
    });
    asked.await.map_err(|e| unreadable(&e))
}

async fn log(State(app): Shared, Path(path): Path<String>) -> Answer {
    on_disk(app, move |app| {
        let place = Place::parse(&path).ok_or_else(missing)?;
        let (file, about) = app.root.file(&place).map_err(|_| missing())?;
        let text = runs::end(file, about.len(), TAIL).map_err(|e| unreadable(&e))?;
        Ok(html(browse::tail(&Tail { path: &place.to_string(), text: &text, bytes: about.len() })))
    })
    .await
}
