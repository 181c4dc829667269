//! `[target]` of kind `process`, read and made sense of.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::Farewell;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Described, Recipe};
use crate::ask::Ask;
use crate::client::Dialect;
use crate::mistake::{no_such, read};
use crate::names::Roster;
use crate::template::Template;
use crate::{Declared, Mistake, Settings, own};

/// `[target]` of kind `process`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    // Read before, and named here for whoever mistypes them.
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    #[serde(rename = "nodes")]
    _nodes: Option<IgnoredAny>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    start: Order,
    #[serde(default)]
    lists: BTreeMap<String, List>,
    #[serde(default)]
    setup: Vec<String>,
    #[serde(default)]
    teardown: Vec<String>,
    primary: Option<String>,
    patience: Option<String>,
    stop: Option<Stop>,
    #[serde(default)]
    role: Vec<Role>,
    command: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    ready: Option<String>,
    user: Option<String>,
    #[serde(default)]
    logs: Vec<String>,
}

/// `[[target.role]]`: what is not given here is as in `[target]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Role {
    name: String,
    nodes: u16,
    command: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    ready: Option<String>,
    user: Option<String>,
    #[serde(default)]
    logs: Vec<String>,
}

/// Who is started when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    #[default]
    Together,
    OneByOne,
    ByRole,
}

/// `[target.lists]`: a text made of something of every node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct List {
    each: String,
    #[serde(default)]
    of: Of,
    join: Option<String>,
    role: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Of {
    #[default]
    All,
    Others,
}

/// `stop = { signal = "SIGINT", grace = "5s" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stop {
    signal: Option<String>,
    grace: Option<String>,
}

/// Makes the target of its settings. `client` says how clients speak, and the role they ask if
/// only one.
///
/// # Errors
/// If a setting makes no sense.
pub(crate) fn build_with(
    settings: &Settings,
    nodes: Option<u16>,
    client: impl FnOnce() -> Result<(Arc<dyn Dialect>, Option<String>), Mistake>,
) -> Result<Declared, Mistake> {
    let (dir, own) = own(settings);
    let table: Table = read(&own).map_err(|mistake| mistake.in_target())?;
    let roster = roster(&table, nodes).map_err(Mistake::in_target)?;
    let (dialect, role) = client()?;
    let clients_of = role
        .map(|name| {
            let found = roster.roles.iter().position(|(role, _)| *role == name);
            found.ok_or_else(|| {
                let known: Vec<_> = roster.roles.iter().map(|(role, _)| role.as_str()).collect();
                Mistake::new(no_such("role", &name, &known)).at("role").at("client")
            })
        })
        .transpose()?;
    let speaks = dialect.speaks();
    let target = describe(table, dir, roster, dialect, clients_of).map_err(Mistake::in_target)?;
    let nodes = target.roster.count();
    Ok(Declared { target: Arc::new(target), nodes, speaks })
}

fn roster(table: &Table, nodes: Option<u16>) -> Result<Roster, Mistake> {
    let roles = match table.role.as_slice() {
        [] => vec![("node".to_owned(), nodes.unwrap_or(3))],
        roles => roles.iter().map(|r| (r.name.clone(), r.nodes)).collect(),
    };
    let roster = Roster { roles };
    let count: u32 = roster.roles.iter().map(|(_, count)| u32::from(*count)).sum();
    match (count, nodes) {
        (0, _) | (101.., _) => {
            Err(Mistake::new(format!("{count} nodes: from 1 to 100 can be run")).at("nodes"))
        }
        (count, Some(nodes)) if count != u32::from(nodes) => {
            Err(Mistake::new(format!("{nodes} nodes, but the roles have {count} together"))
                .at("nodes"))
        }
        _ => Ok(roster),
    }
}

fn describe(
    table: Table,
    dir: PathBuf,
    roster: Roster,
    dialect: Arc<dyn Dialect>,
    clients_of: Option<usize>,
) -> Result<Described, Mistake> {
    let names: Vec<String> = table.lists.keys().cloned().collect();
    let known = |name: &str| roster.knows(name, &names);
    let single = |name: &str| roster.knows(name, &[]);
    let template =
        |text: &str, at: &str| Template::new(text, &known).map_err(|e| Mistake::new(e).at(at));
    let mut lists = BTreeMap::new();
    for (name, list) in &table.lists {
        let each = Template::new(&list.each, &single);
        let each = each.map_err(|e| Mistake::new(e).at("each").at(name).at("lists"))?;
        let role = list.role.as_ref().map(|role| {
            let found = roster.roles.iter().position(|(name, _)| name == role);
            let known: Vec<_> = roster.roles.iter().map(|(role, _)| role.as_str()).collect();
            let why = no_such("role", role, &known);
            found.ok_or_else(|| Mistake::new(why).at("role").at(name).at("lists"))
        });
        let join = list.join.clone().unwrap_or_else(|| ",".to_owned());
        lists.insert(name.clone(), (each, list.of, join, role.transpose()?));
    }
    let whole = Role {
        command: table.command.clone(),
        env: table.env.clone(),
        workdir: table.workdir.clone(),
        files: table.files.clone(),
        ready: table.ready.clone(),
        user: table.user.clone(),
        logs: table.logs.clone(),
        ..Role::default()
    };
    let recipes = match table.role.as_slice() {
        [] => vec![recipe(&whole, &whole, &dir, &known)?],
        roles => roles
            .iter()
            .enumerate()
            .map(|(i, role)| {
                recipe(role, &whole, &dir, &known).map_err(|m| m.at(&i.to_string()).at("role"))
            })
            .collect::<Result<_, _>>()?,
    };
    let commands = |list: &[String], at: &str| -> Result<Vec<Template>, Mistake> {
        let read =
            |(i, text): (usize, &String)| template(text, &i.to_string()).map_err(|m| m.at(at));
        list.iter().enumerate().map(read).collect()
    };
    let primary = table.primary.as_ref().map(|text| Ask::new(text, &known));
    let primary = primary.transpose().map_err(|e| Mistake::new(e).at("primary"))?;
    let patience = table.patience.as_ref().map(|text| duration(text));
    let patience = patience.transpose().map_err(|e| Mistake::new(e).at("patience"))?;
    Ok(Described {
        ports: if table.ports.is_empty() { vec![7_000] } else { table.ports.clone() },
        order: table.start,
        setup: commands(&table.setup, "setup")?,
        teardown: commands(&table.teardown, "teardown")?,
        primary,
        patience: patience.unwrap_or(Duration::from_secs(15)),
        farewell: farewell(table.stop.as_ref()).map_err(|m| m.at("stop"))?,
        dir,
        lists,
        recipes,
        roster,
        dialect,
        clients_of,
    })
}

fn recipe(
    role: &Role,
    whole: &Role,
    dir: &Path,
    known: &dyn Fn(&str) -> Result<(), String>,
) -> Result<Recipe, Mistake> {
    let template =
        |text: &str, at: &str| Template::new(text, known).map_err(|e| Mistake::new(e).at(at));
    let or = |own: &Option<String>, all: &Option<String>| own.clone().or_else(|| all.clone());
    let command = role.command.as_ref().or(whole.command.as_ref());
    let command = command.filter(|words| !words.is_empty()).ok_or_else(|| {
        Mistake::new("command is missing: the program to run as a node, and its arguments")
    })?;
    let mut env = whole.env.clone();
    env.extend(role.env.clone());
    let mut files = whole.files.clone();
    files.extend(role.files.clone());
    let mut written = Vec::new();
    for (name, text) in &files {
        let wrong = |why: String| Mistake::new(why).at(name).at("files");
        if Path::new(name).components().any(|c| !matches!(c, Component::Normal(_))) {
            return Err(wrong(format!("`{name}` leads out of the folder {{conf}}")));
        }
        // `@path` is the text of a file beside the test file.
        let text = match text.strip_prefix('@') {
            None => text.clone(),
            Some(path) => std::fs::read_to_string(dir.join(path.trim()))
                .map_err(|e| wrong(format!("{}: {e}", dir.join(path.trim()).display())))?,
        };
        written.push((name.clone(), Template::new(&text, known).map_err(wrong)?));
    }
    let ready = or(&role.ready, &whole.ready).map(|text| Ask::new(&text, known));
    let user = or(&role.user, &whole.user).map(|name| uid(&name)).transpose();
    let logs = if role.logs.is_empty() { &whole.logs } else { &role.logs };
    Ok(Recipe {
        command: command
            .iter()
            .enumerate()
            .map(|(i, word)| template(word, &i.to_string()).map_err(|m| m.at("command")))
            .collect::<Result<_, _>>()?,
        env: env
            .iter()
            .map(|(name, text)| Ok((name.clone(), template(text, name).map_err(|m| m.at("env"))?)))
            .collect::<Result<_, Mistake>>()?,
        workdir: or(&role.workdir, &whole.workdir)
            .map(|text| template(&text, "workdir"))
            .transpose()?,
        files: written,
        ready: ready.transpose().map_err(|e| Mistake::new(e).at("ready"))?,
        user: user.map_err(|e| Mistake::new(e).at("user"))?.flatten(),
        logs: logs.iter().map(|text| template(text, "logs")).collect::<Result<_, _>>()?,
    })
}

/// The number of a user; `None` if that is who we are.
fn uid(name: &str) -> Result<Option<u32>, String> {
    let user = nix::unistd::User::from_name(name).map_err(|e| format!("{name}: {e}"))?;
    let user = user.ok_or_else(|| format!("this machine has no user `{name}`"))?;
    let ours = nix::unistd::geteuid();
    if user.uid == ours {
        return Ok(None);
    }
    if !ours.is_root() {
        return Err(format!("only root can start programs as {name}: run as root or as {name}"));
    }
    Ok(Some(user.uid.as_raw()))
}

fn farewell(stop: Option<&Stop>) -> Result<Farewell, Mistake> {
    let mut farewell = Farewell::default();
    if let Some(name) = stop.and_then(|s| s.signal.as_ref()) {
        let full = if name.starts_with("SIG") { name.clone() } else { format!("SIG{name}") };
        let signal: Result<Signal, _> = full.parse();
        let why = format!("there is no signal `{name}`: write SIGTERM, SIGINT, SIGQUIT");
        farewell.signal = signal.map_err(|_| Mistake::new(why).at("signal"))?;
    }
    if let Some(text) = stop.and_then(|s| s.grace.as_ref()) {
        farewell.grace = duration(text).map_err(|e| Mistake::new(e).at("grace"))?;
    }
    Ok(farewell)
}

/// `30s`, `500ms`, `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write 30s, 500ms or 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    match &text[digits..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" if number < 10_000 => Ok(Duration::from_secs(number * 60)),
        _ => Err(wrong()),
    }
}
