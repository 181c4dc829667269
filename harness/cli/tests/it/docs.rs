//! Every command shown in the documentation works. A comment `# exit N` behind it says how it
//! ends, if not with 0.

use std::path::Path;

use crate::harness::{DANSO, project, quick, shell, turn};

/// The shell commands of a document: the lines of its `sh` blocks; a block that starts something
/// in the background is one command.
pub(crate) fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in text.lines() {
        match &mut block {
            None if line == "```sh" => block = Some(Vec::new()),
            None => {}
            Some(lines) if line == "```" => {
                if lines.iter().any(|l| l.ends_with('&')) {
                    commands.push(format!("trap 'kill $(jobs -p)' EXIT\n{}", lines.join("\n")));
                } else {
                    commands.extend(lines.iter().map(ToString::to_string));
                }
                block = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    commands
}

/// How a command may end: `# exit 1`, or `# exit 1 or 2` where the system decides; 0 unsaid.
pub(crate) fn expected(command: &str) -> Vec<i32> {
    let Some((_, codes)) = command.rsplit_once("# exit ") else { return vec![0] };
    codes.split(" or ").map(|code| code.trim().parse().unwrap()).collect()
}

#[test]
fn every_command_shown_works() {
    let _turn = turn();
    let mut documents = vec![project().join("README.md")];
    for entry in std::fs::read_dir(project().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        // `docs/systems` and `docs/ssh.md` have tests of their own.
        documents.extend(Some(path).filter(|p| p.is_file() && !p.ends_with("ssh.md")));
    }
    let dir = tempfile::tempdir().unwrap();
    // As in a checkout, but with run folders of its own.
    for folder in ["ci", "docs"] {
        std::os::unix::fs::symlink(project().join(folder), dir.path().join(folder)).unwrap();
    }
    let bin = Path::new(DANSO).parent().unwrap().display().to_string();
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for command in commands(&text) {
            // The one that runs this very test.
            if command.contains("ci/test") {
                continue;
            }
            // Built already: what cargo would run is the binary under test.
            let command = command.replace("cargo run --release -- ", "danso ");
            let long = ["danso run", "danso-runs", "danso suite"];
            if quick() && long.iter().any(|long| command.contains(long)) {
                println!("skipped: {command} (quick)");
                continue;
            }
            let said = shell(dir.path(), &format!("PATH={bin}:$PATH\n{command}"));
            println!("{command}: {:?}", said.code);
            said.exits_with_any(&expected(&command));
        }
    }
}

#[test]
fn the_document_of_test_files_is_whole() {
    let document = std::fs::read_to_string(project().join("docs/testing-your-system.md")).unwrap();
    let example = std::fs::read_to_string(project().join("docs/examples/kv.toml")).unwrap();
    assert!(document.contains(&example), "docs/examples/kv.toml is not shown as it is");
    assert!(example.lines().count() <= 30, "a newcomer's file is short");
    // Every key there is, as the refusal of one that there is not names them.
    let dir = tempfile::tempdir().unwrap();
    for (table, keys) in [
        ("[target]\nkind = \"process\"\nx = 1\n", 16),
        ("[target]\nkind = \"process\"\n[[target.role]]\nx = 1\n", 9),
        ("[target]\nkind = \"external\"\nx = 1\n", 7),
        ("[target]\nkind = \"process\"\ncommand = [\"x\"]\n[client]\nkind = \"http\"\nx = 1\n", 4),
        (
            "[target]\nkind = \"process\"\ncommand = [\"x\"]\n[client]\nkind = \"tcp-line\"\nx = 1\n",
            4,
        ),
        (
            "[target]\nkind = \"process\"\ncommand = [\"x\"]\n[client]\nkind = \"command\"\nx = 1\n",
            3,
        ),
        ("x = 1\n", 12),
    ] {
        std::fs::write(dir.path().join("t.toml"), table).unwrap();
        let said = crate::harness::danso(dir.path(), &["plan", "t.toml"]);
        let (_, known) = said.err.split_once("expected one of ").unwrap_or_default();
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        assert!(known.len() >= keys, "{table}: {}", said.err);
        for key in known {
            let told = [format!("`{key}`"), format!("{key} "), format!("{key}]")];
            assert!(told.iter().any(|told| document.contains(told)), "{key} is not documented");
        }
    }
}
