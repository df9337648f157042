#include "lib/cpu/arena.h"

#include <sys/mman.h>

#include <algorithm>

namespace quern::cpu {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kCacheLine = 64;
// Address space costs nothing until it is touched. A new piece begins when a tensor does not fit into the rest of the
// last one, which leaves half a huge page unused on average.
constexpr size_t kPieceBytes = size_t{256} << 20;

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

uint8_t* map(size_t size_bytes) {
  void* const p = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<uint8_t*>(p);
}

}  // namespace

struct Arena::Piece {
  uint8_t* data = nullptr;
  size_t size_bytes = 0;
  size_t used = 0;     ///< handed out so far, from the start
  size_t touched = 0;  ///< of which some thread touches, or has touched, every huge page

  ~Piece() {
    if (data != nullptr) munmap(data, size_bytes);
  }

  static std::shared_ptr<Piece> make(size_t size_bytes) {
    auto piece = std::make_shared<Piece>();
    const size_t wanted = round_up(std::max(size_bytes, kPieceBytes), kHugePage);
    if (uint8_t* const p = map(wanted + kHugePage)) {  // room to begin on a huge page
      const size_t before = round_up(reinterpret_cast<uintptr_t>(p), kHugePage) - reinterpret_cast<uintptr_t>(p);
      if (before > 0) munmap(p, before);
      if (before < kHugePage) munmap(p + before + wanted, kHugePage - before);
      piece->data = p + before;
      piece->size_bytes = wanted;
      madvise(piece->data, wanted, MADV_HUGEPAGE);        // a hint
    } else if (uint8_t* const exact = map(size_bytes)) {  // the address space may be limited
      piece->data = exact;
      piece->size_bytes = size_bytes;
    }
    return piece;
  }
};

Result<ArenaMemory> Arena::allocate(size_t size_bytes, base::ThreadPool* pool) {
  ArenaMemory out;
  if (size_bytes == 0) return out;
  std::shared_ptr<Piece> piece;
  size_t begin = 0, touch_begin = 0, touch_end = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    piece = current_.lock();
    if (piece == nullptr || piece->size_bytes - piece->used < size_bytes) {
      piece = Piece::make(size_bytes);
      QUERN_ENSURE(piece->data != nullptr, Errc::memory, "no memory for ", size_bytes, " bytes");
      current_ = piece;
    }
    begin = piece->used;
    piece->used = std::min(round_up(begin + size_bytes, kCacheLine), piece->size_bytes);
    touch_begin = piece->touched;
    touch_end = piece->touched = round_up(piece->used, kHugePage);
  }
  if (pool != nullptr) {
    pool->run((touch_end - touch_begin) / kHugePage,
              [&](size_t page) { *static_cast<volatile uint8_t*>(piece->data + touch_begin + page * kHugePage) = 0; });
  }
  out.data_ = std::shared_ptr<uint8_t>(piece, piece->data + begin);
  out.size_bytes_ = size_bytes;
  return out;
}

}  // namespace quern::cpu
