// Importance matrices: both file formats, what a quantizer gets from them, merging, and what is refused.
#include "lib/convert/imatrix.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "lib/convert/imatrix_stats.h"
#include "lib/io/gguf.h"
#include "lib/io/gguf_writer.h"

using namespace quern;
using namespace quern::convert;

namespace {

/// A .dat file, put together by hand from its description in imatrix.h.
struct Dat {
  std::string bytes;
  Dat& number(int32_t n) {
    bytes.append(reinterpret_cast<const char*>(&n), sizeof n);
    return *this;
  }
  Dat& text(const std::string& s) {
    number(static_cast<int32_t>(s.size()));
    bytes += s;
    return *this;
  }
  Dat& entry(const std::string& name, int32_t n_chunks, const std::vector<float>& values) {
    text(name).number(n_chunks).number(static_cast<int32_t>(values.size()));
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return *this;
  }
};

Result<Imatrix> parse(const std::string& bytes) {
  return Imatrix::parse(std::as_bytes(std::span(bytes)), "some.imatrix");
}

std::string refusal(const std::string& bytes) {
  const auto imatrix = parse(bytes);
  REQUIRE_FALSE(imatrix);
  CHECK(imatrix.error().code == Errc::format);
  CHECK(imatrix.error().message.find("some.imatrix") != std::string::npos);
  return imatrix.error().message;
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// A GGUF file as llama.cpp's tool writes it.
struct Gguf {
  io::GgufWriter writer;
  std::vector<std::vector<float>> kept;
  explicit Gguf(const std::string& type = "imatrix") {
    writer.add("general.type", type, io::ValueType::string).value();
    writer.add("imatrix.datasets", std::vector<std::string>{"calibration.txt"}, io::ValueType::string).value();
    writer.add("imatrix.chunk_count", uint64_t{7}, io::ValueType::u32).value();
    writer.add("imatrix.chunk_size", uint64_t{256}, io::ValueType::u32).value();
    kept.reserve(64);
  }
  Gguf& tensor(const std::string& name, std::vector<float> values, uint64_t rows) {
    kept.push_back(std::move(values));
    const tensor::Shape shape{{kept.back().size() / rows, rows, 1, 1}, 2};
    writer.add_tensor(name, shape, 0, std::as_bytes(std::span(kept.back()))).value();
    return *this;
  }
  std::string bytes() const {
    std::string out;
    writer
        .write([&](std::span<const std::byte> piece) -> Status {
          out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          return {};
        })
        .value();
    return out;
  }
};

const std::string kQ = "blk.0.attn_q.weight", kExperts = "blk.0.ffn_down_exps.weight";

std::string temporary(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

}  // namespace

TEST_CASE("a .dat file") {
  Dat dat;
  dat.number(2).entry(kQ, 4, {4, 8, 0}).entry("CUDA0#blk.1.attn_q.weight#0", 0, {5, 5});
  for (const bool with_tail : {false, true}) {
    if (with_tail) dat.number(9).text("wiki.txt");
    const auto imatrix = parse(dat.bytes);
    REQUIRE(imatrix);
    CHECK(imatrix->entries.size() == 2);
    CHECK(**imatrix->weights_for(kQ, 3) == std::vector<float>{1, 2, 0});
    CHECK(**imatrix->weights_for("blk.1.attn_q.weight", 2) == std::vector<float>{1, 1});  // saw no chunk
    CHECK_FALSE(*imatrix->weights_for("blk.2.attn_q.weight", 2));
    CHECK(imatrix->n_chunks == (with_tail ? 9 : 4));
    CHECK(imatrix->datasets == (with_tail ? std::vector<std::string>{"wiki.txt"} : std::vector<std::string>{}));
  }
}

TEST_CASE("a GGUF file, with experts of which one saw nothing") {
  const std::string bytes = Gguf()
                                .tensor(kQ + ".in_sum2", {100, 50, 0}, 1)
                                .tensor(kQ + ".counts", {50}, 1)
                                .tensor(kExperts + ".in_sum2", {8, 4, 0, 0, 9, 27}, 3)
                                .tensor(kExperts + ".counts", {4, 0, 9}, 3)
                                .tensor(kQ + ".in_sum", {1, 2, 3}, 1)  // newer files may hold more: not needed
                                .bytes();
  const auto imatrix = parse(bytes);
  REQUIRE(imatrix);
  CHECK(imatrix->entries.size() == 2);
  CHECK(imatrix->n_chunks == 7);
  CHECK(imatrix->chunk_size == 256);
  CHECK(imatrix->datasets == std::vector<std::string>{"calibration.txt"});
  CHECK(**imatrix->weights_for(kQ, 3) == std::vector<float>{2, 1, 0});
  CHECK(**imatrix->weights_for(kExperts, 2, 3) == std::vector<float>{2, 1, 1, 1, 1, 3});
}

TEST_CASE("weights of another model are refused") {
  const auto imatrix = parse(Dat().number(2).entry(kQ, 1, {1, 2, 3}).entry("token_embd.weight", 1, {1, 2}).bytes);
  REQUIRE(imatrix);
  const auto wrong = imatrix->weights_for(kQ, 4);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Errc::format);
  CHECK(has(wrong.error().message, "some.imatrix: tensor 'blk.0.attn_q.weight': expected 4 values"));
  CHECK_FALSE(imatrix->weights_for(kQ, 3, 2));
  CHECK_FALSE(imatrix->weights_for(kQ, std::numeric_limits<uint64_t>::max(), 3));
  REQUIRE(imatrix->weights_for("token_embd.weight", 7));
  CHECK_FALSE(*imatrix->weights_for("token_embd.weight", 7));
}

TEST_CASE("both formats are written as they are read") {
  Imatrix imatrix;
  imatrix.datasets = {"a.txt", "b.txt"};
  imatrix.n_chunks = 3;
  imatrix.chunk_size = 100;
  imatrix.add(kQ, std::vector<double>{300, 0.5, 7}, 250).value();
  imatrix.add(kQ, std::vector<double>{0, 0.25, 0}, 50).value();
  imatrix.add(kExperts, std::vector<double>{2, 4}, 2, 0, 2).value();
  for (const auto format : {ImatrixFormat::gguf, ImatrixFormat::dat}) {
    const std::string path = temporary(format == ImatrixFormat::gguf ? "quern_test.gguf" : "quern_test.dat");
    imatrix.save(path, format).value();
    const auto again = Imatrix::open(path);
    std::filesystem::remove(path);
    REQUIRE(again);
    CHECK(**again->weights_for(kQ, 3) == **imatrix.weights_for(kQ, 3));
    CHECK(**again->weights_for(kExperts, 2, 2) == std::vector<float>{1, 2, 1, 1});
    CHECK(again->n_chunks == 3);
    if (format == ImatrixFormat::dat) {
      CHECK(again->datasets == std::vector<std::string>{"a.txt"});
    } else {
      CHECK(again->datasets == imatrix.datasets);
      CHECK(again->chunk_size == 100);
      CHECK(again->entries.at(kQ).sums == std::vector<double>{300, 0.75, 7});
      CHECK(again->entries.at(kQ).counts == std::vector<double>{300});
    }
  }
  CHECK(Imatrix().save(temporary("quern_test_empty.gguf"), ImatrixFormat::gguf).error().code == Errc::argument);
  CHECK_FALSE(std::filesystem::exists(temporary("quern_test_empty.gguf")));
}

TEST_CASE("merging is having read both texts") {
  Imatrix one, two;
  one.add(kQ, std::vector<double>{10, 20}, 10).value();
  one.n_chunks = 1;
  one.datasets = {"x", "y"};
  two.add(kQ, std::vector<double>{30, 0}, 30).value();
  two.add("blk.1.attn_q.weight", std::vector<double>{4}, 2).value();
  two.n_chunks = 3;
  two.datasets = {"y", "z"};
  one.merge(two).value();
  CHECK(**one.weights_for(kQ, 2) == std::vector<float>{1, 0.5});
  CHECK(**one.weights_for("blk.1.attn_q.weight", 1) == std::vector<float>{2});
  CHECK(one.n_chunks == 4);
  CHECK(one.datasets == std::vector<std::string>{"x", "y", "z"});

  // A .dat file does not say how many matrices there are: the other one does.
  Imatrix experts = *parse(Gguf()
                               .tensor(kExperts + ".in_sum2", {512, 512, 1024, 1024}, 2)
                               .tensor(kExperts + ".counts", {512, 512}, 2)
                               .bytes());
  const Imatrix dat = *parse(Dat().number(1).entry(kExperts, 1, {3, 5, 7, 9}).bytes);
  experts.merge(dat).value();
  CHECK(**experts.weights_for(kExperts, 2, 2) == std::vector<float>{2, 3, 4.5, 5.5});

  Imatrix other;
  other.path = "other.gguf";
  other.add(kQ, std::vector<double>{1, 2, 3}, 1).value();
  const auto before = one.entries.at(kQ).sums;
  const Status status = one.merge(other);
  REQUIRE_FALSE(status);
  CHECK(status.error().message ==
        "other.gguf: tensor 'blk.0.attn_q.weight': has 3 values in 1 matrices, but what was collected has 2 in 1");
  CHECK(one.entries.at(kQ).sums == before);
  CHECK_FALSE(one.add(kQ, std::vector<double>{1}, 1));
  CHECK_FALSE(one.add(kQ, std::vector<double>{1, 2}, 1, 0, 2));
  CHECK_FALSE(one.add("new", std::vector<double>{1, std::nan("")}, 1));
}

TEST_CASE("malformed .dat files are refused, and the message says where") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(has(refusal(""), "ends at byte 0"));
  CHECK(has(refusal("abc"), "ends at byte 3"));
  CHECK(has(refusal(Dat().number(0).bytes), "not an importance matrix"));
  CHECK(has(refusal(Dat().number(-5).bytes), "found -5"));
  CHECK(has(refusal(Dat().number(1).number(-1).bytes), "name of entry 0"));
  CHECK(has(refusal(Dat().number(1).number(1 << 30).bytes), "1073741824"));
  CHECK(has(refusal(Dat().number(1).text("").number(1).bytes), "is empty"));
  CHECK(has(refusal(Dat().number(1).text("\xFF\xFE").number(1).bytes), "UTF-8"));
  CHECK(has(refusal(Dat().number(1).text("a").number(-1).number(1).bytes), "'a'"));
  CHECK(has(refusal(Dat().number(1).text("a").number(1).number(0).bytes), "number of values, found 0"));
  CHECK(has(refusal(Dat().number(1).text("a").number(1).number(1 << 30).bytes), "expected 1073741824 values"));
  CHECK(has(refusal(Dat().number(1).entry("a", 1, {1, inf}).bytes), "value 1: expected a number from 0, found inf"));
  CHECK(has(refusal(Dat().number(1).entry("a", 1, {-1}).bytes), "found -1"));
  CHECK(has(refusal(Dat().number(2).entry("a", 1, {1}).bytes), "ends at byte"));
  CHECK(has(refusal(Dat().number(2).entry("a", 1, {1}).entry("a", 1, {1}).bytes), "appears twice"));
  CHECK(has(refusal(Dat().number(1).entry("a", 1, {1}).number(-3).bytes), "found -3"));
  CHECK(has(refusal(Dat().number(1).entry("a", 1, {1}).number(3).text("x").bytes + "y"), "1 bytes after its end"));
}

TEST_CASE("GGUF files that hold no importance matrix are refused") {
  CHECK(has(refusal(Gguf("model").tensor("a.in_sum2", {1}, 1).bytes()), "expected 'imatrix', found 'model'"));
  CHECK(has(refusal(Gguf().bytes()), "no tensor whose name ends with '.in_sum2'"));
  CHECK(has(refusal(Gguf().tensor("a.in_sum2", {1, 2}, 1).bytes()), "'a.counts': missing"));
  CHECK(has(refusal(Gguf().tensor("a.in_sum2", {1, 2}, 2).tensor("a.counts", {1}, 1).bytes()), "expected 2 elements"));
  CHECK(has(refusal(Gguf().tensor("a.in_sum2", {-1}, 1).tensor("a.counts", {1}, 1).bytes()), "found -1"));
  CHECK(has(refusal(Gguf().tensor("a.in_sum2", {1}, 1).tensor("a.counts", {NAN}, 1).bytes()), "'a.counts': value 0"));
  Gguf halves;
  const uint16_t one = 0x3C00;
  halves.writer.add_tensor("a.in_sum2", {{1, 1, 1, 1}, 2}, 1, std::as_bytes(std::span(&one, 1))).value();
  CHECK(has(refusal(halves.tensor("a.counts", {1}, 1).bytes()), "expected type F32, found F16"));
  CHECK(has(refusal("GGUF\x03"), "some.imatrix"));
}

TEST_CASE("statistics are what their definitions say") {
  Imatrix imatrix;
  imatrix.add("blk.0.attn_q.weight", std::vector<double>{1, 1, 1, 1}, 1).value();
  imatrix.add("blk.1.attn_q.weight", std::vector<double>{0, 0, 0, 8}, 1).value();
  imatrix.add("blk.1.ffn_down.weight", std::vector<double>{3, 4}, 1).value();
  imatrix.add("output.weight", std::vector<double>{0, 0}, 1).value();
  const auto tensors = tensor_stats(imatrix);
  REQUIRE(tensors.size() == 4);
  CHECK(tensors[0].name == "output.weight");
  CHECK(tensors[0].layer == -1);
  CHECK(tensors[0].active == 0);
  CHECK(tensors[0].entropy == 0);
  const auto& even = tensors[1];
  CHECK(even.name == "blk.0.attn_q.weight");
  CHECK((even.sum == 4 && even.min == 1 && even.max == 1 && even.mean == 1 && even.stddev == 0));
  CHECK((even.entropy == 2 && even.normalized_entropy() == 1 && even.active == 1 && even.zd_score == 0));
  CHECK(std::isnan(even.cosine));
  const auto& spiky = tensors[2];
  CHECK((spiky.sum == 8 && spiky.mean == 2 && spiky.entropy == 0 && spiky.active == 0.25 && spiky.zd_score == 0.25));
  CHECK(spiky.stddev == doctest::Approx(std::sqrt(12.0)));
  CHECK(spiky.cosine == doctest::Approx(0.5));
  CHECK(std::isnan(tensors[3].cosine));
  const auto layers = layer_stats(tensors);
  REQUIRE(layers.size() == 2);
  CHECK((layers[0].layer == 0 && layers[0].sum == 4 && std::isnan(layers[0].cosine)));
  CHECK(layers[1].sum == doctest::Approx((4 * 8 + 2 * 7) / 6.0));
  CHECK(layers[1].zd_score == doctest::Approx((4 * 0.25 + 2 * 0.0) / 6.0));
  CHECK(layers[1].cosine == doctest::Approx(0.5));
}
