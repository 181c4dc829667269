//! [`Choice`]: which network the user asks for. Knows words, not machines.

use std::fmt;
use std::str::FromStr;

use super::NetworkError;

/// What `--network` may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The best this machine allows: the switch, else nft, else the proxy.
    #[default]
    Auto,
    /// The user-space switch, or an error that names the missing privilege.
    Switch,
    /// Rules of the kernel's packet filter, or an error that names the missing privilege.
    Nft,
    /// TCP relays on loopback.
    Proxy,
    /// Plain loopback; nothing can be cut.
    None,
    /// The packet filters of the machines the nodes are on: what a target on such has anyway.
    Hosts,
}

impl Choice {
    /// All choices, in the order the help lists them.
    pub const ALL: [Choice; 6] =
        [Choice::Auto, Choice::Switch, Choice::Nft, Choice::Proxy, Choice::None, Choice::Hosts];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Choice::Auto => "auto",
            Choice::Switch => "switch",
            Choice::Nft => "nft",
            Choice::Proxy => "proxy",
            Choice::None => "none",
            Choice::Hosts => "hosts",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl FromStr for Choice {
    type Err = NetworkError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Choice::ALL.into_iter().find(|choice| choice.word() == word).ok_or_else(|| {
            NetworkError(format!("unknown network `{word}`; use auto, switch, nft, proxy or none"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for choice in Choice::ALL {
            assert_eq!(choice.word().parse::<Choice>().unwrap(), choice);
        }
    }

    #[test]
    fn wrong_words_are_told_the_right_ones() {
        let error = "tc".parse::<Choice>().unwrap_err().to_string();
        assert!(error.contains("`tc`") && error.contains("switch"), "{error}");
    }
}
