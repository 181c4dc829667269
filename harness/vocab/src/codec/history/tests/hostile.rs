//! Nothing makes a reader panic.

use proptest::prelude::*;

use super::*;

/// A little of everything.
const SAMPLES: [&str; 6] = [
    "{\"format\":1,\"index\":0,\"time\":0,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"history\"}\n{\"index\":1,\"time\":5,\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"key\":\"k\\\"1\",\"value\":[1,{\"a\":null}],\"node\":\"n1\"}\n{\"index\":2,\"time\":9,\"process\":0,\"type\":\"info\",\"f\":\"cas\",\"error\":\"timeout\"}\n",
    "#jepsen.history.Op{:process 0, :type :invoke, :f :read, :value [7 nil], :index -1}\n; note\n#_ {:a 1} {:process 0, :type :ok, :f :read, :value #{1.0E7 \\a \"x\\u0041\" 3/4 5N}}\n",
    "({:process 3, :type :ok, :f :get, :key \"1\", :value \"x 1 0 y\"} {:type :ok, :value [[:r 1 [2]]]})",
    "0\t:invoke\t:write\t3\n:nemesis\t:info\t:start\tnil\n0\t:fail\t:write\t3\t:timed-out\n",
    "INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\nINFO  jepsen.core - hi\n{\"logger_name\":\"jepsen.util\",\"message\":\"4\\t:ok\\t:cas\\t[1 2]\"}\n",
    "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":[1,null]},\n {\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":[1,-2]}]",
];

fn options() -> impl Strategy<Value = Options> {
    let format = proptest::option::of(proptest::sample::select(&Format::ALL[..]));
    let independent = proptest::option::of(any::<bool>());
    (format, any::<bool>(), any::<bool>(), independent).prop_map(
        |(format, lenient, torn, independent)| Options {
            format: format.map(|f| f.1),
            lenient,
            tail: if torn { Tail::Torn } else { Tail::Strict },
            independent,
        },
    )
}

/// Changes bytes, takes some out, cuts the end off.
fn mutated(base: &[u8], edits: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for (at, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        let end = (at + usize::from(*byte)).min(bytes.len());
        match kind % 8 {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => bytes.extend_from_within(at..end),
            _ => bytes[at] = b"[]{}()\"\\#:;_, \n\t0-.eN"[usize::from(*byte) % 21],
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 0..6)
}

/// Reads and looks at everything.
fn survive(bytes: &[u8], options: &Options) {
    let _ = sniff(bytes);
    if let Ok(loaded) = read(bytes, options) {
        seen(&loaded.history);
        let mut ranks: Vec<u32> =
            loaded.history.ops().flat_map(|op| [op.inv_rank(), op.res_rank()]).collect();
        ranks.retain(|rank| *rank != History::NEVER);
        ranks.sort_unstable();
        assert!(ranks.iter().copied().eq(0..ranks.len() as u32), "ranks are dense");
        assert!(loaded.history.ops().all(|op| op.inv_rank() < op.res_rank()));
        let begins: Vec<u32> = loaded.history.ops().map(|op| op.inv_rank()).collect();
        assert!(begins.is_sorted(), "rows are in order of invocation");
        if !options.lenient && options.tail == Tail::Strict {
            let again = read(bytes, &Options { lenient: true, ..*options }).unwrap();
            assert_eq!(seen(&again.history), seen(&loaded.history), "nothing to repair");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        options in options(),
    ) {
        survive(&bytes, &options);
    }

    #[test]
    fn no_edit_of_a_sample_does(
        sample in 0..SAMPLES.len(), edits in edits(), options in options(),
    ) {
        survive(&mutated(SAMPLES[sample].as_bytes(), &edits), &options);
    }
}

#[test]
fn no_edit_of_a_recorded_history_does() {
    let Some(folder) = folder() else { return };
    let mut bases = Vec::new();
    for path in files(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|e| e == "zst") {
            let text = zstd::decode_all(bytes.as_slice()).unwrap();
            bases.push(text[..text.len().min(3000)].to_vec());
            bases.push(bytes[..bytes.len().min(2000)].to_vec());
        } else {
            bases.push(bytes[..bytes.len().min(3000)].to_vec());
        }
    }
    proptest!(|(base in 0..bases.len(), edits in edits(), options in options())| {
        survive(&mutated(&bases[base], &edits), &options);
    });
}
