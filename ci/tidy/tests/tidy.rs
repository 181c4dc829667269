//! House rules as tests. Each failure says which rule, where, and what to do.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Who may import whom, in the product (tests may import anything of the workspace).
const IMPORTS: &[(&str, &[&str])] = &[
    ("danso-vocab", &[]),
    ("danso-engine", &["danso-vocab"]),
    ("danso-checkers", &["danso-vocab"]),
    ("danso-workloads", &["danso-vocab", "danso-checkers"]),
    ("danso-targets", &["danso-vocab", "danso-engine"]),
    ("danso-adapters", &["danso-vocab", "danso-engine"]),
    ("danso-reports", &["danso-vocab"]),
    (
        "danso",
        &[
            "danso-vocab",
            "danso-engine",
            "danso-checkers",
            "danso-workloads",
            "danso-targets",
            "danso-adapters",
            "danso-reports",
        ],
    ),
    ("danso-browser", &[]),
    ("danso-tidy", &[]),
];

/// What must not be reachable from the pure crates, directly or not.
const IMPURE: &[&str] = &["tokio", "reqwest", "hyper", "nix", "socket2", "mio", "axum", "rand"];
const PURE: &[&str] = &["danso-vocab", "danso-checkers", "danso-workloads", "danso-reports"];

/// Lines a source file may have. A table or a test may be long, a concept may not.
const FILE_LINES: usize = 600;
/// And one of a bundled node, which is to be read beside its paper.
const NODE_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn metadata() -> Metadata {
    // For this platform only: crates of others are not downloaded.
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host])
        .exec()
        .unwrap()
}

fn ours(metadata: &Metadata) -> BTreeMap<String, &Package> {
    metadata.workspace_packages().into_iter().map(|p| (p.name.to_string(), p)).collect()
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let metadata = metadata();
    let ours = ours(&metadata);
    let known: BTreeSet<_> = IMPORTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, ours.keys().cloned().collect(), "the table and the workspace differ");
    for (name, allowed) in IMPORTS {
        for dependency in &ours[*name].dependencies {
            let inside = ours.contains_key(&dependency.name);
            if inside && dependency.kind == DependencyKind::Normal {
                assert!(
                    allowed.contains(&dependency.name.as_str()),
                    "{name} imports {}, which the table does not allow",
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn pure_crates_reach_nothing_impure() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|n| (&n.id, n)).collect();
    let name = |id: &PackageId| metadata[id].name.to_string();
    for pure in PURE {
        let start = ours(&metadata)[*pure].id.clone();
        let (mut todo, mut seen) = (vec![start], BTreeSet::new());
        while let Some(id) = todo.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            assert!(!IMPURE.contains(&name(&id).as_str()), "{pure} reaches {}", name(&id));
            for dependency in &nodes[&id].deps {
                let normal = dependency.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
                if normal {
                    todo.push(dependency.pkg.clone());
                }
            }
        }
    }
}

/// All source files of the project.
fn sources() -> Vec<(PathBuf, String)> {
    let mut todo = vec![root()];
    let mut files = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "danso-runs" && !name.starts_with('.') {
                todo.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 20, "the sources are not where this test looks for them");
    files
}

#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        let is_node = path.strip_prefix(root().join("targets/src")).is_ok();
        let most = if is_node { NODE_LINES } else { FILE_LINES };
        assert!(
            lines <= most,
            "{} has {lines} lines: more than {most} are rarely one concept",
            path.display()
        );
    }
}

/// Text that must not be in the product, and why.
const BANNED: &[(&str, &str)] = &[
    ("thread_rng", "every random choice comes from the run's seed"),
    ("rand::random", "every random choice comes from the run's seed"),
    ("todo!(", "a stub must not be called done"),
    ("unimplemented!(", "a stub must not be called done"),
    ("#[ignore", "a test that does not run proves nothing"),
];

#[test]
fn what_is_banned_stays_out() {
    for (path, text) in sources() {
        if path.ends_with("ci/tidy/tests/tidy.rs") {
            continue;
        }
        for (banned, why) in BANNED {
            assert!(!text.contains(banned), "{} has `{banned}`: {why}", path.display());
        }
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    for (path, text) in sources() {
        if path.ends_with("ci/tidy/tests/tidy.rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("unsafe {") || code.contains("unsafe impl") {
                let above = &lines[i.saturating_sub(8)..i];
                assert!(
                    above.iter().any(|l| l.contains("SAFETY:")),
                    "{}:{}: unsafe without a SAFETY comment",
                    path.display(),
                    i + 1
                );
            }
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for (path, text) in sources() {
        let relative = path.strip_prefix(root()).unwrap().to_owned();
        let product = relative.components().any(|c| c.as_os_str() == "src");
        let test = relative.to_string_lossy().contains("test");
        // A bundled node's output is its log: it prints on purpose.
        if !product
            || test
            || relative.starts_with("harness/cli")
            || relative.starts_with("targets")
            || relative.starts_with("ci/browser")
        {
            continue;
        }
        let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
        for macro_name in ["println!(", "eprintln!(", "print!("] {
            assert!(!before_tests.contains(macro_name), "{} prints", relative.display());
        }
    }
}
