//! The crate over the demo model of the source tree.
use quern::*;
use std::sync::{Arc, Mutex};

const FRANCE: &str = "What is the capital of France?";
const PARIS: &str = "The capital of France is Paris.";

fn path() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/models/quern-demo-q8_0.gguf").to_string()
}

fn model() -> Model {
    Model::open(path()).unwrap()
}

fn greedy() -> GenerateOptions {
    GenerateOptions { sampler: SamplerOptions::greedy(), ..Default::default() }
}

#[test]
fn errors_say_what_and_where() {
    let error = Model::open("no/such/model.gguf").err().unwrap();
    assert!(matches!(error, Error::NotFound(_)) && error.code() == 11, "{:?}", error);
    assert!(error.message().contains("no/such/model.gguf") && error.to_string() == error.message());
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(boxed.downcast_ref::<Error>().is_some());
    assert!(matches!(Model::open("zero\0byte"), Err(Error::Argument(_))));
    let wrong = SamplerOptions { top_p: 3.0, ..Default::default() };
    assert!(Sampler::new(&model(), &wrong).err().unwrap().message().contains("top_p"));
}

#[test]
fn opening_reports_and_can_be_cancelled() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let kept = messages.clone();
    let runtime = Runtime::new(RuntimeOptions {
        n_threads: 2,
        log: Some(Box::new(move |_, message| kept.lock().unwrap().push(message.to_string()))),
        ..Default::default()
    })
    .unwrap();
    assert!(runtime.n_threads() == 2 && runtime.description().starts_with("cpu"));
    let mut last = 0;
    let mut watch = |stage: &str, done: u64, _total: u64| {
        assert!(stage == "load" && done >= last);
        last = done;
        true
    };
    let options = ModelOptions { runtime: Some(runtime.clone()), progress: Some(&mut watch), ..Default::default() };
    let model = Model::open_with(path(), options).unwrap();
    drop(runtime); // the model keeps it
    assert!(last > 0);
    let info = model.info().unwrap();
    assert!(info.architecture == "llama" && info.n_vocab == 4096 && info.file_type == "Q8_0");
    assert_eq!(model.metadata("general.architecture").unwrap(), "llama");
    assert!(model.metadata("no.such.key").is_none() && model.all_metadata().len() > 10);
    assert!(model.footprint().unwrap().total_bytes > 1_000_000);

    let mut stop = |_: &str, _: u64, _: u64| false;
    let options = ModelOptions { progress: Some(&mut stop), ..Default::default() };
    assert!(matches!(Model::open_with(path(), options), Err(Error::Cancelled(_))));
    let quantized = ModelOptions { quantize: Some("not a type".into()), ..Default::default() };
    assert!(matches!(Model::open_with(path(), quantized), Err(Error::Argument(_))));
}

#[test]
fn tokens_and_back() {
    let tokenizer = model().tokenizer(); // keeps the model
    let tokens = tokenizer.encode("Hello w\u{f6}rld \u{1f30d}").unwrap();
    assert_eq!(Some(tokens[0]), tokenizer.bos());
    assert_eq!(tokenizer.decode(&tokens).unwrap(), "Hello w\u{f6}rld \u{1f30d}");
    let mut stream = tokenizer.stream().unwrap();
    let mut text: String = tokens[1..].iter().map(|&token| stream.push(token).unwrap()).collect();
    text += &stream.finish().unwrap();
    assert_eq!(text, " Hello w\u{f6}rld \u{1f30d}");
    assert_eq!(tokenizer.find("<|im_end|>"), Some(4));
    assert!(tokenizer.is_end(4) && tokenizer.is_control(1) && tokenizer.find("none such").is_none());
    assert!(tokenizer.encode("").unwrap().len() <= 1 && tokenizer.n_tokens() == 4096);
}

#[test]
fn chat_streams_and_remembers() {
    let mut chat =
        ChatSession::new(&model(), &ContextOptions::default(), Some("You are a helpful assistant.")).unwrap();
    let mut streamed = String::new();
    let answer = chat
        .send_with(FRANCE, &greedy(), |text| {
            streamed += text;
            true
        })
        .unwrap();
    assert_eq!((answer.text.as_str(), streamed.as_str()), (PARIS, PARIS));
    assert_eq!(answer.stop_reason, StopReason::EndOfGeneration);
    assert!(answer.timings.n_generated as usize == answer.tokens.len() && answer.timings.n_prompt > 5);

    let mut pieces = 0;
    let stopped = chat.send_with("And Japan?", &greedy(), |_| {
        pieces += 1;
        pieces < 2
    });
    assert_eq!(stopped.unwrap().stop_reason, StopReason::Cancelled);
    let messages = chat.messages().unwrap();
    assert!(messages.len() == 5 && messages[0].role == Role::System && messages[3].content == "And Japan?");
    chat.undo();
    assert_eq!(chat.messages().unwrap()[2], Message::new(Role::Assistant, PARIS));
    chat.clear();
    assert_eq!(chat.messages().unwrap().len(), 1);
    assert!(matches!(chat.send(&"so long ".repeat(600), &greedy()), Err(Error::ContextFull(_))));
}

#[test]
fn a_panic_in_a_callback_arrives_at_the_caller() {
    let mut chat = ChatSession::new(&model(), &ContextOptions::default(), None).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = chat.send_with(FRANCE, &greedy(), |_| panic!("from the callback"));
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"from the callback"));
    chat.clear();
    assert_eq!(chat.send(FRANCE, &greedy()).unwrap().text, PARIS); // the session goes on
}

#[test]
fn templates_render() {
    let template = ChatTemplate::from_model(&model()).unwrap();
    let messages = [Message::new(Role::User, "Hello!")];
    let text = template.render(&messages, &TemplateOptions::default()).unwrap();
    assert!(text.ends_with("<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"), "{}", text);
    assert!(template.tokenize(&messages, &TemplateOptions::default()).unwrap().len() > 5);
    let own = ChatTemplate::from_source(&model(), "{{ messages[0].content }}{{ x }}").unwrap();
    let options = TemplateOptions { extra_json: Some("{\"x\": 7}".into()), ..Default::default() };
    assert_eq!(own.render(&messages, &options).unwrap(), "Hello!7");
    assert!(matches!(ChatTemplate::from_source(&model(), "{% if %}"), Err(Error::Format(_))));
}

#[test]
fn generation_by_hand_by_iterator_and_at_once_is_the_same() {
    let model = model();
    let tokenizer = model.tokenizer();
    let prompt = tokenizer.encode("The old house stood").unwrap();
    let mut context = Context::new(&model, &ContextOptions { n_ctx: 128, n_seq_max: 2, ..Default::default() }).unwrap();
    let options = GenerateOptions { max_tokens: 20, ..greedy() };
    let whole = context.generate(&prompt, &options).unwrap();
    assert!(whole.tokens.len() == 20 && whole.stop_reason == StopReason::Length);

    let mut text = String::new();
    for piece in context.pieces(&prompt, &SamplerOptions::greedy()).unwrap() {
        text += &piece.unwrap();
        if text.len() >= whole.text.len() {
            break;
        }
    }
    assert_eq!(text, whole.text);

    context.clear();
    context.append(&prompt, 0).unwrap();
    context.sequence_fork(0, 1).unwrap();
    let mut sampler = Sampler::new(&model, &SamplerOptions::greedy()).unwrap();
    let first = sampler.sample(context.last_logits().unwrap()).unwrap();
    assert_eq!(first, whole.tokens[0]);
    assert_eq!(sampler.candidates(3).unwrap()[0].token, first);
    let position = context.next_position(1);
    let row = BatchToken { token: first, position, sequence: 1, logits: true };
    context.decode(&[row]).unwrap();
    assert_eq!(sampler.sample(context.logits(0).unwrap()).unwrap(), whole.tokens[1]);
    assert_eq!(context.sequence_tokens(0).unwrap(), prompt);
    let state = context.sequence_save(0).unwrap();
    context.clear();
    context.sequence_restore(0, &state).unwrap();
    assert!(context.sequence_length(0) == prompt.len() && context.sequence_rewind(0, 2).unwrap() == 2);
    assert!(matches!(context.append(&vec![300; 200], 0), Err(Error::ContextFull(_))));
}

#[test]
fn pieces_end_with_the_context() {
    let model = model();
    let mut context = Context::new(&model, &ContextOptions { n_ctx: 16, ..Default::default() }).unwrap();
    let prompt = model.tokenizer().encode("The old house").unwrap();
    let sampler = SamplerOptions { ignore_eos: true, ..SamplerOptions::greedy() };
    let pieces: Result<Vec<_>> = context.pieces(&prompt, &sampler).unwrap().collect();
    assert!(!pieces.unwrap().is_empty() && context.n_used() == 16);
}

#[test]
fn another_thread_cancels() {
    let model = model();
    let cancel = CancelToken::new().unwrap();
    let sampler = SamplerOptions { ignore_eos: true, ..Default::default() };
    let options = GenerateOptions { sampler, cancel: Some(cancel.clone()), ..Default::default() };
    let (send, receive) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        let mut chat = ChatSession::new(&model, &ContextOptions { n_ctx: 4096, ..Default::default() }, None).unwrap();
        chat.send_with("Tell me a long story.", &options, |_| send.send(()).is_ok()).unwrap().stop_reason
    });
    receive.recv().unwrap();
    cancel.cancel();
    assert_eq!(worker.join().unwrap(), StopReason::Cancelled);
    assert!(cancel.is_cancelled());
    cancel.reset();
    assert!(!cancel.is_cancelled());
}

#[test]
fn texts_become_vectors() {
    let options = EmbedderOptions { pooling: Pooling::Mean, n_batch: 64, ..Default::default() };
    let mut embedder = Embedder::new(&model(), &options).unwrap();
    let texts = ["The old house stood near the river.", "A house by a river.", "Two plus two is four."];
    let vectors = embedder.embed(&texts).unwrap();
    let near = cosine_similarity(vectors[0].vector(), vectors[1].vector());
    let far = cosine_similarity(vectors[0].vector(), vectors[2].vector());
    assert!(near > far && vectors[0].vector().len() == embedder.n_embd());
    assert_eq!(embedder.embed(&texts[..1]).unwrap()[0], vectors[0]); // alone or among others
    assert!(matches!(embedder.embed(&["long ".repeat(100)]), Err(Error::Argument(_))));
}

#[test]
fn what_may_go_where() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Runtime>();
    shared::<Model>();
    shared::<Adapter>();
    shared::<ChatTemplate>();
    shared::<CancelToken>();
    shared::<Tokenizer>();
    shared::<Error>();
    moved::<Context>();
    moved::<Sampler>();
    moved::<ChatSession>();
    moved::<Embedder>();
    moved::<TextStream>();
}
