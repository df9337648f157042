// The wire format of Protocol Buffers: what SentencePiece's model files are made of.
//
//   message: fields, in any order. field: a varint (number << 3 | kind), then by its kind 0: a varint, 1: 8 bytes,
//   2: a varint length and that many bytes (strings, bytes, messages), 5: 4 bytes.
//   varint: 7 bits per byte, the lowest first; the top bit says that more follow.
//
// Source: https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "lib/io/cursor.h"

namespace quern::io {

struct ProtoField {
  enum class Kind : uint8_t { varint, fixed64, bytes, fixed32 };
  uint64_t number = 0;
  Kind kind = Kind::varint;
  uint64_t value = 0;      ///< varint, fixed64, fixed32
  std::string_view bytes;  ///< of kind bytes

  float as_float() const {
    const auto bits = static_cast<uint32_t>(value);
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
};

/// Reads the fields of one message, one after another.
class ProtoReader {
 public:
  explicit ProtoReader(std::span<const std::byte> message) : cursor_(message) {}
  explicit ProtoReader(std::string_view message) : cursor_(std::as_bytes(std::span(message.data(), message.size()))) {}

  bool done() const { return cursor_.remaining() == 0; }
  uint64_t position() const { return cursor_.position(); }

  /// The next field; nothing where the bytes do not make one.
  std::optional<ProtoField> next() {
    const auto tag = varint();
    if (!tag || *tag >> 3 == 0) return std::nullopt;
    ProtoField field{*tag >> 3, ProtoField::Kind::varint, 0, {}};
    switch (*tag & 7) {
      case 0:
        return number(field, ProtoField::Kind::varint, varint());
      case 1:
        return number(field, ProtoField::Kind::fixed64, fixed<uint64_t>());
      case 5:
        return number(field, ProtoField::Kind::fixed32, fixed<uint32_t>());
      case 2: {
        const auto size = varint();
        if (!size || *size > cursor_.remaining()) return std::nullopt;
        const auto bytes = cursor_.take(*size);
        field.kind = ProtoField::Kind::bytes;
        field.bytes = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        return field;
      }
      default:  // groups, which nobody writes any more
        return std::nullopt;
    }
  }

 private:
  static std::optional<ProtoField> number(ProtoField field, ProtoField::Kind kind, std::optional<uint64_t> value) {
    if (!value) return std::nullopt;
    field.kind = kind;
    field.value = *value;
    return field;
  }

  std::optional<uint64_t> varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (cursor_.remaining() == 0) return std::nullopt;
      const auto byte = static_cast<uint64_t>(cursor_.take(1)[0]);
      out |= (byte & 0x7F) << shift;
      if (byte < 0x80) return out;
    }
    return std::nullopt;
  }

  template <class T>
  std::optional<uint64_t> fixed() {
    if (cursor_.remaining() < sizeof(T)) return std::nullopt;
    return load<T>(cursor_.take(sizeof(T)).data());
  }

  Cursor cursor_;
};

}  // namespace quern::io
