#include "examples/cli/placement.h"

#include <charconv>
#include <set>
#include <string_view>

namespace quern::cli {
namespace {

constexpr int kMaxProcessor = 65535;

Status add_mask(std::string_view text, std::set<int>& out) {
  std::string_view digits = text;
  if (digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0X") digits.remove_prefix(2);
  const Error malformed{Errc::argument,
                        "--cpu-mask: expected hexadecimal digits like 0xFF, found '" + std::string(text) + "'"};
  if (digits.empty() || digits.size() > kMaxProcessor / 4) return malformed;
  int first = 0;  // processor of the digit's lowest bit
  for (size_t i = digits.size(); i-- > 0; first += 4) {
    unsigned value = 0;
    if (std::from_chars(&digits[i], &digits[i] + 1, value, 16).ptr != &digits[i] + 1) return malformed;
    for (int bit = 0; bit < 4; ++bit) {
      if (value >> bit & 1) out.insert(first + bit);
    }
  }
  return {};
}

Status add_range(std::string_view text, std::set<int>& out) {
  int first = -1, last = -1;
  const char* const end = text.data() + text.size();
  const char* at = std::from_chars(text.data(), end, first).ptr;
  if (at != end && *at == '-') {
    at = std::from_chars(at + 1, end, last).ptr;
  } else {
    last = first;
  }
  if (at != end || first < 0 || last < first || last > kMaxProcessor) {
    return Error{Errc::argument, "--cpu-range: expected FIRST-LAST like 0-3, found '" + std::string(text) + "'"};
  }
  for (int i = first; i <= last; ++i) out.insert(i);
  return {};
}

}  // namespace

void add_placement_args(CLI::App& command, PlacementArgs& args) {
  command.add_option("-C,--cpu-mask", args.mask, "Processors that the threads run on, as hexadecimal bits (any)")
      ->type_name("MASK");
  command.add_option("--cpu-range", args.range, "-Cr: the same as FIRST-LAST; both: those of either")
      ->type_name("RANGE");
  command.add_option("--cpu-strict", args.strict, "1: each thread stays on one of them, a core of its own (0)")
      ->type_name("0|1")
      ->check(CLI::Range(0, 1));
}

Status place_threads(const PlacementArgs& args, RuntimeOptions& options) {
  std::set<int> processors;
  if (!args.mask.empty()) {
    if (Status status = add_mask(args.mask, processors); !status) return status;
    if (processors.empty()) return Error{Errc::argument, "--cpu-mask: '" + args.mask + "' names no processor"};
  }
  if (!args.range.empty()) {
    if (Status status = add_range(args.range, processors); !status) return status;
  }
  options.processors.assign(processors.begin(), processors.end());
  options.pin_threads = args.strict != 0;
  return {};
}

}  // namespace quern::cli
