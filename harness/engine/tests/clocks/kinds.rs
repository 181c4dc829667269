//! One test for each kind of program. Each is started by a shell, so that it is met at a later
//! `execve`, and asked before and after changes.

use std::time::Duration;

use danso_engine::clock::Skew;

use super::node::{How, Node, SECOND, build, can, folder, has, page, words};

/// Starts the program in a shell, changes its clock while it runs, and compares.
fn follows(program: &[String], how: How) {
    let (_dir, clock) = page();
    let wrapped = [words(&["/bin/sh", "-c", "\"$0\" \"$@\"; exit $?"]), program.to_vec()].concat();
    let mut node = Node::start(&clock, &wrapped, how);
    node.ask().check(&clock);
    clock.apply(Skew::Bump(86_400 * SECOND + 250_000_123)).unwrap();
    node.ask().check(&clock);
    clock.apply(Skew::Bump(-30 * 86_400 * SECOND)).unwrap();
    node.ask().check(&clock);
    clock.apply(Skew::Drift { ppm: 500_000, monotonic: false }).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    node.ask().check(&clock);
    clock.reset();
    node.ask().check(&clock);
}

fn follows_both_ways(program: &[String]) {
    follows(program, How::default());
    follows(program, How { in_place: true, ..How::default() });
}

fn built(
    compiler: &str,
    name: &str,
    source: &str,
    args: &[&str],
    env: &[(&str, &str)],
) -> Option<Vec<String>> {
    let (built, sources) = folder();
    let program = built.join(name).display().to_string();
    let source = sources.join(source).display().to_string();
    let args = [args, &["-o", &program, &source]].concat();
    build(compiler, &args, env).map(|()| vec![program])
}

#[test]
fn c() {
    if can()
        && let Some(program) = built("cc", "dynamic", "clocks.c", &["-pthread"], &[])
    {
        follows_both_ways(&program);
    }
}

#[test]
fn c_linked_statically() {
    let args = ["-pthread", "-static"];
    if can()
        && let Some(program) = built("cc", "static", "clocks.c", &args, &[])
    {
        follows_both_ways(&program);
    }
}

#[test]
fn c_on_musl() {
    let args = ["-pthread", "-static"];
    if can()
        && has("musl-gcc")
        && let Some(program) = built("musl-gcc", "musl", "clocks.c", &args, &[])
    {
        follows_both_ways(&program);
    }
}

#[test]
fn go() {
    let (built_in, _) = folder();
    let cache = built_in.join("go-cache").display().to_string();
    let env = [("CGO_ENABLED", "0"), ("GOCACHE", cache.as_str()), ("GO111MODULE", "off")];
    if can()
        && let Some(program) = built("go", "go", "clocks.go", &["build"], &env)
    {
        follows_both_ways(&program);
    }
}

#[test]
fn rust() {
    let rustc = option_env!("RUSTC").unwrap_or("rustc");
    if can()
        && let Some(program) = built(rustc, "rust", "clocks.rs", &["--edition=2024"], &[])
    {
        follows_both_ways(&program);
    }
}

#[test]
fn rust_linked_statically() {
    let rustc = option_env!("RUSTC").unwrap_or("rustc");
    let args = ["--edition=2024", "-Ctarget-feature=+crt-static"];
    if can()
        && let Some(program) = built(rustc, "rust-static", "clocks.rs", &args, &[])
    {
        follows_both_ways(&program);
    }
}

#[test]
fn java() {
    let (built, sources) = folder();
    let (classes, source) = (built.display().to_string(), sources.join("Clocks.java"));
    let args = ["-d", &classes, &source.display().to_string()];
    if can() && has("java") && build("javac", &args, &[]).is_some() {
        follows(&words(&["java", "-Xshare:auto", "-cp", &classes, "Clocks"]), How::default());
    }
}

#[test]
fn python() {
    let (_, sources) = folder();
    if can() && has("python3") {
        let source = sources.join("clocks.py").display().to_string();
        follows_both_ways(&words(&["python3", &source]));
    }
}

#[test]
fn erlang() {
    let (built, sources) = folder();
    let (beams, source) = (built.display().to_string(), sources.join("clocks.erl"));
    let args = ["-o", &beams, &source.display().to_string()];
    if can() && has("erl") && build("erlc", &args, &[]).is_some() {
        follows(
            &words(&["erl", "-noshell", "-pa", &beams, "-s", "clocks", "main"]),
            How::default(),
        );
    }
}

#[test]
fn bash() {
    let (_, sources) = folder();
    if can() && has("bash") {
        let source = sources.join("clocks.sh").display().to_string();
        follows_both_ways(&words(&["bash", &source]));
    }
}

#[test]
fn as_a_user_without_any_privilege() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can become somebody else; the other tests ran as you");
    }
    let how = How { user: Some(65_534), ..How::default() };
    if can()
        && let Some(program) = built("cc", "dynamic-nobody", "clocks.c", &["-pthread"], &[])
    {
        follows(&program, how);
        follows(&program, How { in_place: true, ..how });
    }
}
