//! Reads any text as a checkpoint line and as a trust file: nothing panics, and an accepted line is
//! written again word for word, in lower case.

#![no_main]

use blockchain::proofs::Checkpoint;
use blockchain::proofs::checkpoint::read_trust_file;
use libfuzzer_sys::fuzz_target;

fn is_written_again(line: &str, checkpoint: &Checkpoint) {
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(checkpoint.to_string(), words.join(" ").to_lowercase());
}

fuzz_target!(|text: &str| {
    match text.parse::<Checkpoint>() {
        Ok(checkpoint) => is_written_again(text, &checkpoint),
        Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control())),
    }
    match read_trust_file(text) {
        Ok(kept) => {
            let lines: Vec<_> = text.lines().collect();
            for (number, checkpoint) in kept {
                is_written_again(lines[number - 1], &checkpoint);
            }
        }
        Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control())),
    }
});
