#include "lib/hf/row_maps.h"

#include "lib/io/names.h"

namespace quern::hf {
namespace {

using arch::HfRows;

/// What a map is made for.
struct Request {
  const arch::HfTensor& tensor;
  uint64_t n_rows;
  const ModelNumbers& extents;
  uint32_t layer;
  std::string_view place;

  Result<uint64_t> number(std::string_view key) const { return extents.get(key, layer); }
  /// n_rows / parts, which must be exact.
  Result<uint64_t> share(uint64_t parts, std::string_view what) const {
    QUERN_ENSURE(n_rows % parts == 0, Errc::format, place, ": expected a multiple of ", parts, " rows (", what,
                 "), found ", n_rows);
    return n_rows / parts;
  }
};
using Box = RowMap::Box;

Result<RowMap> all(const Request& request) { return RowMap::slice(0, request.n_rows); }

Result<RowMap> rotary_pairs(const Request& request) {
  QUERN_TRY(const uint64_t heads, request.number(request.tensor.count));
  QUERN_TRY(const uint64_t half, request.share(2 * heads, "two halves for each head"));
  return RowMap({{0, {heads, half, 2}, {2 * half, 1, half}}});
}

template <bool kSecond>
Result<RowMap> one_half(const Request& request) {
  QUERN_TRY(const uint64_t half, request.share(2, "two halves"));
  return RowMap::slice(kSecond ? half : 0, half);
}

template <bool kOdd>
Result<RowMap> every_other(const Request& request) {
  QUERN_TRY(const uint64_t half, request.share(2, "pairs"));
  return RowMap({{kOdd ? 1 : 0, {1, 1, half}, {0, 0, 2}}});
}

Result<RowMap> last(const Request& request) {
  QUERN_TRY(const uint64_t n, request.number(request.tensor.count));
  QUERN_ENSURE(n <= request.n_rows, Errc::format, request.place, ": expected at least ", n, " rows, found ",
               request.n_rows);
  return RowMap::slice(request.n_rows - n, n);
}

/// Of each head the rows of keys, then those of values.
template <bool kValues>
Result<RowMap> latent(const Request& request) {
  QUERN_TRY(const uint64_t heads, request.number("attention.head_count"));
  QUERN_TRY(const uint64_t of_values, request.number("attention.value_length_mla"));
  QUERN_TRY(const uint64_t each, request.share(heads, "one part for each head"));
  QUERN_ENSURE(each > of_values, Errc::format, request.place, ": expected more than ", of_values,
               " rows for each head, found ", each);
  const uint64_t of_keys = each - of_values;
  return RowMap({{kValues ? of_keys : 0, {heads, 1, kValues ? of_values : of_keys}, {each, 0, 1}}});
}

struct DeltaSizes {
  uint64_t k_heads, per_k_head, k_length, v_length;
};
Result<DeltaSizes> delta_sizes(const Request& request) {
  DeltaSizes out{};
  QUERN_TRY(out.k_heads, request.number("ssm.group_count"));
  QUERN_TRY(const uint64_t heads, request.number("ssm.time_step_rank"));
  QUERN_TRY(out.k_length, request.number("ssm.state_size"));
  QUERN_TRY(const uint64_t inner, request.number("ssm.inner_size"));
  QUERN_ENSURE(heads % out.k_heads == 0 && inner % heads == 0, Errc::format, request.place,
               ": expected heads of values that share those of the keys evenly, found ", heads, " and ", out.k_heads);
  out.per_k_head = heads / out.k_heads;
  out.v_length = inner / heads;
  return out;
}

/// `length` rows for each head, from row `first` on.
Box values_by_turns(const DeltaSizes& sizes, uint64_t first, uint64_t length) {
  return {first, {sizes.per_k_head, sizes.k_heads, length}, {length, sizes.per_k_head * length, 1}};
}

Result<RowMap> delta_values(const Request& request) {
  QUERN_TRY(const DeltaSizes sizes, delta_sizes(request));
  QUERN_TRY(const uint64_t length, request.share(sizes.k_heads * sizes.per_k_head, "one part for each head"));
  return RowMap({values_by_turns(sizes, 0, length)});
}

Result<RowMap> delta_q_k_values(const Request& request) {
  QUERN_TRY(const DeltaSizes sizes, delta_sizes(request));
  const uint64_t q_k = 2 * sizes.k_heads * sizes.k_length, v = sizes.k_heads * sizes.per_k_head * sizes.v_length;
  QUERN_ENSURE(request.n_rows == q_k + v, Errc::format, request.place, ": expected ", q_k + v, " rows, found ",
               request.n_rows);
  return RowMap({{0, {1, 1, q_k}, {0, 0, 1}}, values_by_turns(sizes, q_k, sizes.v_length)});
}

template <bool kGates>
Result<RowMap> delta_grouped(const Request& request) {
  QUERN_TRY(const DeltaSizes sizes, delta_sizes(request));
  const uint64_t v = sizes.per_k_head * sizes.v_length, group = 2 * (sizes.k_length + v);
  QUERN_ENSURE(request.n_rows == sizes.k_heads * group, Errc::format, request.place, ": expected ",
               sizes.k_heads * group, " rows, found ", request.n_rows);
  const auto box = [&](uint64_t first, uint64_t n) { return Box{first, {sizes.k_heads, 1, n}, {group, 0, 1}}; };
  const uint64_t k = sizes.k_length;
  if (kGates) return RowMap({box(2 * k + v, v)});
  return RowMap({box(0, k), box(k, k), box(2 * k, v)});
}

struct Maker {
  HfRows rows;
  Result<RowMap> (*make)(const Request&);
};
constexpr Maker kMakers[] = {
    {HfRows::all, all},
    {HfRows::rotary_pairs, rotary_pairs},
    {HfRows::first_half, one_half<false>},
    {HfRows::second_half, one_half<true>},
    {HfRows::even, every_other<false>},
    {HfRows::odd, every_other<true>},
    {HfRows::last, last},
    {HfRows::latent_keys, latent<false>},
    {HfRows::latent_values, latent<true>},
    {HfRows::delta_values, delta_values},
    {HfRows::delta_q_k_values, delta_q_k_values},
    {HfRows::delta_grouped_q_k_v, delta_grouped<false>},
    {HfRows::delta_grouped_gates, delta_grouped<true>},
};

constexpr uint64_t kMaxExtent = uint64_t{1} << 24;  // products of four of them are far from overflowing with real ones

}  // namespace

ModelNumbers::ModelNumbers(const io::MetaTable& meta, std::string_view architecture)
    : meta_(meta), prefix_(cat(architecture, ".")) {}

Result<uint64_t> ModelNumbers::get(std::string_view key, uint32_t layer) const {
  const std::string name = cat(prefix_, key);
  const io::MetaValue* const value = meta_.find(name);
  int64_t number = 0;
  if (value != nullptr && !std::holds_alternative<uint64_t>(*value)) {
    QUERN_TRY(const auto all, meta_.get_ints(name));
    number = all && layer < all->size() ? (*all)[layer] : 0;
  } else if (value != nullptr) {
    number = static_cast<int64_t>(std::get<uint64_t>(*value));
  }
  QUERN_ENSURE(number > 0 && static_cast<uint64_t>(number) <= kMaxExtent, Errc::format, meta_.file(), ": key ",
               io::quoted(name), ": expected a number from 1 to ", kMaxExtent, ", found ", number);
  return static_cast<uint64_t>(number);
}

Result<std::vector<uint32_t>> ModelNumbers::delta_value_heads() const {
  QUERN_TRY(const uint64_t heads, get("ssm.time_step_rank", 0));
  const Request request{{"", "", arch::HfForm::linear}, heads, *this, 0, "ssm.time_step_rank"};
  QUERN_TRY(const RowMap map, delta_values(request));
  std::vector<uint32_t> out(heads);
  for (uint64_t i = 0; i < heads; ++i) out[i] = static_cast<uint32_t>(map.at(i));
  return out;
}

Result<RowMap> row_map(const arch::HfTensor& tensor, uint64_t n_rows, const ModelNumbers& extents, uint32_t layer,
                       std::string_view place) {
  for (const Maker& maker : kMakers) {
    if (maker.rows == tensor.rows) return maker.make({tensor, n_rows, extents, layer, place});
  }
  return fail(Errc::internal, "rows that nothing makes");
}

}  // namespace quern::hf
