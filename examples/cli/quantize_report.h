// What quantizing and converting have done, as lines for people and as JSON; sizes as people write them.
#pragma once

#include <quern/quantize.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace quern::cli {

/// "4.2G" (10^9), "650M", "4.2GiB" (2^30), or bytes. 0 where it makes no sense.
uint64_t size_of(const std::string& text);

/// A line for each tensor.
void note_tensors(const QuantizeResult& result);
/// The tensors whose shapes ruled out the type that they should have had.
void note_fallbacks(const QuantizeResult& result);
void print_quality(const Comparison& quality);
nlohmann::ordered_json result_json(const QuantizeResult& result, double seconds);

}  // namespace quern::cli
