// What an observer of products sees, also of a device whose memory the host cannot read.
#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "lib/compute/ops.h"

using namespace quern;
using namespace quern::compute;

namespace {

struct FakeBuffer final : Buffer {
  explicit FakeBuffer(bool addressable) : on_host(addressable) {
    for (size_t i = 0; i < 64; ++i) floats[i] = static_cast<float>(i);
  }
  uint64_t size_bytes() const override { return sizeof floats; }
  float* host() override { return on_host ? floats : nullptr; }
  float floats[64];
  bool on_host;
};

struct FakeWeight final : Weight {
  FakeWeight(uint32_t rows, uint32_t cols) : Weight(tensor::DType::f32, rows, cols, Usage::matmul) {}
  uint64_t size_bytes() const override { return 0; }
};

/// Does nothing but to say in which order it was asked.
struct FakeStream final : Stream {
  std::string calls;
  Status finished;
  void do_upload(std::span<const float>, Mat) override {}
  void do_embed(const Weight&, std::span<const int32_t>, Mat) override {}
  void do_rms_norm(Mat, const Weight*, float, Mat) override {}
  void do_layer_norm(Mat, const Weight&, const Weight*, float, Mat) override {}
  void do_matmul(Mat, std::span<const MatmulTarget>) override { calls += "matmul "; }
  void do_add(Mat, Mat) override {}
  void do_rope(Mat, uint32_t, uint32_t, RopePairs, Mat) override {}
  void do_glu(Glu, Mat, Mat, Mat) override {}
  void do_gelu(Mat) override {}
  void do_scale(Mat, float) override {}
  void do_scale_rows(Mat, Mat) override {}
  void do_softcap(Mat, float) override {}
  void do_l2_norm(Mat, uint32_t, float) override {}
  void do_sigmoid(Mat) override {}
  void do_decay(Mat, const Weight&, const Weight&) override {}
  void do_causal_conv(StateStore&, uint32_t, Mat, const Weight&, std::span<const StateRun>, Mat) override {}
  void do_delta_rule(StateStore&, uint32_t, const DeltaShape&, const DeltaInputs&, std::span<const StateRun>,
                     Mat) override {}
  void do_route(Mat, const Routing&, Mat, Mat) override {}
  void do_matmul_experts(Mat, Mat, std::span<const ExpertTarget>) override { calls += "experts "; }
  void do_combine(Mat, Mat, Mat) override {}
  void do_kv_store(KvStore&, uint32_t, Mat, Mat, std::span<const uint32_t>) override {}
  void do_attention(KvStore&, uint32_t, const AttentionShape&, Mat, std::span<const AttentionRow>, Mat) override {}
  void do_gather_rows(Mat, std::span<const uint32_t>, Mat) override {}
  void do_copy(Mat, Mat) override {}
  void do_download(Mat from, std::span<float> to) override {
    calls += "download ";
    const auto& buffer = static_cast<const FakeBuffer&>(*from.buffer);
    for (uint32_t r = 0; r < from.rows; ++r)
      std::memcpy(to.data() + r * from.cols, buffer.floats + from.offset + r * from.stride, from.cols * sizeof(float));
  }
  Status do_finish() override {
    calls += "finish ";
    return finished;
  }
};

struct Recorder final : MatmulObserver {
  explicit Recorder(FakeStream& watched) : stream(watched) {}
  void observe(const MatmulInput& x, std::span<const MatmulTarget> targets) override {
    stream.calls += "observe ";
    n_targets = targets.size();
    for (uint32_t r = 0; r < x.rows; ++r) seen.insert(seen.end(), x.row(r), x.row(r) + x.cols);
  }
  void observe_experts(const MatmulInput& x, std::span<const ExpertRow> rows,
                       std::span<const ExpertTarget> targets) override {
    stream.calls += "observe ";
    n_targets = targets.size();
    for (const ExpertRow& pair : rows) {
      experts.push_back(pair.expert);
      seen.push_back(x.row(pair.row)[0]);
    }
  }
  FakeStream& stream;
  std::vector<float> seen;
  std::vector<uint32_t> experts;
  size_t n_targets = 0;
};

}  // namespace

TEST_CASE("an observer sees the input before the product, wherever it lies") {
  for (const bool on_host : {true, false}) {
    CAPTURE(on_host);
    FakeBuffer buffer(on_host);
    FakeStream stream;
    Recorder recorder(stream);
    const FakeWeight one(2, 3), two(4, 3);
    const Mat x{&buffer, 10, 2, 3, 5};  // rows of 3 floats, 5 apart
    const MatmulTarget targets[] = {{&one, nullptr, {&buffer, 0, 2, 2, 2}}, {&two, nullptr, {&buffer, 20, 2, 4, 4}}};
    CHECK_FALSE(stream.observed());
    stream.set_observer(&recorder);
    CHECK(stream.observed());
    stream.matmul(x, targets);
    CHECK(recorder.seen == std::vector<float>{10, 11, 12, 15, 16, 17});
    CHECK(recorder.n_targets == 2);
    CHECK(stream.calls == (on_host ? "finish observe matmul " : "download finish observe matmul "));

    stream.calls.clear();
    stream.matmul({&buffer, 10, 2, 4, 5}, targets);  // of another length: refused, and not shown
    CHECK(stream.calls.empty());
    CHECK_FALSE(stream.finish());

    stream.set_observer(nullptr);
    stream.calls.clear();
    stream.matmul(x, targets);
    CHECK(stream.calls == "matmul ");
  }
}

TEST_CASE("a device that fails is not observed") {
  FakeBuffer buffer(true);
  FakeStream stream;
  Recorder recorder(stream);
  const FakeWeight weight(2, 3);
  stream.set_observer(&recorder);
  stream.finished = Error{Errc::device, "the device is gone"};
  stream.matmul({&buffer, 0, 1, 3, 3}, weight, {&buffer, 8, 1, 2, 2});
  CHECK(stream.calls == "finish ");
  CHECK(recorder.seen.empty());
  stream.finished = {};
  CHECK(stream.finish().error().code == Errc::device);
}

TEST_CASE("an observer sees which row goes to which expert") {
  for (const bool on_host : {true, false}) {
    CAPTURE(on_host);
    FakeBuffer buffer(on_host), chosen(on_host);
    FakeStream stream;
    Recorder recorder(stream);
    stream.set_observer(&recorder);
    std::vector<std::unique_ptr<Weight>> weights;
    for (int i = 0; i < 3; ++i) weights.push_back(std::make_unique<FakeWeight>(2, 3));
    const float numbers[] = {2, 0, 1, 2};
    std::memcpy(chosen.floats, numbers, sizeof numbers);
    const Mat experts{&chosen, 0, 2, 2, 2};
    const ExpertTarget target{weights, {}, {&buffer, 40, 4, 2, 2}};

    stream.matmul_experts({&buffer, 10, 2, 3, 3}, experts, {&target, 1});  // a row for each token
    CHECK(recorder.experts == std::vector<uint32_t>{2, 0, 1, 2});
    CHECK(recorder.seen == std::vector<float>{10, 10, 13, 13});
    CHECK(stream.calls ==
          (on_host ? "finish finish observe experts " : "download finish download finish observe experts "));

    recorder.seen.clear();
    stream.matmul_experts({&buffer, 10, 4, 3, 3}, experts, {&target, 1});  // a row for each expert of a token
    CHECK(recorder.seen == std::vector<float>{10, 13, 16, 19});

    for (const float wrong : {3.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
      chosen.floats[3] = wrong;
      stream.calls.clear();
      stream.matmul_experts({&buffer, 10, 2, 3, 3}, experts, {&target, 1});
      CHECK(stream.calls.find("observe") == std::string::npos);
      CHECK(stream.calls.find("experts") == std::string::npos);
      CHECK_FALSE(stream.finish());
    }
  }
}
