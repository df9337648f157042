//! The smallest program: asks a model one question and prints the answer.
//!
//!   cargo run --example hello -- model.gguf "What is the capital of France?"
use quern::{ChatSession, ContextOptions, GenerateOptions, Model, SamplerOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        return Err(format!("usage: {} MODEL.gguf QUESTION", arguments[0]).into());
    }
    let model = Model::open(&arguments[1])?;
    let mut chat = ChatSession::new(&model, &ContextOptions::default(), None)?;
    let options = GenerateOptions { sampler: SamplerOptions::greedy(), ..Default::default() };
    println!("{}", chat.send(&arguments[2], &options)?.text);
    Ok(())
}
