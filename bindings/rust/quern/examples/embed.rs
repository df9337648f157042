//! How near some sentences are to the first one in meaning.
//!
//!   cargo run --example embed -- embeddinggemma-300m-q8_0.gguf "A man plays the guitar." "Somebody makes music."
use quern::{cosine_similarity, Embedder, EmbedderOptions, Model, Pooling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 4 {
        return Err(format!("usage: {} MODEL.gguf SENTENCE SENTENCE...", arguments[0]).into());
    }
    let model = Model::open(&arguments[1])?;
    let mut embedder = Embedder::new(&model, &EmbedderOptions::default())?;
    // A language model's file says nothing of pooling: the mean of its tokens' vectors serves.
    if embedder.pooling() == Pooling::None {
        embedder = Embedder::new(&model, &EmbedderOptions { pooling: Pooling::Mean, ..Default::default() })?;
    }
    let sentences = &arguments[2..];
    let vectors = embedder.embed(sentences)?;
    for (sentence, vector) in sentences.iter().zip(&vectors) {
        println!("{:.4} {}", cosine_similarity(vectors[0].vector(), vector.vector()), sentence);
    }
    Ok(())
}
