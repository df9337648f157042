// Which of some sentences are near to each other in meaning: embeds them and compares the directions of the vectors.
//
//   06_embed bge-small-en-v1.5-f16.gguf
//   06_embed embeddinggemma-300m-q8_0.gguf "A first sentence." "A second one." ...
#include <quern/quern.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Pair {
  double similarity;
  size_t a, b;
};

quern::Status compare(const char* path, const std::vector<std::string>& sentences) {
  const auto model = quern::Model::open(path);
  if (!model) return model.error();
  auto embedder = quern::Embedder::create(*model);
  if (!embedder) return embedder.error();
  // A language model's file says nothing of pooling: the mean of its tokens' vectors serves.
  if (embedder->pooling() == quern::Pooling::none) {
    embedder = quern::Embedder::create(*model, {.pooling = quern::Pooling::mean});
    if (!embedder) return embedder.error();
  }
  const auto vectors = embedder->embed(sentences);
  if (!vectors) return vectors.error();

  std::vector<Pair> pairs;
  for (size_t a = 0; a < sentences.size(); ++a) {
    for (size_t b = a + 1; b < sentences.size(); ++b)
      pairs.push_back({quern::cosine_similarity((*vectors)[a].row(), (*vectors)[b].row()), a, b});
  }
  std::sort(pairs.begin(), pairs.end(), [](const Pair& x, const Pair& y) { return x.similarity > y.similarity; });
  std::printf("vectors of %zu numbers; the nearest first:\n", embedder->n_embd());
  for (const Pair& pair : pairs) {
    std::printf("%6.3f  %s | %s\n", pair.similarity, sentences[pair.a].c_str(), sentences[pair.b].c_str());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf [SENTENCE...]\n", argv[0]);
    return 2;
  }
  std::vector<std::string> sentences(argv + 2, argv + argc);
  if (sentences.empty()) {
    sentences = {"A man is playing a guitar.", "Someone makes music with a string instrument.",
                 "The stock market fell sharply today.", "Shares lost much of their value."};
  }
  const quern::Status status = compare(argv[1], sentences);
  if (!status) std::fprintf(stderr, "%s: %s\n", quern::errc_name(status.error().code), status.error().message.c_str());
  return status ? 0 : 1;
}
