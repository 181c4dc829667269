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

pub(crate) fn expected(command: &str) -> i32 {
    command.rsplit_once("# exit ").and_then(|(_, code)| code.trim().parse().ok()).unwrap_or(0)
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
    std::os::unix::fs::symlink(project().join("ci"), dir.path().join("ci")).unwrap();
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
            if quick() && (command.contains("danso run") || command.contains("danso-runs")) {
                println!("skipped: {command} (quick)");
                continue;
            }
            let said = shell(dir.path(), &format!("PATH={bin}:$PATH\n{command}"));
            println!("{command}: {:?}", said.code);
            said.exits(expected(&command));
        }
    }
}
