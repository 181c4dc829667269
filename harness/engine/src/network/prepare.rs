//! [`prepare`]: decides on a backend and brings the process where that backend needs it to be.

use std::sync::Arc;

use super::loopback::Loopback;
use super::nft::Nft;
use super::probe::{NFT, VARIANTS, attempt, attempt_nft};
use super::proxy::Proxy;
use super::switch::namespace::enter_user;
use super::switch::{Switch, Variant};
use super::{Backend, Choice, Network, NetworkError, Spec};

/// A decision for one backend, and a process ready for it.
#[derive(Debug)]
pub struct Prepared {
    /// What networks will be made of.
    pub backend: Backend,
    /// Why nothing better was possible: a line for each better one, with its mend.
    pub notes: Vec<String>,
    means: Means,
}

#[derive(Clone, Copy, Debug)]
enum Means {
    Switch(Variant),
    Nft,
    Proxy,
    None,
    Hosts,
}

/// Decides by really trying, and moves this process into a user namespace if the switch needs
/// one. To be called first thing in `main`: a process with several threads cannot be moved, so
/// there only root has the switch, and others have the proxy.
///
/// # Errors
/// If what is asked for cannot be had: names what is missing and the mend.
pub fn prepare(choice: Choice) -> Result<Prepared, NetworkError> {
    match choice {
        Choice::Proxy => return Ok(Prepared::with(Means::Proxy, Vec::new())),
        Choice::None => return Ok(Prepared::with(Means::None, Vec::new())),
        Choice::Hosts => return Ok(Prepared::with(Means::Hosts, Vec::new())),
        Choice::Auto | Choice::Switch | Choice::Nft => {}
    }
    if choice == Choice::Nft {
        return match attempt_nft() {
            Ok(()) => Ok(Prepared::with(Means::Nft, Vec::new())),
            Err(obstacle) => {
                Err(NetworkError(format!("network nft is not possible here: {obstacle}")))
            }
        };
    }
    let mut notes = Vec::new();
    for (name, variant) in VARIANTS {
        match attempt(variant) {
            Ok(()) => {
                if variant.rootless {
                    enter_user().map_err(|failure| {
                        NetworkError(format!("network {name}: {failure}; {}", failure.mend()))
                    })?;
                }
                // Root or not makes no difference to what a network can do; the wire does.
                notes.retain(|(other, _): &(Variant, _)| {
                    other.wire != variant.wire && other.rootless == variant.rootless
                });
                return Ok(Prepared::with(Means::Switch(variant), lines(notes)));
            }
            Err(obstacle) => notes.push((variant, format!("{name}: {obstacle}"))),
        }
    }
    let mut notes = lines(notes);
    if choice == Choice::Switch {
        let notes = notes.join(" | ");
        return Err(NetworkError(format!("network switch is not possible here: {notes}")));
    }
    Ok(match attempt_nft() {
        Ok(()) => Prepared::with(Means::Nft, notes),
        Err(obstacle) => {
            notes.push(format!("{NFT}: {obstacle}"));
            Prepared::with(Means::Proxy, notes)
        }
    })
}

/// The backend [`prepare`] will decide on, found out without moving this process.
///
/// # Errors
/// As [`prepare`].
pub fn choose(choice: Choice) -> Result<Backend, NetworkError> {
    Ok(match choice {
        Choice::Proxy => Backend::Proxy,
        Choice::None => Backend::None,
        Choice::Hosts => Backend::Hosts,
        Choice::Auto if VARIANTS.iter().any(|(_, v)| attempt(*v).is_ok()) => Backend::Switch,
        Choice::Auto if attempt_nft().is_ok() => Backend::Nft,
        Choice::Auto => Backend::Proxy,
        // Whether they can be had is for `prepare` to say.
        Choice::Switch => Backend::Switch,
        Choice::Nft => Backend::Nft,
    })
}

fn lines(notes: Vec<(Variant, String)>) -> Vec<String> {
    notes.into_iter().map(|(_, line)| line).collect()
}

impl Prepared {
    fn with(means: Means, notes: Vec<String>) -> Prepared {
        let backend = match means {
            Means::Switch(_) => Backend::Switch,
            Means::Nft => Backend::Nft,
            Means::Proxy => Backend::Proxy,
            Means::None => Backend::None,
            Means::Hosts => Backend::Hosts,
        };
        Prepared { backend, notes, means }
    }

    /// Makes a network. Any number may be open at once; they do not see each other. May be
    /// called from any thread.
    ///
    /// # Errors
    /// If the kernel refuses, or a port is taken.
    pub fn open(&self, spec: &Spec) -> Result<Arc<dyn Network>, NetworkError> {
        Ok(match self.means {
            Means::Switch(variant) => Arc::new(Switch::open(variant, spec)?),
            Means::Nft => Arc::new(Nft::open(spec)?),
            Means::Proxy => Arc::new(Proxy::open(spec)?),
            Means::None => Arc::new(Loopback::open(spec)?),
            Means::Hosts => {
                let why = "network hosts: only a target whose nodes are on other machines has it";
                return Err(NetworkError(why.to_owned()));
            }
        })
    }
}
