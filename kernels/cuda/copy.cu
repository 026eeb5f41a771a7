#include "kernels/cuda/copy.h"

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

template <typename From, typename To>
struct Copy {
  Matrix<From> from;
  Matrix<To> to;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    store<kWidth>(to.at(row, c), load<kWidth>(from.at(row, c)));
  }
};

struct RepeatHeads {
  Matrix<float> from, to;
  std::int64_t headdim, times;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const std::int64_t source = c / headdim / times * headdim + c % headdim;
    store<kWidth>(to.at(row, c), load<kWidth>(from.at(row, source)));
  }
};

template <typename Element>
struct Embedding {
  Matrix<const Element> table;
  const std::int32_t* ids;
  Matrix<float> x;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    store<kWidth>(x.at(row, c), load<kWidth>(table.at(ids[row], c)));
  }
};

template <typename Element>
struct AppendHeads {
  Matrix<float> x;
  const std::int32_t* slots;      // or null: slot 0
  const std::int32_t* positions;  // or null: position = row
  std::int64_t first;
  Element* cache;
  std::int64_t heads, capacity, headdim;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const std::int64_t slot = slots == nullptr ? 0 : slots[row];
    const std::int64_t entry = (positions == nullptr ? row : positions[row]) - first;
    const std::int64_t head = slot * heads + c / headdim;
    store<kWidth>(cache + (head * capacity + entry) * headdim + c % headdim, load<kWidth>(x.at(row, c)));
  }
};

template <typename From, typename To>
void launch_copy(Stream& stream, TensorView from, TensorView to) {
  launch_rowwise(stream, to.extent(0), to.extent(1), vectorizable(from, to),
                 Copy<From, To>{matrix_of<From>(from), matrix_of<To>(to)});
}

template <typename Element>
void launch_embedding(Stream& stream, TensorView table, std::span<const std::int32_t> ids, TensorView x) {
  const Matrix<const Element> rows = matrix_of<const Element>(table);
  launch_rowwise(stream, x.extent(0), x.extent(1), vectorizable(table, x),
                 Embedding<Element>{rows, ids.data(), matrix(x)});
}

template <typename Element>
void launch_append(Stream& stream, TensorView x, std::span<const std::int32_t> slots,
                   std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) {
  const AppendHeads<Element> append = {matrix(x),
                                       slots.empty() ? nullptr : slots.data(),
                                       positions.empty() ? nullptr : positions.data(),
                                       first,
                                       static_cast<Element*>(cache.data()),
                                       cache.extent(1),
                                       cache.extent(2),
                                       cache.extent(3)};
  launch_rowwise(stream, x.extent(0), x.extent(1), vectorizable(x, cache), append);
}

}  // namespace

void copy(Stream& stream, TensorView from, TensorView to) {
  TANDEM_CHECK(from.rank() == 2 && from.shape() == to.shape(),
               "copy: from " + from.shape().str() + " to " + to.shape().str());
  const bool widens = from.dtype() == DType::BF16 && to.dtype() == DType::F32;
  TANDEM_CHECK(!widens, "copy: from bf16 to f32");
  const auto run = to.dtype() == DType::F32     ? launch_copy<float, float>
                   : from.dtype() == DType::F32 ? launch_copy<float, BFloat16>
                                                : launch_copy<BFloat16, BFloat16>;
  run(stream, from, to);
}

void repeat_heads(Stream& stream, TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) {
  TANDEM_CHECK(x.rank() == 2 && y.rank() == 2 && x.extent(0) == y.extent(0) && heads > 0 &&
                   nheads % heads == 0 && x.extent(1) % heads == 0 &&
                   y.extent(1) == x.extent(1) / heads * nheads,
               "repeat_heads: x " + x.shape().str() + " of " + std::to_string(heads) + " heads, y " +
                   y.shape().str() + " of " + std::to_string(nheads));
  const std::int64_t headdim = x.extent(1) / heads;
  launch_rowwise(stream, y.extent(0), y.extent(1), vectorizable(x, y) && headdim % kVector == 0,
                 RepeatHeads{matrix(x), matrix(y), headdim, nheads / heads});
}

void embedding(Stream& stream, TensorView table, std::span<const std::int32_t> ids, TensorView x) {
  TANDEM_CHECK(table.rank() == 2 && x.rank() == 2 && x.extent(1) == table.extent(1) &&
                   x.extent(0) == std::ssize(ids) &&
                   (table.dtype() == DType::F32 || table.dtype() == DType::BF16),
               "embedding: table " + table.shape().str() + " " + dtype_name(table.dtype()) + ", " +
                   std::to_string(ids.size()) + " ids, x " + x.shape().str());
  const auto run = table.dtype() == DType::F32 ? launch_embedding<float> : launch_embedding<BFloat16>;
  run(stream, table, ids, x);
}

void append_heads(Stream& stream, TensorView x, std::span<const std::int32_t> slots,
                  std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) {
  const auto fits = [&](std::span<const std::int32_t> ids) {
    return ids.empty() || std::ssize(ids) == x.extent(0);
  };
  TANDEM_CHECK(x.rank() == 2 && cache.rank() == 4 && cache.contiguous() && fits(slots) && fits(positions) &&
                   x.extent(1) == cache.extent(1) * cache.extent(3) &&
                   (cache.dtype() == DType::F32 || cache.dtype() == DType::BF16),
               "append_heads: x " + x.shape().str() + ", " + std::to_string(slots.size()) + " slots, " +
                   std::to_string(positions.size()) + " positions, cache " + cache.shape().str() + " " +
                   dtype_name(cache.dtype()));
  const auto run = cache.dtype() == DType::F32 ? launch_append<float> : launch_append<BFloat16>;
  run(stream, x, slots, positions, first, cache);
}

}  // namespace tandem::cuda
