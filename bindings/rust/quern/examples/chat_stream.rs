//! A conversation on the terminal: answers appear as they are made. Questions are read from standard input, one a line.
//!
//!   cargo run --example chat_stream -- model.gguf "You answer briefly."
use quern::{ChatSession, ContextOptions, GenerateOptions, Model, SamplerOptions};
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 2 {
        return Err(format!("usage: {} MODEL.gguf [SYSTEM PROMPT]", arguments[0]).into());
    }
    let model = Model::open(&arguments[1])?;
    let system = arguments.get(2).map(String::as_str);
    let mut chat = ChatSession::new(&model, &ContextOptions::default(), system)?;
    let options = GenerateOptions { sampler: SamplerOptions::greedy(), ..Default::default() };
    for line in std::io::stdin().lock().lines() {
        let answer = chat.send_with(&line?, &options, |text| {
            print!("{}", text);
            std::io::stdout().flush().is_ok() // false stops
        })?;
        println!();
        eprintln!("{} tokens in {:.2} s", answer.timings.n_generated, answer.timings.generate_seconds);
    }
    Ok(())
}
